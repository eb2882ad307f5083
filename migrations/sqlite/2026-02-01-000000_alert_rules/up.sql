-- What is watched. `spec` is the rule as the API shows it.
CREATE TABLE alert_rules (
    id integer PRIMARY KEY AUTOINCREMENT,
    name text NOT NULL UNIQUE,
    spec text NOT NULL,
    -- From the configuration: read-only in the API.
    provisioned integer NOT NULL,
    -- Grows with each change; the API's ETag.
    version integer NOT NULL,
    created_at integer NOT NULL,
    updated_at integer NOT NULL
);

-- Where each series of a rule stands in its life cycle. One that was never anything but normal has no row.
-- No foreign key: what a deleted rule leaves firing is resolved by the instance that keeps alerts.
CREATE TABLE alert_instances (
    rule_id integer NOT NULL,
    scope text NOT NULL,
    fingerprint text NOT NULL,
    state text NOT NULL,
    -- Event time at which the state began, and of the last evaluation.
    since integer NOT NULL,
    evaluated_at integer NOT NULL,
    -- The row of sentiment_alerts, while it fires.
    alert_id integer,
    value real,
    threshold real NOT NULL,
    severity text NOT NULL,
    labels text NOT NULL,
    annotations text NOT NULL,
    reason text,
    PRIMARY KEY (rule_id, scope)
);

-- Every change of an instance's state, written in its transaction. One instance of the program writes at
-- a time, so that ids are committed in their order: readers follow them with a cursor.
CREATE TABLE alert_transitions (
    id integer PRIMARY KEY AUTOINCREMENT,
    rule_id integer NOT NULL,
    alert_id integer,
    scope text NOT NULL,
    fingerprint text NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    at integer NOT NULL,
    value real,
    threshold real NOT NULL,
    severity text NOT NULL,
    labels text NOT NULL,
    annotations text NOT NULL,
    reason text
);
CREATE INDEX alert_transitions_by_alert ON alert_transitions (alert_id, id) WHERE alert_id IS NOT NULL;
CREATE INDEX alert_transitions_by_rule ON alert_transitions (rule_id, id);

-- Who changed what.
CREATE TABLE alert_audit (
    id integer PRIMARY KEY AUTOINCREMENT,
    at integer NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    object_kind text NOT NULL,
    object_id text NOT NULL,
    name text NOT NULL,
    before text,
    after text
);

ALTER TABLE sentiment_alerts ADD COLUMN rule_id integer;
ALTER TABLE sentiment_alerts ADD COLUMN severity text NOT NULL DEFAULT 'warning';
ALTER TABLE sentiment_alerts ADD COLUMN phase text NOT NULL DEFAULT 'normal';
ALTER TABLE sentiment_alerts ADD COLUMN labels text NOT NULL DEFAULT '{}';
ALTER TABLE sentiment_alerts ADD COLUMN annotations text NOT NULL DEFAULT '{}';
ALTER TABLE sentiment_alerts ADD COLUMN acknowledged_at integer;
ALTER TABLE sentiment_alerts ADD COLUMN acknowledged_by text;
ALTER TABLE sentiment_alerts ADD COLUMN acknowledged_note text;
UPDATE sentiment_alerts SET phase = 'firing' WHERE state = 'firing';
CREATE INDEX alerts_by_rule ON sentiment_alerts (rule_id, id);
