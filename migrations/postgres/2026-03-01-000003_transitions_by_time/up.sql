-- For the removal of old transitions.
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_transitions_by_time ON alert_transitions (at);
