-- The last migration of the oldest release that works on this schema: an older one refuses to start.
CREATE TABLE schema_info (
    id integer PRIMARY KEY CHECK (id = 1),
    compatible_since text NOT NULL
);
