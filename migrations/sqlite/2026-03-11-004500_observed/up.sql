-- When the alerts role was running. Missing posts prove nothing about other times.
CREATE TABLE observed_spans (
    id integer PRIMARY KEY AUTOINCREMENT,
    started_at integer NOT NULL,
    ended_at integer NOT NULL
);

-- Event time at which the condition of a series began to hold.
ALTER TABLE alert_instances ADD COLUMN began_at integer;
