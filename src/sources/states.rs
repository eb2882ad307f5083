//! What each source of this process is doing, for health, `/api/sources` and the dashboard.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::domain::Timestamp;

/// What a source is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceActivity {
    /// It has not yielded anything yet.
    #[default]
    Starting,
    /// It yields posts, or waits until the next is due.
    Connected,
    /// It or a backend is away, or the stream is full: it goes on by itself.
    Waiting,
    /// It stopped for good and needs a person.
    Failed,
    /// It came to its end.
    Finished,
}

impl SourceActivity {
    /// Whether it does its work, or has done it.
    pub fn is_healthy(self) -> bool {
        !matches!(self, Self::Waiting | Self::Failed)
    }

    /// The name used in the API and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Connected => "connected",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Finished => "finished",
        }
    }
}

/// One source of this process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SourceState {
    /// Its name in the config.
    pub name: String,
    /// What it is doing.
    pub state: SourceActivity,
    /// Posts (and deletions) it put into the stream since this process started.
    pub posts: u64,
    /// Items that were no valid posts.
    pub rejected: u64,
    /// When the last of its posts went into the stream.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_post: Option<Timestamp>,
    /// Why it waits or failed, or waited last.
    pub last_error: Option<String>,
}

/// The state of every source of this process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SourceStates(Arc<Mutex<BTreeMap<String, SourceState>>>);

impl SourceStates {
    /// Every source, by name.
    pub fn all(&self) -> Vec<SourceState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Changes the state of the source `name`, which begins as [`SourceActivity::Starting`]; what `change` gives.
    pub fn update<T>(&self, name: &str, change: impl FnOnce(&mut SourceState) -> T) -> T {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states
            .entry(name.to_owned())
            .or_insert_with(|| SourceState { name: name.to_owned(), ..SourceState::default() });
        change(state)
    }
}
