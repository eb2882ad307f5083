//! The enumerations of alerting.

/// An enumeration with names that are the same in the API, the tables and the configuration.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// All values.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// The name of the value.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::domain::InvalidValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .into_iter()
                    .find(|word| word.as_str() == text)
                    .ok_or(crate::domain::InvalidValue::Word(&[$($text),+]))
            }
        }
    };
}

words! {
    /// The severity of an alert.
    Severity {
        /// For information: no action is needed.
        Info = "info",
        /// Someone should look at the alert.
        Warning = "warning",
        /// Someone must act immediately.
        Critical = "critical",
    }
}

words! {
    /// The quantity that a rule compares with its threshold.
    RuleKind {
        /// The share of a sentiment or emotion among the posts of the window that have a sentiment.
        Share = "share",
        /// The number of negative posts per positive post.
        Ratio = "ratio",
        /// The number of posts.
        Volume = "volume",
        /// The deviation of the number of posts from its baseline.
        Spike = "spike",
        /// The difference between the share in the window and the share in the period before the window.
        Shift = "shift",
        /// The absence of posts.
        Absence = "absence",
    }
}

words! {
    /// The side of the threshold on which a condition holds.
    Direction {
        /// The value must be above the threshold.
        Above = "above",
        /// The value must be below the threshold.
        Below = "below",
    }
}

impl Direction {
    /// The more extreme of two values: the larger one for `Above`, the smaller one for `Below`.
    pub fn further(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Above => one.max(other),
            Self::Below => one.min(other),
        }
    }
}

words! {
    /// How the posts of a rule's scope are split into series.
    GroupBy {
        /// All posts of the scope together.
        None = "none",
        /// Each source separately.
        Source = "source",
        /// Each source separately, and all together.
        SourceAndTotal = "source_and_total",
    }
}

words! {
    /// The state of a series of a rule.
    InstanceState {
        /// The condition does not hold, and no alert is open.
        Normal = "normal",
        /// The condition holds, but for less time than the rule's `for`. No alert is open yet.
        Pending = "pending",
        /// The alert is open, because the condition holds, the value has not crossed the recovery threshold yet, or the
        /// window cannot be evaluated (an error, downtime, or no posts with `no_data` set to `keep`).
        Firing = "firing",
        /// The alert is open. The condition has stopped holding, but for less time than `keep_firing_for`.
        Recovering = "recovering",
        /// The value cannot be computed, because the window has no posts that the rule counts, there is too little
        /// history for a baseline, or a shift has no earlier posts to compare with. No alert is open.
        NoData = "no_data",
        /// The posts could not be counted, and no alert is open.
        Error = "error",
    }
}

impl InstanceState {
    /// Whether the alert is open.
    pub fn is_alerting(self) -> bool {
        matches!(self, Self::Firing | Self::Recovering)
    }
}

words! {
    /// How the posts of a window are counted.
    Distinct {
        /// Every post.
        Posts = "posts",
        /// Copies of a text count once, even if links, mentions or a few words differ.
        Texts = "texts",
        /// Each author of a source counts once, with the most frequent label of their posts. Each post of an unknown
        /// author counts.
        Authors = "authors",
    }
}

words! {
    /// How a window without posts is handled by rules of the kinds `share`, `ratio` and `shift`. For the other kinds, a
    /// window without posts has a value.
    NoData {
        /// The states `pending`, `firing` and `recovering` do not change. All other states become `no_data`.
        Keep = "keep",
        /// The condition does not hold: a firing alert resolves after `keep_firing_for`.
        Resolve = "resolve",
        /// The condition holds.
        Alert = "alert",
    }
}
