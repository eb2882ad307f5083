//! A rule: which posts are watched, and when they raise an alert.

mod draft;
mod template;

use std::time::Duration;

pub use draft::RuleDraft;
pub use template::{PLACEHOLDERS, fill};

use super::{Class, Direction, Distinct, GroupBy, Labels, NoData, RuleKind, Scope, Severity};
use crate::domain::Timestamp;

/// A stored rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub id: i64,
    /// Grows with each change.
    pub version: i64,
    /// From the configuration: read-only.
    pub provisioned: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub spec: RuleSpec,
}

/// The content of a rule; valid by construction.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSpec {
    /// Unique among rules; the `alert_type` of its alerts.
    pub name: String,
    pub enabled: bool,
    pub condition: Condition,
    pub scope: Scope,
    pub group_by: GroupBy,
    /// Whole minutes.
    pub window: Duration,
    /// Between two evaluations.
    pub interval: Duration,
    /// The condition does not hold with fewer posts in the window.
    pub min_posts: i64,
    /// The condition does not hold with fewer different authors of posts of its class.
    pub min_authors: i64,
    /// Whether copies of a text, or all posts of an author, count once.
    pub distinct: Distinct,
    /// What a window without posts means.
    pub no_data: NoData,
    /// How much earlier windows end, so that late posts are in them; `None`: as late as posts arrive, measured by source.
    pub delay: Option<Duration>,
    /// How long the condition must hold before the alert fires.
    pub pending_for: Duration,
    /// How long the condition must not hold before the alert is over.
    pub keep_firing_for: Duration,
    /// A firing alert recovers only beyond this value; else beyond the threshold.
    pub recovery_threshold: Option<f64>,
    pub severity: Severity,
    pub labels: Labels,
    pub annotations: Labels,
}

impl RuleSpec {
    /// Whether the posts of a window must be read besides their counts.
    pub fn reads_posts(&self) -> bool {
        self.distinct != Distinct::Posts || self.min_authors > 1
    }
}

/// What must be true of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// The share of a class, in [0, 1], is beyond the threshold; with a significance, by more than chance: were the
    /// threshold the true share, so many posts of the class would be less likely than that.
    Share { of: Class, direction: Direction, threshold: f64, significance: Option<f64> },
    /// There are more than `threshold` negative posts per positive one. Without a positive post the ratio is the
    /// number of negative ones, as if there were one: always finite. The significance is as of a share.
    Ratio { threshold: f64, significance: Option<f64> },
    /// There are more than `threshold` posts of a class, or fewer.
    Volume { of: Class, direction: Direction, threshold: f64 },
    /// The number of posts of a class is more than `threshold` robust standard deviations above its baseline.
    Spike { of: Class, threshold: f64 },
    /// The share of a class differs from that of the period before the window by more than `threshold`, and by more
    /// than chance: the one-sided p-value is below `significance`.
    Shift {
        of: Class,
        direction: Direction,
        threshold: f64,
        significance: f64,
        /// The length of the period before, whole minutes.
        baseline_window: Duration,
    },
    /// There is no post.
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

    /// The class of posts that it counts.
    pub fn class(&self) -> Class {
        match self {
            Self::Share { of, .. } | Self::Volume { of, .. } | Self::Spike { of, .. } | Self::Shift { of, .. } => *of,
            Self::Ratio { .. } => Class::Sentiment(crate::domain::Sentiment::Negative),
            Self::Absence => Class::Posts,
        }
    }

    /// The value that must be passed; 0 for an absence, whose value is the number of posts.
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

    /// The largest probability at which an excess is not taken for chance.
    pub fn significance(&self) -> Option<f64> {
        match self {
            Self::Share { significance, .. } | Self::Ratio { significance, .. } => *significance,
            Self::Shift { significance, .. } => Some(*significance),
            Self::Volume { .. } | Self::Spike { .. } | Self::Absence => None,
        }
    }

    /// On which side of the threshold it holds.
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
