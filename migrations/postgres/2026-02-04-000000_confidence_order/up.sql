-- Pages of posts, the most certain first.
CREATE INDEX posts_by_confidence ON social_media_posts (confidence_score, id);
