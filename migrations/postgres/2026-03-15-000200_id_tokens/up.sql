-- Encrypted ID tokens of sessions that began at an OpenID Connect provider. They are sent back to it at the sign-out.
CREATE TABLE session_id_tokens (
    session_id bigint NOT NULL PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    id_token text NOT NULL
);
