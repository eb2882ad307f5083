-- Tokens that are made at run time, known by the SHA-256 of their text.
CREATE TABLE api_tokens (
    id integer PRIMARY KEY AUTOINCREMENT,
    name text NOT NULL UNIQUE,
    sha256 text NOT NULL UNIQUE,
    scopes text NOT NULL,
    created_at integer NOT NULL,
    created_by text NOT NULL,
    expires_at integer
);

-- Codes of sign-in links. Each is exchanged once for a token.
CREATE TABLE sign_in_codes (
    sha256 text NOT NULL PRIMARY KEY,
    expires_at integer NOT NULL
);

-- Denied requests and changes by administrators.
CREATE TABLE security_audit (
    id integer PRIMARY KEY AUTOINCREMENT,
    at integer NOT NULL,
    actor text NOT NULL,
    address text,
    outcome text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    status integer NOT NULL,
    request_id text NOT NULL
);
CREATE INDEX security_audit_at ON security_audit (at);
