-- When the alerts role was running. Missing posts prove nothing about other times.
CREATE TABLE observed_spans (
    id bigserial PRIMARY KEY,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL
);

-- Event time at which the condition of a series began to hold.
ALTER TABLE alert_instances ADD COLUMN began_at timestamptz;
