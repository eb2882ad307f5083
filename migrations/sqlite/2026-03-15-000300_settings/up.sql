-- Settings that people change while the server runs. A row remains when its value is removed, so that its version only
-- increases.
CREATE TABLE settings (
    key text NOT NULL PRIMARY KEY,
    -- NULL: the value of the configuration.
    value text,
    -- The value before the last change.
    previous text,
    version integer NOT NULL,
    changed_by text NOT NULL,
    changed_at integer NOT NULL
);
