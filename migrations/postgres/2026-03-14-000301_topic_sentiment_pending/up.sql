-- For the matches whose sentiment is determined in the background.
CREATE INDEX CONCURRENTLY IF NOT EXISTS post_topics_pending ON post_topics (post) WHERE sentiment_label IS NULL;
