//! Inhibition rules.

managed_endpoints!(
    InhibitRule, InhibitRuleList { inhibit_rules }, "/api/alerts/inhibit-rules", "/api/alerts/inhibit-rules/{id}",
    list: {
        /// Inhibition rules
        ///
        /// Alerts that suppress the notifications of other alerts.
    },
    get: {
        /// One inhibition rule
    },
    create: {
        /// Add an inhibition rule
    },
    update: {
        /// Change an inhibition rule
        ///
        /// Replaces the whole rule. `If-Match` names the version that the change is based on.
    },
    delete: {
        /// Delete an inhibition rule
    },
);
