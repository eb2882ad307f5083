-- Tracked topics: named queries that every post is asked. An id is never used again.
CREATE TABLE topics (
    id integer PRIMARY KEY AUTOINCREMENT,
    name text NOT NULL UNIQUE,
    query text NOT NULL,
    description text NOT NULL,
    -- Who keeps it: api or config.
    origin text NOT NULL,
    revision integer NOT NULL,
    created_at integer NOT NULL,
    updated_at integer NOT NULL,
    -- Of the posts that were stored before the query, those with ids up to backfill_last are matched afterwards;
    -- up to backfill_done they are.
    backfill_done integer NOT NULL,
    backfill_last integer NOT NULL
);

-- The version of all topics together: it grows with each change of one.
CREATE TABLE topic_state (
    id integer PRIMARY KEY CHECK (id = 1),
    version integer NOT NULL
);
INSERT INTO topic_state (id, version) VALUES (1, 1);

-- Topics that are gone, whose rows are still being removed.
CREATE TABLE dropped_topics (
    topic_id integer PRIMARY KEY
);

-- Which posts a topic matches; post is social_media_posts.id.
CREATE TABLE post_topics (
    topic_id integer NOT NULL,
    created_at integer NOT NULL,
    post integer NOT NULL REFERENCES social_media_posts (id) ON DELETE CASCADE,
    PRIMARY KEY (topic_id, created_at, post)
) WITHOUT ROWID;
CREATE INDEX post_topics_by_post ON post_topics (post);

-- Counts of a topic's posts by event time; grains as in post_rollups, without seconds and always by source.
CREATE TABLE topic_rollups (
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
