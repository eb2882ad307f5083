-- Other statements queue behind a waiting lock, so the wait is short and the migration is retried. Workers lock the tables
-- in the same order.
SET LOCAL lock_timeout = '3s';
LOCK TABLE social_media_posts IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE post_topics IN ACCESS EXCLUSIVE MODE;

-- How a post speaks about a topic. NULL: not determined yet, so the post's own label counts; '' for an unscored post.
ALTER TABLE post_topics ADD COLUMN sentiment_label text COLLATE "C";
ALTER TABLE post_topics ADD COLUMN confidence_score double precision;
-- The clause that has the largest share in the label, in characters of the content; NULL: the whole text.
ALTER TABLE post_topics ADD COLUMN clause_start integer;
ALTER TABLE post_topics ADD COLUMN clause_end integer;

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

-- An instance of an earlier release counts a post by its own label for all of its topics. Before it changes or deletes a
-- post or a match, the counts return to that label, so that its changes are right, and the sentiment towards the topics
-- is determined again. Instances that know these columns set sentistream.topic_sentiments.
CREATE FUNCTION count_topics_by_post(matched bigint, of_topic bigint) RETURNS void LANGUAGE sql AS $$
    WITH own AS (
        SELECT t.topic_id, t.created_at, p.source, p.emotion, t.sentiment_label, t.confidence_score,
            p.sentiment_label AS post_label, p.confidence_score AS post_confidence
        FROM post_topics t JOIN social_media_posts p ON p.id = t.post
        WHERE t.post = matched AND (of_topic IS NULL OR t.topic_id = of_topic)
            AND t.sentiment_label <> '' AND p.sentiment_label <> ''
    ),
    moved AS (
        SELECT topic_id, grain, CASE grain WHEN 0 THEN timestamptz 'epoch'
            ELSE to_timestamp(floor(extract(epoch FROM created_at) / grain) * grain) END AS bucket,
            source, label, emotion, sum(n) AS n, sum(c) AS c
        FROM (
            SELECT topic_id, created_at, source, emotion, sentiment_label AS label, -1 AS n, -confidence_score AS c FROM own
            UNION ALL
            SELECT topic_id, created_at, source, emotion, post_label, 1, post_confidence FROM own
        ) AS sides CROSS JOIN (VALUES (0), (60), (900), (86400)) AS widths (grain)
        GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
    ),
    counted AS (
        INSERT INTO topic_rollups AS r (topic_id, grain, bucket, source, sentiment, emotion, count, confidence_sum)
        SELECT topic_id, grain, bucket, source, label, emotion, n, c FROM moved
        ON CONFLICT (topic_id, grain, bucket, source, sentiment, emotion)
        DO UPDATE SET count = r.count + excluded.count, confidence_sum = r.confidence_sum + excluded.confidence_sum
    )
    INSERT INTO topic_shifts AS r (topic_id, grain, bucket, source, sentiment, emotion, count, confidence_sum)
    SELECT topic_id, grain, bucket, source, label, emotion, -n, -c FROM moved
    ON CONFLICT (topic_id, grain, bucket, source, sentiment, emotion)
    DO UPDATE SET count = r.count + excluded.count, confidence_sum = r.confidence_sum + excluded.confidence_sum
$$;

CREATE FUNCTION forget_topics_of_post() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_topics_by_post(OLD.id, NULL);
    UPDATE post_topics SET sentiment_label = NULL, confidence_score = NULL, clause_start = NULL, clause_end = NULL
        WHERE post = OLD.id AND sentiment_label IS NOT NULL;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION forget_match() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_topics_by_post(OLD.post, OLD.topic_id);
    RETURN OLD;
END
$$;

CREATE TRIGGER changed_by_earlier_release BEFORE DELETE OR UPDATE OF sentiment_label ON social_media_posts
    FOR EACH ROW WHEN (current_setting('sentistream.topic_sentiments', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION forget_topics_of_post();
CREATE TRIGGER removed_by_earlier_release BEFORE DELETE ON post_topics
    FOR EACH ROW WHEN (OLD.sentiment_label IS NOT NULL
        AND current_setting('sentistream.topic_sentiments', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION forget_match();
