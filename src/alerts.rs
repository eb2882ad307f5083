//! The alerts role: looks at a sliding window of posts and keeps the alerts that follow from it.
//!
//! Several instances may hold the role; the one that holds a lease acts. The store checks the lease
//! in each transaction that changes alerts, so that an instance which was suspended and wakes up
//! late changes nothing. What must be true of a window is decided in [`rules`], apart from all I/O.

mod look;
pub mod rules;
#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;

use self::look::{LookError, look};
use self::rules::Rule;
use crate::clock::Clock;
use crate::lifecycle::Shutdown;
use crate::lifecycle::patience::Patience;
use crate::live::LiveBus;
use crate::store::{Lease, Store, StoreError};
use crate::stream::Stream;

/// The lease that the acting instance holds.
const LEASE: &str = "alerts";
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
    /// Between two looks at the window.
    pub interval: Duration,
    /// The length of the window, in event time.
    pub window: Duration,
    /// How long at most the window waits for posts that are not analysed yet.
    pub max_lateness: Duration,
    /// The conditions, each watched overall and per source.
    pub rules: Vec<Rule>,
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
    metrics::describe_counter!("sentistream_alerts_opened_total", "Alerts that this instance opened, by type");
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
    patience: Patience,
    /// Between two renewals of the lease, or two attempts to get it.
    beat: Duration,
}

impl Watch {
    fn new(rooms: AlertsRooms, options: AlertsOptions) -> Self {
        let beat = (options.lease_ttl / 3).min(options.interval);
        let patience = Patience::new(Duration::from_millis(500).min(options.interval), options.interval);
        Self { rooms, options, lease: None, patience, beat }
    }

    /// Renews the lease, and looks at the window if it holds and a look is `due`; how long to wait then.
    async fn step(&mut self, due: &mut Instant) -> Result<Duration, LookError> {
        match self.act(due).await {
            Ok(()) => {
                if self.patience.recovered().is_some() {
                    tracing::info!("alerts are kept again");
                }
                Ok(self.beat)
            }
            Err(LookError::Store(StoreError::LeaseLost(_))) => {
                self.follow(None);
                Ok(self.beat)
            }
            Err(error) if error.is_transient() => {
                // The lease may run out meanwhile, and another instance that does reach the backends takes over.
                if self.patience.is_news("away") {
                    tracing::warn!(%error, "alerts are not kept for now; trying again");
                }
                Ok(self.patience.next_wait())
            }
            Err(error) => Err(error),
        }
    }

    async fn act(&mut self, due: &mut Instant) -> Result<(), LookError> {
        let (holder, ttl) = (&self.options.holder, self.options.lease_ttl);
        let lease = self.rooms.store.acquire_lease(LEASE, holder, ttl).await?;
        self.follow(lease);
        if let Some(lease) = &self.lease
            && *due <= Instant::now()
        {
            self.rooms.store.provision_alert_rules(&look::specs(&self.options)).await?;
            look(&self.rooms, &self.options, lease).await?;
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
