-- What each webhook received.
CREATE TABLE source_hooks (
    name text PRIMARY KEY,
    accepted bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    last_post timestamptz,
    last_error text
);
