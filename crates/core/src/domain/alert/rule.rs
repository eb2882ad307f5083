//! A rule: the posts that are watched, and the condition that opens an alert.

mod draft;
mod template;

use std::time::Duration;

pub use draft::RuleDraft;
pub use template::{PLACEHOLDERS, fill};

use super::{Class, Direction, Distinct, GroupBy, Labels, NoData, RuleKind, Scope, Severity};
use crate::domain::Timestamp;

/// The longest window of a spike. The limit ensures that a day contains at least eight windows.
pub const LONGEST_SPIKE: Duration = Duration::from_secs(3 * 3_600);

/// The names of the built-in rules. Keys of `[alerts]` set their thresholds and windows.
pub const BUILT_IN: [&str; 3] = ["negative_share", "negative_ratio", "negative_spike"];

/// A stored rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The id of the rule. Ids start at 1, because 0 marks alerts about failing rules and receivers.
    pub id: i64,
    /// Increases with each change.
    pub version: i64,
    /// Whether the configuration file defines the rule. The API cannot change rules of the configuration file.
    pub provisioned: bool,
    /// When the rule was created.
    pub created_at: Timestamp,
    /// When the rule was last changed.
    pub updated_at: Timestamp,
    /// The content of the rule: the posts that it watches, and when it alerts.
    pub spec: RuleSpec,
}

/// The content of a rule; valid by construction.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSpec {
    /// The name, unique among rules. It is the `alert_type` of the rule's alerts.
    pub name: String,
    /// Whether the rule is evaluated. The open alerts of a disabled rule are resolved.
    pub enabled: bool,
    /// The condition on the counts of a window.
    pub condition: Condition,
    /// The posts that the rule watches.
    pub scope: Scope,
    /// The series that the posts of the scope are split into. Each series has its own state and alerts.
    pub group_by: GroupBy,
    /// The length of the window, in whole minutes.
    pub window: Duration,
    /// The time between two evaluations.
    pub interval: Duration,
    /// The minimum number of posts in the window (for a spike: posts of its class; for a shift: also in the period
    /// before the window). With fewer posts the condition does not hold. Not used for a volume or an absence.
    pub min_posts: i64,
    /// The minimum number of different authors of the counted posts. With fewer authors the condition does not hold.
    /// Not used for an absence, or for a volume with the direction `below`.
    pub min_authors: i64,
    /// Whether all posts count, or copies of a text or all posts of an author count only once.
    pub distinct: Distinct,
    /// How a share, a ratio or a shift handles a window without posts.
    pub no_data: NoData,
    /// Windows end this long before the current time, so that they contain late posts. `None`: the measured delay of
    /// the series' source, or of all sources together.
    pub delay: Option<Duration>,
    /// How long the condition must hold before the alert fires.
    pub pending_for: Duration,
    /// How long the condition must not hold before the alert is resolved.
    pub keep_firing_for: Duration,
    /// The value that must be crossed before a firing alert starts to recover. `None`: the threshold.
    pub recovery_threshold: Option<f64>,
    /// The severity of the rule's alerts.
    pub severity: Severity,
    /// Additional labels for the rule's alerts.
    pub labels: Labels,
    /// Texts about the rule's alerts, by name. They may contain [`PLACEHOLDERS`].
    pub annotations: Labels,
}

impl RuleSpec {
    /// Whether an evaluation must read the posts of a window, because rollups do not contain the required counts.
    pub fn reads_posts(&self) -> bool {
        self.compares_posts() || self.needs_authors()
    }

    /// Whether the result may depend on which posts are copies of a text or have the same author. Always false for an
    /// absence, which only requires that there are no posts.
    pub fn compares_posts(&self) -> bool {
        self.distinct != Distinct::Posts && self.condition != Condition::Absence
    }

    /// Whether the rule requires a minimum number of authors. Rules that fire on few or no posts do not, because a
    /// window with few posts always has few authors.
    pub fn needs_authors(&self) -> bool {
        let few_posts_fire = match self.condition {
            Condition::Absence => true,
            Condition::Volume { direction, .. } => direction == Direction::Below,
            _ => false,
        };
        self.min_authors > 1 && !few_posts_fire
    }
}

