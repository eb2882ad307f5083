-- Which posts may contain a word, by pieces of their texts.
CREATE TABLE post_search (
    post bigint PRIMARY KEY REFERENCES social_media_posts (id) ON DELETE CASCADE,
    -- Null until the pieces are known.
    grams tsvector
);
CREATE INDEX post_search_by_grams ON post_search USING gin (grams);
CREATE INDEX post_search_missing ON post_search (post) WHERE grams IS NULL;

-- Notes the posts that an instance of a release without this table stores.
CREATE FUNCTION note_posts_for_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO post_search (post) SELECT id FROM inserted ON CONFLICT DO NOTHING;
    RETURN NULL;
END;
$$;
CREATE TRIGGER posts_enter_search AFTER INSERT ON social_media_posts
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION note_posts_for_search();

-- Posts that were stored before, up to the id `last`, are added afterwards; up to `done` they are.
CREATE TABLE search_state (
    id integer PRIMARY KEY CHECK (id = 1),
    done bigint NOT NULL,
    last bigint NOT NULL
);
INSERT INTO search_state (id, done, last) SELECT 1, 0, coalesce(max(id), 0) FROM social_media_posts;
