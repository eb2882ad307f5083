-- For the removal of old alerts.
CREATE INDEX alerts_by_resolved ON sentiment_alerts (resolved_at) WHERE resolved_at IS NOT NULL;
