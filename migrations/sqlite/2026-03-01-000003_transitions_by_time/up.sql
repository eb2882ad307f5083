-- For the removal of old transitions.
CREATE INDEX alert_transitions_by_time ON alert_transitions (at);
