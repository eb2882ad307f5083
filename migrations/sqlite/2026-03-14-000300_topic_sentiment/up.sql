-- How a post speaks about a topic. NULL: not determined yet, so the post's own label counts; '' for an unscored post.
ALTER TABLE post_topics ADD COLUMN sentiment_label text;
ALTER TABLE post_topics ADD COLUMN confidence_score real;
-- The clause that has the largest share in the label, in characters of the content; NULL: the whole text.
ALTER TABLE post_topics ADD COLUMN clause_start integer;
ALTER TABLE post_topics ADD COLUMN clause_end integer;

-- topic_rollups count by the label towards the topic. These rows are added to count by the posts' own labels: one is
-- subtracted under the label towards the topic, and one is added under the post's.
CREATE TABLE topic_shifts (
    topic_id integer NOT NULL,
    grain integer NOT NULL,
    bucket integer NOT NULL,
    source text NOT NULL,
    sentiment text NOT NULL,
    emotion text NOT NULL,
    count integer NOT NULL,
    confidence_sum real NOT NULL,
    PRIMARY KEY (topic_id, grain, bucket, source, sentiment, emotion)
) WITHOUT ROWID;
