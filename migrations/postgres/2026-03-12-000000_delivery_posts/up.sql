-- The posts that messages quote, whose texts are removed with the posts.
CREATE TABLE alert_delivery_posts (
    post_id text COLLATE "C" NOT NULL,
    delivery_id bigint NOT NULL REFERENCES alert_deliveries (id) ON DELETE CASCADE,
    PRIMARY KEY (post_id, delivery_id)
);
CREATE INDEX alert_delivery_posts_by_delivery ON alert_delivery_posts (delivery_id);
-- The evidence of an alert is replaced while it fires.
CREATE INDEX alert_evidence_by_alert ON alert_evidence (alert_id);
