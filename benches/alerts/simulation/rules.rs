//! The rules of the default settings.

/// The rules of the default settings, in the format of the API.
pub const RULES: [Named; 3] = [
    Named {
        name: "negative_share",
        rule: r#"{"name": "share", "kind": "share", "threshold": 0.5, "significance": 0.0001,
            "recovery_threshold": 0.4, "keep_firing_for": "10min", "group_by": "source_and_total",
            "distinct": "texts", "min_authors": 3}"#,
    },
    Named {
        name: "negative_ratio",
        rule: r#"{"name": "ratio", "kind": "ratio", "threshold": 2, "significance": 0.0001,
            "recovery_threshold": 1.6, "keep_firing_for": "10min", "distinct": "texts", "min_authors": 3}"#,
    },
    Named {
        name: "negative_spike",
        rule: r#"{"name": "spike", "kind": "spike", "of": "sentiment:negative", "threshold": 5,
            "recovery_threshold": 4, "keep_firing_for": "10min", "group_by": "source_and_total",
            "distinct": "texts", "min_authors": 3}"#,
    },
];

/// A rule, with the name that is printed in the table.
#[derive(Clone, Copy)]
pub struct Named {
    pub name: &'static str,
    pub rule: &'static str,
}
