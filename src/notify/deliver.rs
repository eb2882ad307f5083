//! Sends the messages of the outbox and records the outcomes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::receivers::{DeliveryError, Outcome, ReceiverError, Tools, sender};
use super::retry::{Failed, RetryOptions};
use super::setup::Setup;
use super::{NotifyOptions, NotifyServices};
use crate::clock::Clock;
use crate::domain::notify::{Attempt, Delivery};
use crate::store::notify::{AttemptRecord, Next};
use crate::store::{Lease, Store, StoreError};

/// The maximum number of concurrent deliveries.
const IN_FLIGHT: usize = 64;
/// The maximum number of concurrent deliveries to one receiver, so that a receiver that does not respond does not block
/// the others.
const PER_RECEIVER: usize = 4;

/// The deliveries in flight.
pub struct Deliveries {
    store: Store,
    clock: Clock,
    tools: Tools,
    retry: RetryOptions,
    sending: JoinSet<AttemptRecord>,
    /// The deliveries that are being sent or whose outcomes are not recorded yet: the name of the receiver by delivery
    /// id.
    in_flight: BTreeMap<i64, String>,
    /// The outcomes that are not recorded yet.
    done: Vec<AttemptRecord>,
}

impl Deliveries {
    /// Creates the state without deliveries in flight.
    ///
    /// # Errors
    /// When the SMTP settings are invalid.
    pub fn new(services: &NotifyServices, options: &NotifyOptions) -> anyhow::Result<Self> {
        Ok(Self {
            store: services.store.clone(),
            clock: services.clock.clone(),
            tools: Tools::new(services, options)?,
            retry: options.retry.clone(),
            sending: JoinSet::new(),
            in_flight: BTreeMap::new(),
            done: Vec::new(),
        })
    }

    /// Waits until the outcome of a delivery is known. Without deliveries in flight it waits forever.
    pub async fn finished(&mut self) {
        match self.sending.join_next().await {
            Some(Ok(record)) => self.done.push(record),
            // If the task of a delivery panics, the next leader sends the message again.
            Some(Err(error)) => tracing::error!(%error, "delivery task failed"),
            None => std::future::pending().await,
        }
    }

    /// Records the outcomes, and reads the due deliveries of receivers that are below their limit.
    ///
    /// # Errors
    /// When the store fails, or another instance has the lease.
    pub async fn due(&mut self, lease: &Lease) -> Result<Vec<Delivery>, StoreError> {
        self.record(lease).await?;
        if self.in_flight.len() >= IN_FLIGHT {
            return Ok(Vec::new());
        }
        let busy = self.per_receiver();
        let saturated = |(receiver, count): (&str, usize)| (count >= PER_RECEIVER).then(|| receiver.to_owned());
        let saturated: BTreeSet<String> = busy.into_iter().filter_map(saturated).collect();
        // Some of the deliveries that are read may already be in flight, so twice the limit per receiver is read.
        self.store.due_deliveries(2 * PER_RECEIVER as i64, &saturated).await
    }

    /// Starts to send the `due` deliveries, up to the limits. `setup` must be read after `due`, so that it contains the
    /// receivers.
    pub fn start(&mut self, due: Vec<Delivery>, setup: &Setup) {
        for delivery in due {
            let to_receiver = self.in_flight.values().filter(|receiver| **receiver == delivery.receiver).count();
            if self.in_flight.contains_key(&delivery.id) || to_receiver >= PER_RECEIVER {
                continue;
            }
            if self.in_flight.len() >= IN_FLIGHT {
                break;
            }
            self.in_flight.insert(delivery.id, delivery.receiver.clone());
            self.send(delivery, setup);
        }
    }

    fn per_receiver(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for receiver in self.in_flight.values() {
            *counts.entry(receiver.as_str()).or_default() += 1;
        }
        counts
    }

    async fn record(&mut self, lease: &Lease) -> Result<(), StoreError> {
        while let Some(finished) = self.sending.try_join_next() {
            match finished {
                Ok(record) => self.done.push(record),
                Err(error) => tracing::error!(%error, "delivery task failed"),
            }
        }
        while let Some(record) = self.done.last() {
            self.store.record_attempt(lease, record).await?;
            self.in_flight.remove(&record.delivery_id);
            self.done.pop();
        }
        Ok(())
    }

    fn send(&mut self, delivery: Delivery, setup: &Setup) {
        let found = setup.receivers.get(&delivery.receiver);
        let kind = found.map_or("unknown", |found| found.receiver.channel.kind());
        let sender = found.ok_or(ReceiverError::Unknown).and_then(|found| sender(found, &self.tools));
        let (clock, retry) = (self.clock.clone(), self.retry.clone());
        self.sending.spawn(async move {
            let (at, started) = (clock.now(), Instant::now());
            let outcome = match sender {
                Ok(sender) => sender.send(&delivery).await,
                Err(error) => Outcome::rejected(error.to_string()),
            };
            record(&delivery, outcome, &Sent { kind, at, elapsed: started.elapsed(), retry })
        });
    }

    /// Waits for the deliveries in flight, and records their outcomes.
    pub async fn settle(&mut self, lease: &Lease) {
        while let Some(finished) = self.sending.join_next().await {
            self.done.extend(finished.ok());
        }
        if let Err(error) = self.record(lease).await {
            tracing::warn!(%error, "delivery outcomes not recorded: the messages will be sent again");
        }
    }

    /// Cancels the deliveries in flight. The leader sends these messages again.
    pub fn abandon(&mut self) {
        self.sending = JoinSet::new();
        self.in_flight.clear();
        self.done.clear();
    }
}

/// One attempt to send a message: the kind of receiver, the start, the duration, and the settings of retries.
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
        Err(DeliveryError::Permanent(error)) => (Next::Failed, Some(error)),
        Err(DeliveryError::Transient { error, after }) => {
            let now = sent.at + sent.elapsed;
            let failed = Failed { attempts, created_at: delivery.created_at, now, asked: after };
            (sent.retry.next(&failed, rand::random()).map_or(Next::Failed, Next::RetryAt), Some(error))
        }
    };
    let label = match next {
        Next::Delivered => "delivered",
        Next::RetryAt(_) => "again",
        Next::Failed => "failed",
    };
    metrics::counter!("sentistream_notifications_total", "kind" => sent.kind, "outcome" => label).increment(1);
    let elapsed_ms = i64::try_from(sent.elapsed.as_millis()).unwrap_or(i64::MAX);
    match (next, &error) {
        (Next::Failed, Some(error)) => tracing::warn!(id, receiver, attempts, elapsed_ms, error, "delivery failed"),
        (Next::RetryAt(at), Some(error)) => {
            tracing::debug!(id, receiver, attempts, elapsed_ms, %at, error, "delivery retry scheduled");
        }
        _ => tracing::debug!(id, receiver, attempts, elapsed_ms, "delivery succeeded"),
    }
    let attempt = Attempt { at: sent.at, elapsed_ms, status: outcome.status, answer: outcome.answer, error };
    AttemptRecord { delivery_id: id, attempt, next }
}
