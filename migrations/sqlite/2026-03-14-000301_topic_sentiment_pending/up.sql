-- For the matches whose sentiment is determined in the background.
CREATE INDEX post_topics_pending ON post_topics (post) WHERE sentiment_label IS NULL;
