-- People. `name_key` is the name in lower case. A user without a password hash was invited, or signs in by OpenID Connect.
CREATE TABLE users (
    id integer PRIMARY KEY AUTOINCREMENT,
    name text NOT NULL,
    name_key text NOT NULL UNIQUE,
    role text NOT NULL,
    password_hash text,
    issuer text,
    subject text,
    disabled integer NOT NULL DEFAULT 0,
    created_at integer NOT NULL,
    created_by text NOT NULL,
    last_sign_in_at integer,
    version integer NOT NULL DEFAULT 1,
    UNIQUE (issuer, subject)
);

-- Signed-in browsers, known by the SHA-256 of their cookie.
CREATE TABLE sessions (
    id integer PRIMARY KEY AUTOINCREMENT,
    sha256 text NOT NULL UNIQUE,
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    method text NOT NULL,
    created_at integer NOT NULL,
    last_seen_at integer NOT NULL,
    expires_at integer NOT NULL,
    address text,
    user_agent text
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Links with which a user sets a password, known by the SHA-256 of their code. A user has at most one.
CREATE TABLE user_invitations (
    user_id integer NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sha256 text NOT NULL UNIQUE,
    expires_at integer NOT NULL
);

-- A token of a user allows at most what the role of the user allows.
ALTER TABLE api_tokens ADD COLUMN owner_id integer REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE api_tokens ADD COLUMN last_used_at integer;
CREATE INDEX api_tokens_owner ON api_tokens (owner_id) WHERE owner_id IS NOT NULL;
