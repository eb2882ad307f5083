-- For the removal of old tombstones of authors.
CREATE INDEX author_keys_by_ms ON author_keys (ms);
