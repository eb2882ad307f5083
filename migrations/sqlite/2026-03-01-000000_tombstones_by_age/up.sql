-- For the removal of old tombstones.
CREATE INDEX post_keys_by_deleted ON post_keys (deleted_at) WHERE deleted_at IS NOT NULL;
