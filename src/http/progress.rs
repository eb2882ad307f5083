//! Checks in the background whether entries are processed and writes succeed, for the health report. An entry is
//! settled when its outcome is stored, such as an analysis or a dead letter.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::stream::{Depth, Memory, StreamError};

use super::Api;
use super::check::within;

/// Processing has stalled if entries wait and none was settled for this long.
const STALLED_AFTER: Duration = Duration::from_secs(30);
/// The name of the lease that the check of writes renews. Nothing else uses the lease.
const PROBE: &str = "health";
const PROBE_TTL: Duration = Duration::from_secs(1);

/// The results of the last checks.
#[derive(Default)]
pub struct Progress(Mutex<Observed>);

#[derive(Default)]
struct Observed {
    /// Why writes to the database fail.
    writes: Option<String>,
    /// Why the depth of the stream could not be read.
    stream: Option<String>,
    memory: Option<Memory>,
    waiting: Option<Waiting>,
}

/// The waiting entries, and the time since which no entry was settled.
struct Waiting {
    epoch: Arc<str>,
    settled: u64,
    entries: u64,
    since: Instant,
}

/// A problem that the health report shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Reads from the database succeed, writes fail.
    Writes(String),
    /// The stream responds to pings, but other commands fail.
    Stream(String),
    /// Redis is short of memory and refuses appends.
    Memory(Memory),
    /// Entries wait, and no entry is settled.
    Stalled {
        /// The number of entries that are not settled.
        entries: u64,
        /// The seconds since an entry was last settled, or since the first check that found the entries waiting.
        seconds: u64,
    },
}

impl Problem {
    /// What is wrong, without causes and numbers, for clients without a token.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::Writes(_) => "database: writes fail",
            Self::Stream(_) => "stream: commands fail",
            Self::Memory(_) => "stream: out of memory",
            Self::Stalled { .. } => "processing: stalled",
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Writes(error) => write!(f, "database: writes fail: {error}"),
            Self::Stream(error) => write!(f, "stream: {error}"),
            Self::Memory(Memory { used, max, .. }) => {
                write!(f, "stream: Redis uses {used} of {max} bytes (maxmemory) and refuses new posts")
            }
            Self::Stalled { entries, seconds } => {
                write!(f, "processing: {entries} entries wait, and no entry was processed for {seconds} s")
            }
        }
    }
}

impl Progress {
    /// Runs the checks once: renews a lease in the database, and reads the depth of the stream. Returns the depth, if
    /// it was read.
    pub async fn observe(&self, api: &Api, limit: Duration) -> Option<Depth> {
        let (store, stream, books) = (api.store.clone(), api.stream.clone(), api.store.clone());
        let (write, numbers) = tokio::join!(
            within(limit, async move { store.acquire_lease(PROBE, PROBE, PROBE_TTL).await }),
            within(limit, async move {
                let depth = stream.depth().await?;
                let settled = books.outcomes(&depth.epoch).await.map(|books| books.settled()).ok();
                Ok::<_, StreamError>((depth, settled))
            }),
        );
        let mut observed = self.lock();
        observed.writes = write.err().map(|error| error.to_string());
        match numbers {
            Ok((depth, settled)) => {
                observed.stream = None;
                observed.memory = depth.memory;
                if let Some(settled) = settled {
                    observed.count(&depth, settled + depth.dead_lettered);
                }
                Some(depth)
            }
            Err(error) => {
                observed.stream = Some(error.to_string());
                None
            }
        }
    }

    /// The problems that the last checks found.
    pub fn problems(&self) -> Vec<Problem> {
        let observed = self.lock();
        let memory = observed.memory.filter(Memory::is_full).map(Problem::Memory);
        let stalled = observed.waiting.as_ref().filter(|waiting| waiting.since.elapsed() >= STALLED_AFTER);
        let stalled = stalled
            .map(|waiting| Problem::Stalled { entries: waiting.entries, seconds: waiting.since.elapsed().as_secs() });
        let writes = observed.writes.clone().map(Problem::Writes);
        let stream = observed.stream.clone().map(Problem::Stream);
        [writes, stream, memory, stalled].into_iter().flatten().collect()
    }

    /// A poisoned lock is usable: code under the lock only assigns fields and does not panic.
    fn lock(&self) -> MutexGuard<'_, Observed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observed {
    fn count(&mut self, depth: &Depth, settled: u64) {
        let entries = depth.pending();
        match &mut self.waiting {
            _ if entries == 0 => self.waiting = None,
            Some(waiting) if waiting.epoch == depth.epoch && waiting.settled == settled => waiting.entries = entries,
            waiting => {
                *waiting = Some(Waiting { epoch: depth.epoch.clone(), settled, entries, since: Instant::now() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(lag: u64) -> Depth {
        Depth {
            epoch: "e".into(),
            appended: 10,
            lag,
            is_estimate: false,
            memory: None,
            claimed: 0,
            dead_lettered: 0,
            dead_letters: 0,
            oldest_unsettled: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn processing_is_stalled_if_waiting_entries_get_no_outcome() {
        let progress = Progress::default();
        progress.lock().count(&depth(3), 7);
        tokio::time::advance(STALLED_AFTER).await;
        assert_eq!(progress.problems(), [Problem::Stalled { entries: 3, seconds: 30 }]);
        progress.lock().count(&depth(2), 8);
        assert!(progress.problems().is_empty());
        tokio::time::advance(STALLED_AFTER).await;
        progress.lock().count(&depth(0), 8);
        assert!(progress.problems().is_empty());
    }
}
