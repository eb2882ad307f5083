//! Windows that contain the history of a source raise no alerts.

use crate::domain::alert::Scope;
use crate::domain::managed_source::HISTORY_SUFFIX;
use crate::domain::{TimeRange, Timestamp};
use crate::rules::Group;
use crate::sources::history::Progress;
use crate::store::{Store, StoreError};

/// The histories of the sources that have one.
#[derive(Debug, Default)]
pub struct Histories(Vec<Past>);

#[derive(Debug)]
struct Past {
    /// The source of its posts.
    source: String,
    /// Its posts were written before this time.
    until: Timestamp,
}

impl Histories {
    /// Reads how far the histories are.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn read(store: &Store) -> Result<Self, StoreError> {
        let cursors = store.cursors_of(HISTORY_SUFFIX).await?;
        let past = |cursor: String| Progress::read(&cursor).map(|read| Past { source: read.source, until: read.began });
        Ok(Self(cursors.into_values().filter_map(past).collect()))
    }

    /// Whether the posts of `window` in this series may be part of a history.
    pub fn reach(&self, window: TimeRange, (scope, group): (&Scope, &Group)) -> bool {
        let source = match scope {
            Scope::Source(source) => Some(source.as_str()),
            _ => group.source.as_deref(),
        };
        self.0.iter().any(|past| window.start() < past.until && source.is_none_or(|source| source == past.source))
    }
}
