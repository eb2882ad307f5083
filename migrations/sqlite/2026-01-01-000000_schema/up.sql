-- Times are microseconds since the Unix epoch; jsonb is text.
CREATE TABLE social_media_posts (
    id integer PRIMARY KEY,
    post_id text NOT NULL UNIQUE,
    source text NOT NULL,
    content text NOT NULL,
    author text,
    created_at integer NOT NULL,
    ingested_at integer NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS integer)),
    lang text,
    url text,
    reply_to text,
    -- UUID version 5 (URL namespace) of post_id, 16 bytes.
    public_id blob NOT NULL,
    -- Copies of the analysis, so that a filtered page is a walk of one index and counting needs no join.
    sentiment_label text NOT NULL,
    emotion text NOT NULL,
    confidence_score real NOT NULL,
    -- The stream entry that created the row.
    entry_epoch text NOT NULL,
    entry_ms integer NOT NULL,
    entry_seq integer NOT NULL
);
CREATE INDEX posts_by_created ON social_media_posts (created_at, id);
CREATE INDEX posts_by_source ON social_media_posts (source, created_at, id);
CREATE INDEX posts_by_sentiment ON social_media_posts (sentiment_label, created_at, id);
CREATE INDEX posts_by_emotion ON social_media_posts (emotion, created_at, id);
CREATE INDEX posts_by_author ON social_media_posts (author, created_at, id) WHERE author IS NOT NULL;
CREATE INDEX posts_by_ingested ON social_media_posts (ingested_at);

CREATE TABLE sentiment_analysis (
    id integer PRIMARY KEY,
    post_id text NOT NULL UNIQUE REFERENCES social_media_posts (post_id) ON DELETE CASCADE,
    model_name text NOT NULL,
    sentiment_label text NOT NULL,
    confidence_score real NOT NULL,
    emotion text NOT NULL,
    analyzed_at integer NOT NULL,
    -- {"sentiment": {label: score}, "emotion": {label: score}}
    scores text NOT NULL,
    truncated integer NOT NULL
);
CREATE INDEX analysis_by_analyzed ON sentiment_analysis (analyzed_at);
CREATE INDEX analysis_by_sentiment ON sentiment_analysis (sentiment_label, analyzed_at);

CREATE VIEW posts AS
SELECT lower(substr(hex(p.public_id), 1, 8) || '-' || substr(hex(p.public_id), 9, 4) || '-'
             || substr(hex(p.public_id), 13, 4) || '-' || substr(hex(p.public_id), 17, 4) || '-'
             || substr(hex(p.public_id), 21)) AS id,
       p.content, a.sentiment_label, a.confidence_score AS sentiment_score,
       a.analyzed_at AS "timestamp", p.created_at
FROM social_media_posts p JOIN sentiment_analysis a USING (post_id);

-- One row per post that was deleted, edited, or came again late: its tombstone and its last edit.
-- (Postgres keeps one for each post and locks it; here the one writer serialises.)
CREATE TABLE post_keys (
    post_id text NOT NULL PRIMARY KEY,
    deleted_at integer,
    edited_at integer,
    -- The earliest entry that brought the post, when it is not the one that created the row.
    earliest_ms integer,
    earliest_seq integer
) WITHOUT ROWID;

-- Authors whose posts were deleted, with the entry up to which.
CREATE TABLE author_keys (
    source text NOT NULL,
    author text NOT NULL,
    epoch text NOT NULL,
    ms integer NOT NULL,
    seq integer NOT NULL,
    PRIMARY KEY (source, author, epoch)
) WITHOUT ROWID;

-- Counts by event time. Grain is the bucket's width in seconds: 1, 60, 900, 86400, and 0 for all time, with the
-- epoch as its bucket. Rows of a negative grain count all sources together; their source is empty.
CREATE TABLE post_rollups (
    grain integer NOT NULL,
    bucket integer NOT NULL,
    source text NOT NULL,
    sentiment text NOT NULL,
    emotion text NOT NULL,
    count integer NOT NULL,
    confidence_sum real NOT NULL,
    PRIMARY KEY (grain, bucket, source, sentiment, emotion)
) WITHOUT ROWID;

-- Posts stored, by ten seconds of ingested_at.
CREATE TABLE ingest_counters (
    bucket integer NOT NULL PRIMARY KEY,
    count integer NOT NULL
);

CREATE TABLE stream_outcomes (
    epoch text NOT NULL,
    outcome text NOT NULL,
    count integer NOT NULL,
    PRIMARY KEY (epoch, outcome)
) WITHOUT ROWID;

-- Settled entries that left no row of their own. The embedded queue needs none:
-- there an entry that is settled is gone.
CREATE TABLE settled_entries (
    epoch text NOT NULL,
    ms integer NOT NULL,
    seq integer NOT NULL,
    PRIMARY KEY (epoch, ms, seq)
) WITHOUT ROWID;

CREATE TABLE sentiment_alerts (
    id integer PRIMARY KEY AUTOINCREMENT,
    alert_type text NOT NULL,
    scope text NOT NULL,
    state text NOT NULL,
    threshold_value real NOT NULL,
    actual_value real NOT NULL,
    window_start integer NOT NULL,
    window_end integer NOT NULL,
    post_count integer NOT NULL,
    triggered_at integer NOT NULL,
    resolved_at integer,
    details text NOT NULL
);
CREATE UNIQUE INDEX alerts_open ON sentiment_alerts (alert_type, scope) WHERE state = 'firing';
CREATE INDEX alerts_by_triggered ON sentiment_alerts (triggered_at);

-- Which alerts cite a post as evidence.
CREATE TABLE alert_evidence (
    post_id text NOT NULL,
    alert_id integer NOT NULL REFERENCES sentiment_alerts (id) ON DELETE CASCADE,
    PRIMARY KEY (post_id, alert_id)
) WITHOUT ROWID;

CREATE TABLE leases (
    name text NOT NULL PRIMARY KEY,
    holder text NOT NULL,
    token integer NOT NULL,
    expires_at integer NOT NULL
);

CREATE TABLE source_cursors (
    source text NOT NULL PRIMARY KEY,
    cursor text NOT NULL,
    updated_at integer NOT NULL
);

-- The embedded queue. An entry lies here from its append until it is settled or dead-lettered.
CREATE TABLE stream_entries (
    seq integer PRIMARY KEY AUTOINCREMENT,
    appended_ms integer NOT NULL,
    deliveries integer NOT NULL DEFAULT 0,
    fields blob NOT NULL
);

CREATE TABLE stream_claims (
    id integer PRIMARY KEY AUTOINCREMENT,
    consumer text NOT NULL,
    first_seq integer NOT NULL,
    last_seq integer NOT NULL
);

CREATE TABLE dead_letter_entries (
    seq integer PRIMARY KEY AUTOINCREMENT,
    failed_ms integer NOT NULL,
    origin_ms integer NOT NULL,
    origin_seq integer NOT NULL,
    deliveries integer NOT NULL,
    reason text NOT NULL,
    error text NOT NULL,
    post_id text,
    fields blob NOT NULL
);
CREATE INDEX dead_letters_by_post ON dead_letter_entries (post_id);

CREATE TABLE stream_meta (
    key text PRIMARY KEY NOT NULL,
    value text NOT NULL
);
