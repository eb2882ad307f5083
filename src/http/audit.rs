//! The security log: denied requests, sign-ins, and changes except appended posts, in the log and in the database.

pub mod denials;
pub mod list;
pub mod watched;

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::lifecycle::Shutdown;
use crate::store::security::SecurityEvent;
use crate::store::{Store, StoreError};

use super::options::Adjustable;

use denials::Denials;
use watched::Verdict;

/// The maximum number of events that wait to be stored; further events are only logged.
const QUEUE: usize = 1_024;
/// The maximum number of events that one transaction stores.
const BATCH: usize = 100;
/// The wait before a failed write of events is retried.
const RETRY: Duration = Duration::from_secs(5);
/// The interval at which old events are deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// Records the security events of requests.
pub struct SecurityLog {
    queue: mpsc::Sender<SecurityEvent>,
    denials: Denials,
}

impl SecurityLog {
    /// A log, and the receiver of its events for [`store`].
    pub fn new() -> (Self, mpsc::Receiver<SecurityEvent>) {
        let (queue, events) = mpsc::channel(QUEUE);
        (Self { queue, denials: Denials::default() }, events)
    }

    /// The limits of recorded denials.
    pub fn denials(&self) -> &Denials {
        &self.denials
    }

    /// Logs an event and queues it for [`store`].
    pub fn record(&self, event: SecurityEvent) {
        let SecurityEvent { actor, address, action, target: path, outcome, status, request_id, .. } = &event;
        let address = address.as_deref().unwrap_or_default();
        if outcome == Verdict::Denied.as_str() {
            tracing::warn!(target: "sentistream::security", actor, address, action, path, status, request_id, "request denied");
        } else if outcome == Verdict::Unknown.as_str() {
            tracing::warn!(target: "sentistream::security", actor, address, action, path, status, request_id, "request ended with unknown outcome");
        } else {
            tracing::info!(target: "sentistream::security", actor, address, action, path, status, request_id, "request allowed");
        }
        if self.queue.try_send(event).is_err() {
            metrics::counter!("sentistream_security_events_dropped_total").increment(1);
        }
    }
}

/// Where [`store`] stores the events, and for how long they are kept.
pub struct Archive {
    /// The store.
    pub store: Store,
    /// Events are deleted after this time. A retention time in `adjustable` replaces it.
    pub retention: Duration,
    /// As [`super::HttpOptions::adjustable`]. Nothing is deleted until the retention is known.
    pub adjustable: Option<watch::Receiver<Option<Adjustable>>>,
    /// The clock of the process.
    pub clock: crate::clock::Clock,
}

impl Archive {
    /// Deletes events that are older than the retention.
    async fn prune(&self) {
        let retention = match &self.adjustable {
            None => Some(self.retention),
            Some(adjustable) => adjustable.borrow().map(|options| options.audit_retention),
        };
        if let Some(retention) = retention
            && let Err(error) = self.store.prune_security(self.clock.now() - retention).await
        {
            tracing::debug!(%error, "cannot delete old audit events");
        }
    }

    /// Waits for a change of the retention.
    async fn adjusted(changes: &mut Option<watch::Receiver<Option<Adjustable>>>) {
        if let Some(adjustable) = changes
            && adjustable.changed().await.is_ok()
        {
            return;
        }
        // There is no sender, or the sender is gone, so the retention does not change.
        std::future::pending::<()>().await;
    }
}

/// Stores the events and deletes old events until `shutdown`, which the caller triggers after the last request. The
/// events that are not stored by then are written once more; they are lost if the database is still unavailable.
pub async fn store(mut events: mpsc::Receiver<SecurityEvent>, archive: Archive, shutdown: Shutdown) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut prune = tokio::time::interval(PRUNE_EVERY);
    let mut changes = archive.adjustable.clone();
    'running: loop {
        tokio::select! {
            () = shutdown.stopping() => break,
            _ = prune.tick() => {
                archive.prune().await;
                continue;
            }
            () = Archive::adjusted(&mut changes) => {
                archive.prune().await;
                continue;
            }
            received = events.recv_many(&mut batch, BATCH) => if received == 0 { break },
        }
        while let Err(error) = record(&archive.store, &mut batch).await {
            tracing::warn!(%error, events = batch.len(), "cannot store audit events, will retry");
            if !shutdown.sleep(RETRY).await {
                break 'running;
            }
        }
    }
    while let Ok(event) = events.try_recv() {
        batch.push(event);
    }
    if !batch.is_empty()
        && let Err(error) = record(&archive.store, &mut batch).await
    {
        metrics::counter!("sentistream_security_events_dropped_total").increment(batch.len() as u64);
        tracing::warn!(%error, events = batch.len(), "cannot store audit events at shutdown, they are lost");
    }
}

/// Stores the events of `batch` and removes them from it. If the database refuses the batch permanently, each event is
/// stored in its own transaction and refused events are dropped, so that one event cannot block the others.
///
/// # Errors
/// When the database is unavailable. `batch` then contains the events that were not stored.
async fn record(store: &Store, batch: &mut Vec<SecurityEvent>) -> Result<(), StoreError> {
    match store.record_security(batch).await {
        Ok(()) => {
            batch.clear();
            return Ok(());
        }
        Err(error) if error.is_transient() => return Err(error),
        Err(_) => {}
    }
    while let Some(event) = batch.first() {
        match store.record_security(std::slice::from_ref(event)).await {
            Ok(()) => {}
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                metrics::counter!("sentistream_security_events_dropped_total").increment(1);
                let request_id = &event.request_id;
                tracing::error!(%error, request_id, "audit event dropped: the database refuses it permanently");
            }
        }
        batch.remove(0);
    }
    Ok(())
}
