-- What each webhook received.
CREATE TABLE source_hooks (
    name text NOT NULL PRIMARY KEY,
    accepted integer NOT NULL DEFAULT 0,
    rejected integer NOT NULL DEFAULT 0,
    last_post integer,
    last_error text
);
