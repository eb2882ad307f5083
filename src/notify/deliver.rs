//! The outbox at work: messages out, answers noted.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::follow::Setup;
use super::receivers::{Outcome, Tools, Trouble, sender};
use super::retry::{Failed, RetryOptions};
use super::{NotifyOptions, NotifyRooms};
use crate::clock::Clock;
use crate::domain::notify::{Attempt, Delivery};
use crate::store::notify::{AttemptRecord, Next};
use crate::store::{Lease, Store, StoreError};

/// Most messages under way at once, and most to one receiver, so that one that hangs leaves room for others.
const UNDER_WAY: usize = 16;
const TO_ONE_RECEIVER: usize = 4;
/// Most deliveries that are looked at in a step.
const STEP: i64 = 100;

/// Messages under way.
pub struct Deliveries {
    store: Store,
    clock: Clock,
    tools: Tools,
    retry: RetryOptions,
    sending: JoinSet<AttemptRecord>,
    /// The receivers of deliveries that are sent, or were and are not noted yet, by id.
    taken: BTreeMap<i64, String>,
    /// What is to be noted.
    done: Vec<AttemptRecord>,
}

impl Deliveries {
    /// None yet.
    pub fn new(rooms: &NotifyRooms, options: &NotifyOptions) -> anyhow::Result<Self> {
        Ok(Self {
            store: rooms.store.clone(),
            clock: rooms.clock.clone(),
            tools: Tools::new(rooms, options)?,
            retry: options.retry.clone(),
            sending: JoinSet::new(),
            taken: BTreeMap::new(),
            done: Vec::new(),
        })
    }

    /// Ends when a message that was under way has its answer; never without one.
    pub async fn finished(&mut self) {
        match self.sending.join_next().await {
            Some(Ok(record)) => self.done.push(record),
            // One that panicked is tried again under the next lease.
            Some(Err(error)) => tracing::error!(%error, "a delivery failed badly"),
            None => std::future::pending().await,
        }
    }

    /// Notes what came of messages; those that are due.
    ///
    /// # Errors
    /// When the store does not answer, or another instance took over.
    pub async fn due(&mut self, lease: &Lease) -> Result<Vec<Delivery>, StoreError> {
        self.note(lease).await?;
        if self.taken.len() >= UNDER_WAY { Ok(Vec::new()) } else { self.store.due_deliveries(STEP).await }
    }

    /// Sends messages that are `due`, as far as there is room. `setup` is newer than they are, so that it knows their receivers.
    pub fn start(&mut self, due: Vec<Delivery>, setup: &Setup) {
        for delivery in due {
            let to_this = self.taken.values().filter(|receiver| **receiver == delivery.receiver).count();
            if self.taken.contains_key(&delivery.id) || to_this >= TO_ONE_RECEIVER {
                continue;
            }
            if self.taken.len() >= UNDER_WAY {
                break;
            }
            self.taken.insert(delivery.id, delivery.receiver.clone());
            self.send(delivery, setup);
        }
    }

    async fn note(&mut self, lease: &Lease) -> Result<(), StoreError> {
        while let Some(finished) = self.sending.try_join_next() {
            match finished {
                Ok(record) => self.done.push(record),
                Err(error) => tracing::error!(%error, "a delivery failed badly"),
            }
        }
        while let Some(record) = self.done.last() {
            self.store.record_attempt(lease, record).await?;
            self.taken.remove(&record.delivery_id);
            self.done.pop();
        }
        Ok(())
    }

    fn send(&mut self, delivery: Delivery, setup: &Setup) {
        let found = setup.receivers.get(&delivery.receiver);
        let (kind, sender) = match found {
            Some((receiver, secrets)) => (receiver.channel.kind(), sender(receiver, secrets, &self.tools)),
            None => ("unknown", Err(format!("there is no receiver {:?} any more", delivery.receiver))),
        };
        let (clock, retry) = (self.clock.clone(), self.retry.clone());
        self.sending.spawn(async move {
            let (at, started) = (clock.now(), Instant::now());
            let outcome = match sender {
                Ok(sender) => sender.send(&delivery).await,
                Err(error) => Outcome::refused(error),
            };
            record(&delivery, outcome, &Sent { kind, at, elapsed: started.elapsed(), retry })
        });
    }

    /// Waits for what is under way, and notes it.
    pub async fn settle(&mut self, lease: &Lease) {
        while let Some(finished) = self.sending.join_next().await {
            self.done.extend(finished.ok());
        }
        if let Err(error) = self.note(lease).await {
            tracing::warn!(%error, "messages that were sent could not be noted: they are sent again");
        }
    }

    /// Leaves what is under way to another instance.
    pub fn forget(&mut self) {
        self.sending = JoinSet::new();
        self.taken.clear();
        self.done.clear();
    }
}

struct Sent {
    kind: &'static str,
    at: crate::domain::Timestamp,
    elapsed: Duration,
    retry: RetryOptions,
}

fn record(delivery: &Delivery, outcome: Outcome, sent: &Sent) -> AttemptRecord {
    let (id, receiver, attempts) = (delivery.id, &delivery.receiver, delivery.attempts.unsigned_abs() + 1);
    let (next, error) = match outcome.result {
        Ok(()) => (Next::Delivered, None),
        Err(Trouble::Never(error)) => (Next::Failed, Some(error)),
        Err(Trouble::Again { error, after }) => {
            let failed =
                Failed { attempts, created_at: delivery.created_at, now: sent.at + sent.elapsed, asked: after };
            (sent.retry.again(&failed, rand::random()).map_or(Next::Failed, Next::Again), Some(error))
        }
    };
    let word = match next {
        Next::Delivered => "delivered",
        Next::Again(_) => "again",
        Next::Failed => "failed",
    };
    metrics::counter!("sentistream_notifications_total", "kind" => sent.kind, "outcome" => word).increment(1);
    match (next, &error) {
        (Next::Failed, Some(error)) => tracing::warn!(id, receiver, attempts, error, "a message is given up"),
        (Next::Again(at), Some(error)) => {
            tracing::debug!(id, receiver, attempts, %at, error, "a message is tried again");
        }
        _ => tracing::debug!(id, receiver, attempts, "a message is delivered"),
    }
    let elapsed_ms = i64::try_from(sent.elapsed.as_millis()).unwrap_or(i64::MAX);
    let attempt = Attempt { at: sent.at, elapsed_ms, status: outcome.status, answer: outcome.answer, error };
    AttemptRecord { delivery_id: id, attempt, next }
}
