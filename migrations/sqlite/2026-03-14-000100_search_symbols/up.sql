-- The index also has symbols, single characters and whole words. Posts up to the id format_last are added again; up to
-- format_done they are.
ALTER TABLE search_state ADD COLUMN format_done integer NOT NULL DEFAULT 0;
ALTER TABLE search_state ADD COLUMN format_last integer NOT NULL DEFAULT 0;
UPDATE search_state SET format_last = (SELECT coalesce(max(id), 0) FROM social_media_posts);
