//! The alerts role: evaluates rules over sliding windows of posts, and opens and resolves alerts.
//!
//! Several instances may have the role; the leader, which holds a lease, evaluates. The store checks the lease in each
//! transaction that changes alerts, so an instance that was suspended and has lost its lease changes nothing. A state and
//! its transition are written in one such transaction, and the next leader continues from what is stored: no transition
//! is lost or written twice. The conditions of rules are decided in [`crate::rules`], without I/O.

mod dues;
mod evidence;
mod look;
mod meta;
mod replay;
#[cfg(test)]
mod tests;
mod tick;

use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;

pub use self::tick::{Memory, TickError, tick};
use crate::clock::Clock;
use crate::domain::alert::RuleSpec;
use crate::lease::{Coordinated, LeaseManager, RoundError, coordinate};
use crate::lifecycle::{Backoff, Shutdown};
use crate::live::LiveBus;
use crate::store::demonstration::DemoState;
use crate::store::{Lease, Store, StoreError};
use crate::stream::Stream;

/// The lease of the leader.
pub const LEASE: &str = "alerts";

/// The interval of checks while demo data is being generated or removed.
const DEMO_LOOK: Duration = Duration::from_millis(500);

/// The rooms that the role uses.
#[derive(Clone)]
pub struct AlertsRooms {
    /// Has the counts and the alerts.
    pub store: Store,
    /// Has the posts that are not analysed yet.
    pub stream: Stream,
    /// Publishes changes to live clients.
    pub live: LiveBus,
    pub clock: Clock,
}

/// Settings of the role.
#[derive(Clone, Debug)]
pub struct AlertsOptions {
    /// Time between two evaluations of the rules that are due.
    pub interval: Duration,
    /// How long at most a window waits for posts that are not analysed yet.
    pub max_lateness: Duration,
    /// The rules of the configuration.
    pub rules: Vec<RuleSpec>,
    /// This instance's name, different from that of every other.
    pub holder: String,
    /// After this much silence of the leader another instance takes over.
    pub lease_ttl: Duration,
}

/// Evaluates rules until a shutdown.
///
/// # Errors
/// When the store or the stream fails permanently.
pub async fn run(rooms: AlertsRooms, options: AlertsOptions, shutdown: Shutdown) -> anyhow::Result<()> {
    metrics::describe_gauge!(
        "sentistream_alerts_leader",
        "1 while this instance is the leader, which evaluates alert rules"
    );
    metrics::describe_counter!("sentistream_alerts_opened_total", "Alerts that this instance opened, by severity");
    metrics::describe_counter!("sentistream_alert_evaluations_total", "Alert rules that this instance evaluated");
    metrics::describe_histogram!(
        "sentistream_alert_evaluation_seconds",
        metrics::Unit::Seconds,
        "The time to evaluate all rules that were due at once"
    );
    let longest = options.interval;
    let backoff = Backoff::new(Duration::from_millis(500).min(longest), longest);
    let mut leader = Leader::new(rooms, options);
    coordinate(&mut leader, backoff, shutdown.stop_token()).await.context("alert rules cannot be evaluated")?;
    leader.resign().await;
    Ok(())
}

impl RoundError for TickError {
    fn is_transient(&self) -> bool {
        Self::is_transient(self)
    }

    fn is_lease_lost(&self) -> bool {
        matches!(self, Self::Store(StoreError::LeaseLost(_)))
    }
}

struct Leader {
    rooms: AlertsRooms,
    options: AlertsOptions,
    leases: LeaseManager,
    lease: Option<Lease>,
    memory: Memory,
    /// Whether the rules of the configuration were written since this instance became the leader.
    provisioned: bool,
    /// When rules are evaluated next.
    due: Instant,
}

impl Coordinated for Leader {
    type Error = TickError;
    const TASK: &'static str = "alerts";

    /// Renews the lease, and evaluates rules if it holds and an evaluation is due.
    async fn round(&mut self) -> Result<Duration, TickError> {
        let lease = self.leases.acquire(LEASE).await?;
        self.follow(lease.map(|handle| handle.lease));
        if let Some(lease) = &self.lease
            && self.due <= Instant::now()
        {
            if !self.provisioned {
                provision(&self.rooms.store, &self.options.rules).await?;
                self.provisioned = true;
            }
            match self.rooms.store.demonstration().await? {
                // Windows over posts that come or go would raise alerts about nothing.
                Some(demo) if matches!(demo.state, DemoState::Filling | DemoState::Removing) => {
                    self.due = Instant::now() + DEMO_LOOK;
                    return Ok(self.renew_every().min(DEMO_LOOK));
                }
                Some(demo) if demo.state == DemoState::Evaluating => {
                    replay::replay(&self.rooms, &self.leases, demo).await?;
                    return Ok(DEMO_LOOK);
                }
                _ => {}
            }
            // The futures of evidence are large.
            Box::pin(tick(&self.rooms, &self.options, lease, &mut self.memory)).await?;
            // From now on rather than from when it was due, so that a slow store gets no more requests.
            self.due = Instant::now() + self.options.interval;
        }
        Ok(self.renew_every())
    }

    fn lease_lost(&mut self) -> Duration {
        self.follow(None);
        self.renew_every()
    }
}

impl Leader {
    fn new(rooms: AlertsRooms, options: AlertsOptions) -> Self {
        let leases = LeaseManager::new(rooms.store.clone(), options.holder.clone(), options.lease_ttl);
        let due = Instant::now();
        Self { rooms, options, leases, lease: None, memory: Memory::default(), provisioned: false, due }
    }

    /// The time between two renewals of the lease, or two attempts to get it.
    fn renew_every(&self) -> Duration {
        (self.leases.ttl() / 3).min(self.options.interval)
    }

    fn follow(&mut self, lease: Option<Lease>) {
        match (&self.lease, &lease) {
            (None, Some(_)) => tracing::info!("alert loop started (leader)"),
            (Some(_), None) => tracing::info!("alert loop stopped: another instance is the leader"),
            _ => {}
        }
        self.provisioned &= lease.is_some();
        metrics::gauge!("sentistream_alerts_leader").set(if lease.is_some() { 1.0 } else { 0.0 });
        self.lease = lease;
    }

    async fn resign(&mut self) {
        self.leases.release(self.lease.take()).await;
    }
}

/// Writes the rules of the configuration to the store.
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