/// The condition of a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// The share of a class among the posts with a sentiment, in [0, 1], is beyond the threshold. With a significance,
    /// the deviation from the threshold must also be significant: if the true share were equal to the threshold, the
    /// probability of the observed count or a more extreme one (the p-value) must be below the significance.
    Share {
        /// The class whose share is compared.
        of: Class,
        /// Whether the share must be above or below the threshold.
        direction: Direction,
        /// The threshold of the share, in [0, 1].
        threshold: f64,
        /// The p-value must be below this number. `None`: the significance is not tested.
        significance: Option<f64>,
    },
    /// There are more than `threshold` negative posts per positive post. Without positive posts the ratio is the number
    /// of negative posts, so that it is always finite. The significance has the same meaning as for a share.
    Ratio {
        /// The number of negative posts per positive post that must be exceeded.
        threshold: f64,
        /// The p-value must be below this number. `None`: the significance is not tested.
        significance: Option<f64>,
    },
    /// The number of posts of a class is above or below `threshold`.
    Volume {
        /// The class whose posts are counted.
        of: Class,
        /// Whether the number must be above or below the threshold.
        direction: Direction,
        /// The threshold of the number of posts.
        threshold: f64,
    },
    /// The number of posts of a class is more than `threshold` robust standard deviations above its baseline.
    Spike {
        /// The class whose posts are counted.
        of: Class,
        /// The number of robust standard deviations that must be exceeded.
        threshold: f64,
    },
    /// The share of a class differs from that of the period before the window by more than `threshold`, and the
    /// difference is significant: the one-sided p-value is below `significance`.
    Shift {
        /// The class whose share is compared.
        of: Class,
        /// Whether the share must rise (`above`) or fall (`below`).
        direction: Direction,
        /// The difference between the shares that must be exceeded.
        threshold: f64,
        /// The p-value must be below this number.
        significance: f64,
        /// The length of the period before the window, in whole minutes.
        baseline_window: Duration,
    },
    /// The window contains no posts.
    Absence,
}

impl Condition {
    /// The kind of rule.
    pub fn kind(&self) -> RuleKind {
        match self {
            Self::Share { .. } => RuleKind::Share,
            Self::Ratio { .. } => RuleKind::Ratio,
            Self::Volume { .. } => RuleKind::Volume,
            Self::Spike { .. } => RuleKind::Spike,
            Self::Shift { .. } => RuleKind::Shift,
            Self::Absence => RuleKind::Absence,
        }
    }

    /// The class of the posts that the condition counts.
    pub fn class(&self) -> Class {
        match self {
            Self::Share { of, .. } | Self::Volume { of, .. } | Self::Spike { of, .. } | Self::Shift { of, .. } => *of,
            Self::Ratio { .. } => Class::Sentiment(crate::domain::Sentiment::Negative),
            Self::Absence => Class::Posts,
        }
    }

    /// The threshold of the value; 0 for an absence, whose value is the number of posts.
    pub fn threshold(&self) -> f64 {
        match self {
            Self::Share { threshold, .. }
            | Self::Ratio { threshold, .. }
            | Self::Volume { threshold, .. }
            | Self::Spike { threshold, .. }
            | Self::Shift { threshold, .. } => *threshold,
            Self::Absence => 0.0,
        }
    }

    /// The p-value below which a deviation is significant.
    pub fn significance(&self) -> Option<f64> {
        match self {
            Self::Share { significance, .. } | Self::Ratio { significance, .. } => *significance,
            Self::Shift { significance, .. } => Some(*significance),
            Self::Volume { .. } | Self::Spike { .. } | Self::Absence => None,
        }
    }

    /// The side of the threshold on which the condition holds.
    pub fn direction(&self) -> Direction {
        match self {
            Self::Share { direction, .. } | Self::Volume { direction, .. } | Self::Shift { direction, .. } => {
                *direction
            }
            Self::Ratio { .. } | Self::Spike { .. } => Direction::Above,
            Self::Absence => Direction::Below,
        }
    }
}
