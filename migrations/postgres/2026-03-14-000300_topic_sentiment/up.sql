-- How a post speaks about a topic. NULL: not determined yet, so the post's own label counts; '' for an unscored post.
ALTER TABLE post_topics ADD COLUMN sentiment_label text COLLATE "C";
ALTER TABLE post_topics ADD COLUMN confidence_score double precision;
-- The clause that has the largest share in the label, in characters of the content; NULL: the whole text.
ALTER TABLE post_topics ADD COLUMN clause_start integer;
ALTER TABLE post_topics ADD COLUMN clause_end integer;
CREATE INDEX post_topics_pending ON post_topics (post) WHERE sentiment_label IS NULL;

-- topic_rollups count by the label towards the topic. These rows are added to count by the posts' own labels: one is
-- subtracted under the label towards the topic, and one is added under the post's.
CREATE TABLE topic_shifts (
    topic_id bigint NOT NULL,
    grain integer NOT NULL,
    bucket timestamptz NOT NULL,
    source text COLLATE "C" NOT NULL,
    sentiment text COLLATE "C" NOT NULL,
    emotion text COLLATE "C" NOT NULL,
    count bigint NOT NULL,
    confidence_sum double precision NOT NULL,
    PRIMARY KEY (topic_id, grain, bucket, source, sentiment, emotion)
) WITH (fillfactor = 70);
