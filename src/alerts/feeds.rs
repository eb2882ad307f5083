//! The counts of feeds. A feed is a scope whose counts serve one or more rules.

use std::time::Duration;

use crate::rules::Delays;
use crate::rules::load::{RuleLoadError, Windows};

/// The maximum time to count the posts of a scope without rollups.
pub const READ_LIMIT: Duration = Duration::from_secs(10);

/// The counts of a feed, which is a scope whose counts serve one or more rules.
#[derive(Default)]
pub struct Feed {
    /// The counts of the posts in each window.
    pub windows: Windows,
    /// How late the posts of the feed arrive.
    pub delays: Delays,
}

/// Why the posts of a feed could not be counted.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    #[error(transparent)]
    Load(#[from] RuleLoadError),
    #[error("counting the posts took longer than {} s: choose a narrower scope or a shorter window", READ_LIMIT.as_secs())]
    Slow,
}

pub type CountResult = Result<Feed, CountError>;
