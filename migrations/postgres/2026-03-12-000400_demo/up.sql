-- The demonstration: made-up posts of the past week with topics and rules. One row at most, which outlives what it names,
-- so that a demonstration that was removed does not come back.
CREATE TABLE demonstration (
    id bigint PRIMARY KEY CHECK (id = 1),
    run text NOT NULL,
    began_at timestamptz NOT NULL,
    state text NOT NULL,
    planned bigint NOT NULL,
    appended bigint NOT NULL,
    topics jsonb NOT NULL,
    rules jsonb NOT NULL
);
