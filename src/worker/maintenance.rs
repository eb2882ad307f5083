//! Trims the stream, prunes tables, and adds stored posts to the text index.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::context::Worker;
use crate::domain::EntryKey;
use crate::lifecycle::{BackendWait, Shutdown};

const EVERY: Duration = Duration::from_secs(10);
/// The time without a request after which a consumer without claims is removed.
const CONSUMER_GONE: Duration = Duration::from_secs(600);

/// How long the ids of settled entries are kept after the stream was trimmed. A worker that was suspended may still
/// process an entry that another worker has taken over and settled. Without the id of this entry, the entry would be
/// counted twice.
const IDS_KEPT: Duration = Duration::from_secs(600);

/// Maintains the stream and the tables until a shutdown. Several instances may run the maintenance concurrently. The
/// tasks are independent, because pruning may take long after a change of the retention, and indexing may take long
/// after an upgrade.
pub async fn run(worker: Worker, shutdown: Shutdown) {
    let (needed, trimmed) = watch::channel(Needed::default());
    tokio::join!(trim(&worker, needed, &shutdown), prune(&worker, trimmed, &shutdown), index(&worker, &shutdown));
}

/// For each recent trim, its time and the first entry that was still needed; oldest first.
#[derive(Default)]
struct Trims(VecDeque<(Instant, EntryKey)>);

impl Trims {
    fn add(&mut self, now: Instant, needed: EntryKey) {
        self.0.push_back((now, needed));
    }

    /// Removes the trims that are at least [`IDS_KEPT`] old. Returns the entry of the newest of these trims.
    fn ended(&mut self, now: Instant) -> Option<EntryKey> {
        let mut newest = None;
        while let Some((_, needed)) = self.0.pop_front_if(|(at, _)| now.duration_since(*at) >= IDS_KEPT) {
            newest = Some(needed);
        }
        newest
    }
}

/// The first entry of the stream that is still needed, at two times.
#[derive(Clone, Default)]
struct Needed {
    /// The first entry that was needed at the last trim.
    now: Option<EntryKey>,
    /// The first entry that was needed at the newest trim that is at least [`IDS_KEPT`] old.
    before: Option<EntryKey>,
}

/// Trims the stream at intervals. After each trim, sends the first entry that is still needed to the pruning task.
async fn trim(worker: &Worker, needed: watch::Sender<Needed>, shutdown: &Shutdown) {
    let mut backend = BackendWait::new("stream maintenance");
    let mut trims = Trims::default();
    while pause(shutdown).await {
        let trimmed = async {
            let first = worker.stream.trim().await?;
            if let Some(first) = first.clone() {
                trims.add(Instant::now(), first);
            }
            let ended = trims.ended(Instant::now());
            needed.send_modify(|needed| {
                needed.now = first;
                needed.before = ended.or(needed.before.take());
            });
            worker.stream.forget_consumers(CONSUMER_GONE).await
        };
        match trimmed.await {
            Ok(_) => backend.succeeded(),
            Err(error) => backend.wait(&error, shutdown).await,
        }
    }
}

async fn prune(worker: &Worker, trimmed: watch::Receiver<Needed>, shutdown: &Shutdown) {
    let mut backend = BackendWait::new("store maintenance");
    while pause(shutdown).await {
        let needed = trimmed.borrow().clone();
        let pruned = async {
            worker.store.prune(needed.now, shutdown.stop_token()).await?;
            match &needed.before {
                Some(before) => worker.store.prune_entries(before, shutdown.stop_token()).await,
                None => Ok(()),
            }
        };
        match pruned.await {
            Ok(()) => backend.succeeded(),
            Err(error) => backend.wait(&error, shutdown).await,
        }
    }
}

async fn index(worker: &Worker, shutdown: &Shutdown) {
    let mut backend = BackendWait::new("text index");
    while pause(shutdown).await {
        match worker.store.index_missing(shutdown.stop_token()).await {
            Ok(0) => backend.succeeded(),
            Ok(posts) => {
                backend.succeeded();
                tracing::info!(posts, "stored posts added to the text index");
            }
            Err(error) => backend.wait(&error, shutdown).await,
        }
    }
}

async fn pause(shutdown: &Shutdown) -> bool {
    shutdown.sleep(EVERY.mul_f64(rand::random_range(0.8..=1.2))).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::EntryId;

    #[test]
    fn ids_of_settled_entries_are_kept_after_a_trim() {
        let start = Instant::now();
        let entry = |ms| EntryKey { epoch: "e".into(), id: EntryId { ms, seq: 0 } };
        let mut trims = Trims::default();
        trims.add(start, entry(1));
        trims.add(start + Duration::from_secs(10), entry(2));
        trims.add(start + Duration::from_secs(20), entry(3));

        assert_eq!(trims.ended(start + IDS_KEPT - Duration::from_secs(1)), None);
        assert_eq!(trims.ended(start + IDS_KEPT + Duration::from_secs(15)), Some(entry(2)));
        assert_eq!(trims.ended(start + IDS_KEPT + Duration::from_secs(15)), None);
        assert_eq!(trims.ended(start + IDS_KEPT + Duration::from_secs(20)), Some(entry(3)));
    }
}
