-- Alerts that suppress the notifications of others. The layout is that of the other managed objects.
CREATE TABLE alert_inhibit_rules (
    id bigserial PRIMARY KEY,
    name text NOT NULL UNIQUE,
    spec jsonb NOT NULL,
    secrets jsonb,
    provisioned boolean NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- The address, for receivers with one message per recipient.
ALTER TABLE alert_deliveries ADD COLUMN recipient text;
-- Finds the last delivery of a group, whose outcome decides what the group sends next.
CREATE INDEX alert_deliveries_by_group ON alert_deliveries (group_key, id);
