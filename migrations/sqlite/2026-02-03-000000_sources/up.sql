-- What the sources' feeds say of themselves, and whether someone paused them.
CREATE TABLE source_feeds (
    name text NOT NULL PRIMARY KEY,
    paused boolean NOT NULL DEFAULT false,
    instance text NOT NULL,
    report text NOT NULL,
    reported_at integer NOT NULL
);
