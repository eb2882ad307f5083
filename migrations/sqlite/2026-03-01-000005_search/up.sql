-- Which posts may contain a word, by pieces of their texts. The texts themselves are not kept here.
CREATE VIRTUAL TABLE post_search USING fts5 (
    grams,
    content = '',
    contentless_delete = 1,
    detail = none,
    tokenize = 'ascii'
);
CREATE TRIGGER posts_leave_search AFTER DELETE ON social_media_posts BEGIN
    DELETE FROM post_search WHERE rowid = old.id;
END;

-- Posts that were stored before, up to the id `last`, are added afterwards; up to `done` they are.
CREATE TABLE search_state (
    id integer PRIMARY KEY CHECK (id = 1),
    done integer NOT NULL,
    last integer NOT NULL
);
INSERT INTO search_state (id, done, last) SELECT 1, 0, coalesce(max(id), 0) FROM social_media_posts;
