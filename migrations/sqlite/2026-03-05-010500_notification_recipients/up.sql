-- Alerts that suppress the notifications of others. The layout is that of the other managed objects.
CREATE TABLE alert_inhibit_rules (
    id integer PRIMARY KEY AUTOINCREMENT,
    name text NOT NULL UNIQUE,
    spec text NOT NULL,
    secrets text,
    provisioned integer NOT NULL,
    version integer NOT NULL,
    created_at integer NOT NULL,
    updated_at integer NOT NULL
);

-- The address, for receivers with one message per recipient.
ALTER TABLE alert_deliveries ADD COLUMN recipient text;
-- Finds the last delivery of a group, whose outcome decides what the group sends next.
CREATE INDEX alert_deliveries_by_group ON alert_deliveries (group_key, id);
