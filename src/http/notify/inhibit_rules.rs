//! Inhibition rules.

managed_endpoints!(
    InhibitRule, InhibitRuleList { inhibit_rules }, "/api/alerts/inhibit-rules", "/api/alerts/inhibit-rules/{id}",
    list: {
        /// Inhibition rules
        ///
        /// Returns the rules by which firing alerts suppress the notifications of other alerts.
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
        /// Replaces the whole rule. A rule of the configuration cannot be changed (409). `If-Match` contains the
        /// version that the change is based on.
    },
    delete: {
        /// Delete an inhibition rule
        ///
        /// Returns 409 for a rule of the configuration.
    },
);
