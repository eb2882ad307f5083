-- Tracked topics: named queries that every post is asked. An id is never used again.
CREATE TABLE topics (
    id bigserial PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    query text NOT NULL,
    description text NOT NULL,
    -- Who keeps it: api or config.
    origin text NOT NULL,
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- Of the posts that were stored before the query, those with ids up to backfill_last are matched afterwards;
    -- up to backfill_done they are.
    backfill_done bigint NOT NULL,
    backfill_last bigint NOT NULL
);

-- The version of all topics together: it grows with each change of one.
CREATE TABLE topic_state (
    id integer PRIMARY KEY CHECK (id = 1),
    version bigint NOT NULL
);
INSERT INTO topic_state (id, version) VALUES (1, 1);

-- Topics that are gone, whose rows are still being removed.
CREATE TABLE dropped_topics (
    topic_id bigint PRIMARY KEY
);

-- Which posts a topic matches; post is social_media_posts.id.
CREATE TABLE post_topics (
    topic_id bigint NOT NULL,
    created_at timestamptz NOT NULL,
    post bigint NOT NULL REFERENCES social_media_posts (id) ON DELETE CASCADE,
    PRIMARY KEY (topic_id, created_at, post)
);
CREATE INDEX post_topics_by_post ON post_topics (post);

-- Counts of a topic's posts by event time; grains as in post_rollups, without seconds and always by source.
CREATE TABLE topic_rollups (
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
