-- What people set up for notifications. `spec` is the object as the API shows it. Each kind has the same columns.
CREATE TABLE alert_receivers (
    id bigserial PRIMARY KEY,
    name text NOT NULL UNIQUE,
    spec jsonb NOT NULL,
    -- Keys and passwords by name, in the clear: whoever reads the database can send in our name. Never shown by the API.
    secrets jsonb,
    -- From the configuration: read-only in the API; its secrets are not kept here.
    provisioned boolean NOT NULL,
    -- Grows with each change; the API's ETag.
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE TABLE alert_routes (
    id bigserial PRIMARY KEY,
    name text NOT NULL UNIQUE,
    spec jsonb NOT NULL,
    secrets jsonb,
    provisioned boolean NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE TABLE alert_mute_timings (
    id bigserial PRIMARY KEY,
    name text NOT NULL UNIQUE,
    spec jsonb NOT NULL,
    secrets jsonb,
    provisioned boolean NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE TABLE alert_silences (
    id bigserial PRIMARY KEY,
    name text UNIQUE,
    spec jsonb NOT NULL,
    secrets jsonb,
    provisioned boolean NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- One row. `cursor` is the last row of alert_transitions that was looked at; `changes` grows with each change of the
-- tables above, and is what serialises them.
CREATE TABLE alert_notifier (
    id integer PRIMARY KEY,
    cursor bigint NOT NULL,
    changes bigint NOT NULL
);
INSERT INTO alert_notifier (id, cursor, changes) VALUES (1, 0, 0);

-- Alerts that are told of together, and what of them was told.
CREATE TABLE alert_groups (
    key text COLLATE "C" PRIMARY KEY,
    state jsonb NOT NULL
);

-- The outbox: a row is written in the transaction that notes its alerts as told.
CREATE TABLE alert_deliveries (
    id bigserial PRIMARY KEY,
    receiver text NOT NULL,
    group_key text NOT NULL,
    reason text NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    created_at timestamptz NOT NULL,
    next_attempt_at timestamptz,
    finished_at timestamptz,
    error text,
    message jsonb NOT NULL
);
CREATE INDEX alert_deliveries_pending ON alert_deliveries (next_attempt_at, id) WHERE state = 'pending';
CREATE INDEX alert_deliveries_by_receiver ON alert_deliveries (receiver, id);
CREATE INDEX alert_deliveries_by_finish ON alert_deliveries (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE alert_delivery_attempts (
    id bigserial PRIMARY KEY,
    delivery_id bigint NOT NULL REFERENCES alert_deliveries (id) ON DELETE CASCADE,
    at timestamptz NOT NULL,
    elapsed_ms bigint NOT NULL,
    status integer,
    answer text,
    error text
);
CREATE INDEX alert_delivery_attempts_by_delivery ON alert_delivery_attempts (delivery_id, id);
