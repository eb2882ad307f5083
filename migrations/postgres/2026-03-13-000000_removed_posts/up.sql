-- Posts that the deletion of an author removed, kept until its entry is not delivered again: each delivery clears the
-- copies of them in the stream.
CREATE TABLE removed_posts (
    epoch text NOT NULL,
    ms bigint NOT NULL,
    seq bigint NOT NULL,
    post_id text NOT NULL,
    analyzed_at timestamptz NOT NULL,
    PRIMARY KEY (epoch, ms, seq, post_id)
);
