-- The demonstration: made-up posts of the past week with topics and rules. One row at most, which outlives what it names,
-- so that a demonstration that was removed does not come back.
CREATE TABLE demonstration (
    id integer PRIMARY KEY CHECK (id = 1),
    run text NOT NULL,
    began_at integer NOT NULL,
    state text NOT NULL,
    planned integer NOT NULL,
    appended integer NOT NULL,
    topics text NOT NULL,
    rules text NOT NULL
);
