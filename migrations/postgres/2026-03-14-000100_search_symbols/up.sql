-- The index also has symbols, single characters and whole words. The posts without them have no U+E001 in the index: those
-- from before, and those that an instance of an earlier release stores.
CREATE INDEX CONCURRENTLY IF NOT EXISTS post_search_unfinished ON post_search (post)
    WHERE grams IS NULL OR NOT (grams @@ U&'''\E001'''::tsquery);
