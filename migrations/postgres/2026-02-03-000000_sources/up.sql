-- What the sources' feeds say of themselves, and whether someone paused them.
CREATE TABLE source_feeds (
    name text PRIMARY KEY,
    paused boolean NOT NULL DEFAULT false,
    instance text NOT NULL,
    report jsonb NOT NULL,
    reported_at timestamptz NOT NULL
);
