-- Sources that people add in the browser. The columns are those of receivers; `spec` has kind and settings.
CREATE TABLE managed_sources (
    id bigserial PRIMARY KEY,
    name text NOT NULL UNIQUE,
    spec jsonb NOT NULL,
    -- Sealed, by name. Never shown by the API.
    secrets jsonb,
    provisioned boolean NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
