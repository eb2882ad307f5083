//! Prevents alerts about old posts that a source imports as its history.

use crate::domain::alert::Scope;
use crate::domain::managed_source::HISTORY_SUFFIX;
use crate::domain::{TimeRange, Timestamp};
use crate::rules::Group;
use crate::sources::history::Progress;
use crate::store::{Store, StoreError};

/// The history imports of all sources. A history is the posts from before a source was added.
#[derive(Debug, Default)]
pub struct Histories(Vec<Past>);

#[derive(Debug)]
struct Past {
    /// The source of the imported posts.
    source: String,
    /// When the import began, or when a place such as a feed or tag was last added to it. No imported post is newer.
    until: Timestamp,
}

impl Histories {
    /// Reads the history imports from the store.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn read(store: &Store) -> Result<Self, StoreError> {
        let cursors = store.cursors_of(HISTORY_SUFFIX).await?;
        let past = |cursor: String| Progress::read(&cursor).map(|read| Past { source: read.source, until: read.began });
        Ok(Self(cursors.into_values().filter_map(past).collect()))
    }

    /// Whether `window` may contain imported posts of this series.
    pub fn reach(&self, window: TimeRange, (scope, group): (&Scope, &Group)) -> bool {
        let source = match scope {
            Scope::Source(source) => Some(source.as_str()),
            _ => group.source.as_deref(),
        };
        self.0.iter().any(|past| window.start() < past.until && source.is_none_or(|source| source == past.source))
    }
}
