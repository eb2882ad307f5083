//! The alerts role: evaluates rules over sliding windows of posts, and opens and resolves alerts. A *series* is a rule
//! applied to one group of posts, such as the posts of one source; each series has a separate state and alert.
//!
//! Several instances may have the role. The leader, which holds a lease, evaluates the rules. The store checks the
//! lease in each transaction that changes alerts, so an instance that was suspended and lost its lease cannot change
//! alerts. A state and its transition are written in one transaction, and the next leader continues from the stored
//! state. Therefore no transition is lost or written twice. [`crate::rules`] evaluates the conditions of rules without
//! I/O.

mod collector;
mod dues;
mod evidence;
mod feeds;
mod histories;
mod meta;
mod replay;
#[cfg(test)]
mod tests;
mod tick;

use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
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

/// The name of the lease that the leader holds.
pub const LEASE: &str = "alerts";

/// How often the leader checks whether the generation or removal of demo data is complete.
const DEMO_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// The services that the role uses.
#[derive(Clone)]
pub struct AlertsServices {
    /// The store of the counts and the alerts.
    pub store: Store,
    /// The stream, which holds the posts that are not analysed yet.
    pub stream: Stream,
    /// The bus on which changes are published to live clients.
    pub live: LiveBus,
    /// The clock that determines the time of an evaluation.
    pub clock: Clock,
}

/// The rules of the configuration, which may change while the role runs.
#[derive(Clone, Debug)]
pub struct ConfiguredRules(watch::Receiver<Vec<RuleSpec>>);

impl ConfiguredRules {
    /// The current rules.
    pub fn current(&self) -> Vec<RuleSpec> {
        self.0.borrow().clone()
    }

    /// Takes the current rules. [`Self::have_changed`] is then false until the next change.
    fn take(&mut self) -> Vec<RuleSpec> {
        self.0.borrow_and_update().clone()
    }

    fn have_changed(&self) -> bool {
        // An error means that the sender was dropped, so the rules do not change any more.
        self.0.has_changed().unwrap_or(false)
    }
}

impl From<watch::Receiver<Vec<RuleSpec>>> for ConfiguredRules {
    fn from(rules: watch::Receiver<Vec<RuleSpec>>) -> Self {
        Self(rules)
    }
}

impl From<Vec<RuleSpec>> for ConfiguredRules {
    fn from(rules: Vec<RuleSpec>) -> Self {
        Self(watch::channel(rules).1)
    }
}

/// Settings of the role.
#[derive(Clone, Debug)]
pub struct AlertsOptions {
    /// Time between two checks for rules that are due.
    pub interval: Duration,
    /// The maximum time that a window is delayed by posts that are not analysed yet.
    pub max_lateness: Duration,
    /// The rules of the configuration.
    pub rules: ConfiguredRules,
    /// The name of this instance, unique among all instances.
    pub holder: String,
    /// The validity of the lease. If the leader does not renew it for this time, another instance takes over.
    pub lease_ttl: Duration,
}

/// Evaluates rules until a shutdown.
///
/// # Errors
/// When the store or the stream fails permanently.
pub async fn run(services: AlertsServices, options: AlertsOptions, shutdown: Shutdown) -> anyhow::Result<()> {
    metrics::describe_gauge!(
        "sentistream_alerts_leader",
        "1 while this instance is the leader, which evaluates alert rules"
    );
    metrics::describe_counter!("sentistream_alerts_opened_total", "Alerts that this instance opened, by severity");
    metrics::describe_gauge!(
        "sentistream_alert_sources_left_out",
        "Sources that alert rules leave out, because a rule watches at most 500 sources"
    );
    metrics::describe_counter!("sentistream_alert_evaluations_total", "Alert rules that this instance evaluated");
    metrics::describe_histogram!(
        "sentistream_alert_evaluation_seconds",
        metrics::Unit::Seconds,
        "The time to evaluate all rules that were due at once"
    );
    let longest = options.interval;
    let backoff = Backoff::new(Duration::from_millis(500).min(longest), longest);
    let mut leader = Leader::new(services, options);
    coordinate(&mut leader, backoff, shutdown.stop_token()).await.context("cannot evaluate alert rules")?;
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
    services: AlertsServices,
    options: AlertsOptions,
    leases: LeaseManager,
    lease: Option<Lease>,
    memory: Memory,
    /// Whether the configured rules are in the store: this instance wrote them after it became the leader, and they
    /// have not changed since.
    provisioned: bool,
    /// When the next check for due rules takes place.
    due: Instant,
}

impl Coordinated for Leader {
    type Error = TickError;
    const TASK: &'static str = "alerts";

    /// Renews the lease, and evaluates rules if this instance holds it and a check is due.
    async fn round(&mut self) -> Result<Duration, TickError> {
        let lease = self.leases.acquire(LEASE).await?;
        self.follow(lease.map(|handle| handle.lease));
        if let Some(lease) = &self.lease
            && self.due <= Instant::now()
        {
            self.provisioned &= !self.options.rules.have_changed();
            if !self.provisioned {
                provision(&self.services.store, &self.options.rules.take()).await?;
                self.provisioned = true;
            }
            match self.services.store.demonstration().await? {
                // While demo posts are being added or removed, the counts of windows are incomplete and would raise
                // false alerts.
                Some(demo) if matches!(demo.state, DemoState::Filling | DemoState::Removing) => {
                    self.due = Instant::now() + DEMO_CHECK_INTERVAL;
                    return Ok(self.renew_every().min(DEMO_CHECK_INTERVAL));
                }
                Some(demo) if demo.state == DemoState::Evaluating => {
                    replay::replay(&self.services, &self.leases, demo).await?;
                    return Ok(DEMO_CHECK_INTERVAL);
                }
                _ => {}
            }
            // The future of `tick` is large, so it is boxed to keep the future of this function small.
            Box::pin(tick(&self.services, &self.options, lease, &mut self.memory)).await?;
            // The interval starts after the evaluation, so that a slow store does not get additional requests.
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
    fn new(services: AlertsServices, options: AlertsOptions) -> Self {
        let leases = LeaseManager::new(services.store.clone(), options.holder.clone(), options.lease_ttl);
        let due = Instant::now();
        Self { services, options, leases, lease: None, memory: Memory::default(), provisioned: false, due }
    }

    /// The time between two renewals of the lease, or between two attempts to acquire it.
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
    let skipped = store.provision_alert_rules(rules).await?;
    if !skipped.is_empty() {
        tracing::warn!(
            rules = ?skipped,
            "configured rules skipped: rules with the same names exist; rename or delete the existing rules"
        );
    }
    Ok(())
}
