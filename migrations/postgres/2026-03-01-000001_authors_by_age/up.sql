-- For the removal of old tombstones of authors.
CREATE INDEX CONCURRENTLY IF NOT EXISTS author_keys_by_ms ON author_keys (ms);
