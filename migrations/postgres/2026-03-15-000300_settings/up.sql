-- Settings that people change while the server runs. A row remains when its value is removed, so that its version only
-- increases.
CREATE TABLE settings (
    key text PRIMARY KEY,
    -- NULL: the value of the configuration.
    value jsonb,
    -- The value before the last change.
    previous jsonb,
    version bigint NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL
);
