-- What is watched. `spec` is the rule as the API shows it.
CREATE TABLE alert_rules (
    id bigserial PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    spec jsonb NOT NULL,
    -- From the configuration: read-only in the API.
    provisioned boolean NOT NULL,
    -- Grows with each change; the API's ETag.
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Where each series of a rule stands in its life cycle. One that was never anything but normal has no row.
-- No foreign key: what a deleted rule leaves firing is resolved by the instance that keeps alerts.
CREATE TABLE alert_instances (
    rule_id bigint NOT NULL,
    scope text COLLATE "C" NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    state text NOT NULL,
    -- Event time at which the state began, and of the last evaluation.
    since timestamptz NOT NULL,
    evaluated_at timestamptz NOT NULL,
    -- The row of sentiment_alerts, while it fires.
    alert_id bigint,
    value double precision,
    threshold double precision NOT NULL,
    severity text NOT NULL,
    labels jsonb NOT NULL,
    annotations jsonb NOT NULL,
    reason text,
    PRIMARY KEY (rule_id, scope)
);

-- Every change of an instance's state, written in its transaction. One instance of the program writes at
-- a time, so that ids are committed in their order: readers follow them with a cursor.
CREATE TABLE alert_transitions (
    id bigserial PRIMARY KEY,
    rule_id bigint NOT NULL,
    alert_id bigint,
    scope text COLLATE "C" NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    at timestamptz NOT NULL,
    value double precision,
    threshold double precision NOT NULL,
    severity text NOT NULL,
    labels jsonb NOT NULL,
    annotations jsonb NOT NULL,
    reason text
);
CREATE INDEX alert_transitions_by_alert ON alert_transitions (alert_id, id) WHERE alert_id IS NOT NULL;
CREATE INDEX alert_transitions_by_rule ON alert_transitions (rule_id, id);

-- Who changed what.
CREATE TABLE alert_audit (
    id bigserial PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    object_kind text NOT NULL,
    object_id text NOT NULL,
    name text NOT NULL,
    before jsonb,
    after jsonb
);

ALTER TABLE sentiment_alerts
    ADD COLUMN rule_id bigint,
    ADD COLUMN severity text NOT NULL DEFAULT 'warning',
    ADD COLUMN phase text NOT NULL DEFAULT 'normal',
    ADD COLUMN labels jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN annotations jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN acknowledged_by text,
    ADD COLUMN acknowledged_note text;
UPDATE sentiment_alerts SET phase = 'firing' WHERE state = 'firing';
CREATE INDEX alerts_by_rule ON sentiment_alerts (rule_id, id);
