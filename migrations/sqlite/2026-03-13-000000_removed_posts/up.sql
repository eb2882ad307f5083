-- Posts that the deletion of an author removed, kept until its entry is not delivered again: each delivery clears the
-- copies of them in the stream.
CREATE TABLE removed_posts (
    epoch text NOT NULL,
    ms integer NOT NULL,
    seq integer NOT NULL,
    post_id text NOT NULL,
    analyzed_at integer NOT NULL,
    PRIMARY KEY (epoch, ms, seq, post_id)
) WITHOUT ROWID;
