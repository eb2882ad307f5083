-- Compares text by the rules of every script. Without ICU, only ASCII letters lose their case.
DO $$
BEGIN
    IF getdatabaseencoding() = 'UTF8' AND EXISTS (SELECT 1 FROM pg_collation WHERE collprovider = 'i') THEN
        CREATE COLLATION any_script (provider = icu, locale = 'und');
    ELSE
        CREATE COLLATION any_script FROM "C";
    END IF;
END
$$;

-- Posts, one row each. Text keys collate "C": they are compared byte by byte, never sorted for people.
CREATE TABLE social_media_posts (
    id bigserial PRIMARY KEY,
    post_id text COLLATE "C" NOT NULL UNIQUE,
    source text COLLATE "C" NOT NULL,
    content text NOT NULL,
    author text COLLATE "C",
    created_at timestamptz NOT NULL,
    ingested_at timestamptz NOT NULL DEFAULT now(),
    lang text,
    url text,
    reply_to text,
    -- UUID version 5 (URL namespace) of post_id.
    public_id uuid NOT NULL,
    -- Copies of the analysis, so that a filtered page is a walk of one index and counting needs no join.
    sentiment_label text COLLATE "C" NOT NULL,
    emotion text COLLATE "C" NOT NULL,
    confidence_score double precision NOT NULL,
    -- The stream entry that created the row.
    entry_epoch text COLLATE "C" NOT NULL,
    entry_ms bigint NOT NULL,
    entry_seq bigint NOT NULL
);
CREATE INDEX posts_by_created ON social_media_posts (created_at, id);
CREATE INDEX posts_by_source ON social_media_posts (source, created_at, id);
CREATE INDEX posts_by_sentiment ON social_media_posts (sentiment_label, created_at, id);
CREATE INDEX posts_by_emotion ON social_media_posts (emotion, created_at, id);
CREATE INDEX posts_by_author ON social_media_posts (author, created_at, id) WHERE author IS NOT NULL;
CREATE INDEX posts_by_ingested ON social_media_posts (ingested_at);

CREATE TABLE sentiment_analysis (
    id bigserial PRIMARY KEY,
    post_id text COLLATE "C" NOT NULL UNIQUE REFERENCES social_media_posts (post_id) ON DELETE CASCADE,
    model_name text NOT NULL,
    sentiment_label text COLLATE "C" NOT NULL,
    confidence_score double precision NOT NULL,
    emotion text COLLATE "C" NOT NULL,
    analyzed_at timestamptz NOT NULL,
    -- {"sentiment": {label: score}, "emotion": {label: score}}
    scores jsonb NOT NULL,
    truncated boolean NOT NULL
);
CREATE INDEX analysis_by_analyzed ON sentiment_analysis (analyzed_at);
CREATE INDEX analysis_by_sentiment ON sentiment_analysis (sentiment_label, analyzed_at);

CREATE VIEW posts AS
SELECT p.public_id AS id, p.content, a.sentiment_label, a.confidence_score AS sentiment_score,
       a.analyzed_at AS "timestamp", p.created_at
FROM social_media_posts p JOIN sentiment_analysis a USING (post_id);

-- One row per post that was ever seen: what serialises its changes, and its tombstone.
CREATE TABLE post_keys (
    post_id text COLLATE "C" PRIMARY KEY,
    deleted_at timestamptz,
    edited_at timestamptz,
    -- The earliest entry that brought the post, when it is not the one that created the row.
    earliest_ms bigint,
    earliest_seq bigint
);

-- Authors whose posts were deleted, with the entry up to which.
CREATE TABLE author_keys (
    source text COLLATE "C" NOT NULL,
    author text COLLATE "C" NOT NULL,
    epoch text COLLATE "C" NOT NULL,
    ms bigint NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (source, author, epoch)
);

-- Counts by event time. Grain is the bucket's width in seconds: 1, 60, 900, 86400, and 0 for all time, with the
-- epoch as its bucket. Rows of a negative grain count all sources together; their source is empty.
CREATE TABLE post_rollups (
    grain integer NOT NULL,
    bucket timestamptz NOT NULL,
    source text COLLATE "C" NOT NULL,
    sentiment text COLLATE "C" NOT NULL,
    emotion text COLLATE "C" NOT NULL,
    count bigint NOT NULL,
    confidence_sum double precision NOT NULL,
    PRIMARY KEY (grain, bucket, source, sentiment, emotion)
) WITH (fillfactor = 70);

-- Posts stored, by ten seconds of ingested_at.
CREATE TABLE ingest_counters (
    bucket timestamptz PRIMARY KEY,
    count bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE stream_outcomes (
    epoch text COLLATE "C" NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (epoch, outcome)
) WITH (fillfactor = 50);

-- Settled entries that left no row of their own.
CREATE TABLE settled_entries (
    epoch text COLLATE "C" NOT NULL,
    ms bigint NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (epoch, ms, seq)
);

CREATE TABLE sentiment_alerts (
    id bigserial PRIMARY KEY,
    alert_type text NOT NULL,
    scope text NOT NULL,
    state text NOT NULL,
    threshold_value double precision NOT NULL,
    actual_value double precision NOT NULL,
    window_start timestamptz NOT NULL,
    window_end timestamptz NOT NULL,
    post_count int NOT NULL,
    triggered_at timestamptz NOT NULL,
    resolved_at timestamptz,
    details jsonb NOT NULL
);
CREATE UNIQUE INDEX alerts_open ON sentiment_alerts (alert_type, scope) WHERE state = 'firing';
CREATE INDEX alerts_by_triggered ON sentiment_alerts (triggered_at);

-- Which alerts cite a post as evidence.
CREATE TABLE alert_evidence (
    post_id text COLLATE "C" NOT NULL,
    alert_id bigint NOT NULL REFERENCES sentiment_alerts (id) ON DELETE CASCADE,
    PRIMARY KEY (post_id, alert_id)
);

CREATE TABLE leases (
    name text PRIMARY KEY,
    holder text NOT NULL,
    token bigint NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE source_cursors (
    source text PRIMARY KEY,
    cursor text NOT NULL,
    updated_at timestamptz NOT NULL
);
