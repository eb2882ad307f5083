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
    /// What a rule looks at.
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

words! {
    /// Which series of its scope a rule watches.
    GroupBy {
        /// All posts of the scope together.
        None = "none",
        /// Each source by itself.
        Source = "source",
        /// Each source by itself, and all together.
        SourceAndTotal = "source_and_total",
    }
}

words! {
    /// Where a series of a rule stands.
    InstanceState {
        /// The condition does not hold.
        Normal = "normal",
        /// It holds, but not yet for as long as the rule's `for`.
        Pending = "pending",
        /// The alert is open.
        Firing = "firing",
        /// The alert is open; the condition does not hold any more, but not yet for `keep_firing_for`.
        Recovering = "recovering",
        /// There are too few posts to tell.
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
