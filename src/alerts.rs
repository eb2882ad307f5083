//! The alerts role: looks at sliding windows of posts and keeps the alerts that follow from the rules.
//!
//! Several instances may hold the role; the one that holds a lease acts. The store checks the lease
//! in each transaction that changes alerts, so that an instance which was suspended and wakes up
//! late changes nothing. A state and its transition are written in one such transaction: whoever takes
//! over, after a restart too, goes on from what is stored, so that none is lost or written twice. What
//! must be true of a window is decided in [`crate::rules`], apart from all I/O.

mod dues;
mod evidence;
#[cfg(test)]
mod tests;
mod tick;

use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;

pub use self::tick::{Memory, TickError, tick};
use crate::clock::Clock;
use crate::domain::alert::RuleSpec;
use crate::lifecycle::{Backoff, Shutdown};
use crate::live::LiveBus;
use crate::store::{Lease, Store, StoreError};
use crate::stream::Stream;

/// The lease that the acting instance holds.
pub const LEASE: &str = "alerts";
/// The longest giving the lease back may take.
const RELEASE: Duration = Duration::from_secs(2);

/// What the role joins.
#[derive(Clone)]
pub struct AlertsRooms {
    /// Where counts come from and alerts are kept.
    pub store: Store,
    /// How far the workers are behind.
    pub stream: Stream,
    /// Who is told.
    pub live: LiveBus,
    pub clock: Clock,
}

/// What to watch, and how often.
#[derive(Clone, Debug)]
pub struct AlertsOptions {
    /// Between two looks at the rules that are due.
    pub interval: Duration,
    /// How long at most a window waits for posts that are not analysed yet.
    pub max_lateness: Duration,
    /// The rules of the configuration, which are kept beside those that people make.
    pub rules: Vec<RuleSpec>,
    /// This instance's name, different from that of every other.
    pub holder: String,
    /// After this much silence of the acting instance another takes over.
    pub lease_ttl: Duration,
}

/// Keeps alerts until a shutdown.
///
/// # Errors
/// When the store or the stream fails in a way that trying again will not help.
pub async fn run(rooms: AlertsRooms, options: AlertsOptions, shutdown: Shutdown) -> anyhow::Result<()> {
    metrics::describe_gauge!("sentistream_alerts_leader", "1 while this instance is the one that keeps alerts");
    metrics::describe_counter!("sentistream_alerts_opened_total", "Alerts that this instance opened, by severity");
    metrics::describe_counter!("sentistream_alert_evaluations_total", "Alert rules that this instance evaluated");
    metrics::describe_histogram!(
        "sentistream_alert_evaluation_seconds",
        metrics::Unit::Seconds,
        "The time to evaluate all rules that were due at once"
    );
    let mut watch = Watch::new(rooms, options);
    let mut due = Instant::now();
    while !shutdown.is_stopping() {
        let wait = watch.step(&mut due).await.context("alerts cannot be kept")?;
        if !shutdown.sleep(wait).await {
            break;
        }
    }
    watch.resign().await;
    Ok(())
}

struct Watch {
    rooms: AlertsRooms,
    options: AlertsOptions,
    lease: Option<Lease>,
    memory: Memory,
    /// Whether the rules of the configuration are kept, since this instance acts.
    provisioned: bool,
    backoff: Backoff,
    /// Between two renewals of the lease, or two attempts to get it.
    beat: Duration,
}

impl Watch {
    fn new(rooms: AlertsRooms, options: AlertsOptions) -> Self {
        let beat = (options.lease_ttl / 3).min(options.interval);
        let backoff = Backoff::new(Duration::from_millis(500).min(options.interval), options.interval);
        Self { rooms, options, lease: None, memory: Memory::default(), provisioned: false, backoff, beat }
    }

    /// Renews the lease, and looks at the rules if it holds and a look is `due`; how long to wait then.
    async fn step(&mut self, due: &mut Instant) -> Result<Duration, TickError> {
        match self.act(due).await {
            Ok(()) => {
                if self.backoff.recovered().is_some() {
                    tracing::info!("alerts are kept again");
                }
                Ok(self.beat)
            }
            Err(TickError::Store(StoreError::LeaseLost(_))) => {
                self.follow(None);
                Ok(self.beat)
            }
            Err(error) if error.is_transient() => {
                // The lease may run out meanwhile, and another instance that does reach the backends takes over.
                if self.backoff.enter("away") {
                    tracing::warn!(%error, "alerts are not kept for now; trying again");
                }
                Ok(self.backoff.next_wait())
            }
            Err(error) => Err(error),
        }
    }

    async fn act(&mut self, due: &mut Instant) -> Result<(), TickError> {
        let (holder, ttl) = (&self.options.holder, self.options.lease_ttl);
        let lease = self.rooms.store.acquire_lease(LEASE, holder, ttl).await?;
        self.follow(lease);
        if let Some(lease) = &self.lease
            && *due <= Instant::now()
        {
            if !self.provisioned {
                provision(&self.rooms.store, &self.options.rules).await?;
                self.provisioned = true;
            }
            // The futures of evidence are large.
            Box::pin(tick(&self.rooms, &self.options, lease, &mut self.memory)).await?;
            // From now on rather than from when it was due: a slow store is not asked more often for it.
            *due = Instant::now() + self.options.interval;
        }
        Ok(())
    }

    fn follow(&mut self, lease: Option<Lease>) {
        match (&self.lease, &lease) {
            (None, Some(_)) => tracing::info!("this instance keeps alerts"),
            (Some(_), None) => tracing::info!("another instance keeps alerts"),
            _ => {}
        }
        self.provisioned &= lease.is_some();
        metrics::gauge!("sentistream_alerts_leader").set(if lease.is_some() { 1.0 } else { 0.0 });
        self.lease = lease;
    }

    /// Gives the lease back, so that another instance need not wait until it runs out.
    async fn resign(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        let released = tokio::time::timeout(RELEASE, self.rooms.store.release_lease(&lease)).await;
        if !matches!(released, Ok(Ok(()))) {
            tracing::warn!("the lease on alerts could not be given back: another instance takes over when it runs out");
        }
    }
}

/// Keeps the rules of the configuration.
async fn provision(store: &Store, rules: &[RuleSpec]) -> Result<(), StoreError> {
    let taken = store.provision_alert_rules(rules).await?;
    if !taken.is_empty() {
        tracing::warn!(
            rules = ?taken,
            "rules of the configuration are left out: other rules have their names; rename or delete those"
        );
    }
    Ok(())
}
