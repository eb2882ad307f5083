//! The closed sets of words of alerting.

/// A closed set of words: the same in the API, the tables and the configuration.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every one.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// The word.
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
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL
                    .into_iter()
                    .find(|word| word.as_str() == text)
                    .ok_or_else(|| format!("must be one of {}", [$($text),+].join(", ")))
            }
        }
    };
}

words! {
    /// How much an alert matters.
    Severity {
        Info = "info",
        Warning = "warning",
        Critical = "critical",
    }
}

words! {
    /// What a rule compares with its threshold.
    RuleKind {
        /// The share of a sentiment or emotion among the posts of the window.
        Share = "share",
        /// Negative posts per positive one.
        Ratio = "ratio",
        /// How many posts there are.
        Volume = "volume",
        /// How far the number of posts is above what is usual.
        Spike = "spike",
        /// By how much a share differs from that of the window before.
        Shift = "shift",
        /// Whether there are no posts.
        Absence = "absence",
    }
}

words! {
    /// On which side of the threshold a rule holds.
    Direction {
        Above = "above",
        Below = "below",
    }
}

impl Direction {
    /// Of two values the one that is further on this side.
    pub fn further(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Above => one.max(other),
            Self::Below => one.min(other),
        }
    }
}

words! {
    /// Which series of its scope a rule watches.
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
        /// The condition does not hold.
        Normal = "normal",
        /// It holds, but not yet for as long as the rule's `for`.
        Pending = "pending",
        /// The alert is open.
        Firing = "firing",
        /// The alert is open; the condition no longer holds, but not yet for `keep_firing_for`.
        Recovering = "recovering",
        /// There are no posts, or there is too little history for a baseline.
        NoData = "no_data",
        /// The posts could not be counted.
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
    /// What counts in a window.
    Distinct {
        /// Every post.
        Posts = "posts",
        /// Copies of a text count once, also with other links, mentions and numbers.
        Texts = "texts",
        /// Each author counts once.
        Authors = "authors",
    }
}

words! {
    /// What a window without posts means.
    NoData {
        /// Nothing: the state stays as it is.
        Keep = "keep",
        /// That the condition does not hold: a firing alert resolves.
        Resolve = "resolve",
        /// That the condition holds.
        Alert = "alert",
    }
}
