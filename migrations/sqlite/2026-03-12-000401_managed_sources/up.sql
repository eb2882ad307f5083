-- Sources that people add in the browser. The columns are those of receivers; `spec` has kind and settings.
CREATE TABLE managed_sources (
    id integer PRIMARY KEY AUTOINCREMENT,
    name text NOT NULL UNIQUE,
    spec text NOT NULL,
    -- Sealed, by name. Never shown by the API.
    secrets text,
    provisioned integer NOT NULL,
    version integer NOT NULL,
    created_at integer NOT NULL,
    updated_at integer NOT NULL
);
