//! Notifications: tells receivers of alerts.
//!
//! The notifier runs beside the alerts role and meets it only in the store: it follows the transitions of alerts
//! with a cursor of its own, sorts them by a [`Router`](crate::domain::notify::Router) into [`group`]s, and writes
//! messages into an outbox from which [`deliver`] sends them through [`receivers`]. The cursor, the groups and the
//! outbox change in one transaction, so that a crash loses no message; one that was sent, but not noted as sent, is sent again
//! with the same id. One instance acts: it holds a lease of its own, so that receivers that hang do not keep
//! alerts from being evaluated, and each transaction checks it.

pub mod deliver;
pub mod follow;
pub mod group;
pub mod message;
pub mod receivers;
pub mod render;
pub mod retry;

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use self::deliver::Deliveries;
use self::follow::Follower;
use self::receivers::SmtpOptions;
use self::retry::RetryOptions;
use crate::clock::Clock;
use crate::domain::notify::{MuteTiming, Receiver, Route, Secrets};
use crate::lease::{Coordinated, LeaseManager, coordinate};
use crate::lifecycle::{Backoff, Shutdown};
use crate::outbound::Outbound;
use crate::store::{Lease, Store, StoreError};

/// The lease that the acting instance holds.
const LEASE: &str = "notifications";
/// How long settled deliveries and silences that ended are kept.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Between two prunings.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// What the notifier joins.
#[derive(Clone)]
pub struct NotifyRooms {
    /// Where transitions come from, and everything is kept.
    pub store: Store,
    /// How webhooks are called.
    pub outbound: Outbound,
    pub clock: Clock,
}

/// Whom to tell, and how.
#[derive(Clone, Debug)]
pub struct NotifyOptions {
    /// Between two looks at what happened.
    pub interval: Duration,
    /// This instance's name, different from that of every other.
    pub holder: String,
    /// After this much silence of the acting instance another takes over.
    pub lease_ttl: Duration,
    /// The dashboard as receivers reach it.
    pub external_url: String,
    /// Receivers of the configuration.
    pub receivers: Vec<(Receiver, Secrets)>,
    /// Routes of the configuration.
    pub routes: Vec<Route>,
    /// Mute timings of the configuration.
    pub mute_timings: Vec<MuteTiming>,
    /// How mail is sent; without it no receiver can be told by mail.
    pub smtp: Option<SmtpOptions>,
    /// Whether receivers may run programs.
    pub allow_commands: bool,
    /// How often and how long a delivery is tried.
    pub retry: RetryOptions,
}

/// Tells receivers of alerts until a shutdown.
///
/// # Errors
/// When the store fails in a way that trying again will not help.
pub async fn run(rooms: NotifyRooms, options: NotifyOptions, shutdown: Shutdown) -> anyhow::Result<()> {
    metrics::describe_counter!(
        "sentistream_notifications_total",
        "Attempts to deliver, by kind of receiver and outcome"
    );
    let mut notifier = Notifier::new(rooms, options).context("notifications cannot be sent")?;
    let backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(15));
    coordinate(&mut notifier, backoff, shutdown.stop_token()).await.context("notifications cannot be written")?;
    notifier.resign(&shutdown).await;
    Ok(())
}

struct Notifier {
    rooms: NotifyRooms,
    options: NotifyOptions,
    deliveries: Deliveries,
    acting: Option<Acting>,
    /// When to renew the lease, or to try to get it.
    renew_at: Instant,
    prune_at: Instant,
    leases: LeaseManager,
}

/// What the acting instance has in mind.
struct Acting {
    lease: Lease,
    follower: Follower,
}

impl Coordinated for Notifier {
    type Error = StoreError;
    const TASK: &'static str = "notifications";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        self.act().await?;
        Ok(self.options.interval)
    }

    fn lease_lost(&mut self) -> Duration {
        self.step_down();
        self.options.interval
    }

    /// Also ends when a message under way has its answer.
    async fn wait(&mut self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.deliveries.finished() => {}
        }
    }
}

impl Notifier {
    fn new(rooms: NotifyRooms, options: NotifyOptions) -> anyhow::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            deliveries: Deliveries::new(&rooms, &options)?,
            leases: LeaseManager::new(rooms.store.clone(), options.holder.clone(), options.lease_ttl),
            acting: None,
            renew_at: now,
            prune_at: now + PRUNE_EVERY,
            rooms,
            options,
        })
    }

    async fn act(&mut self) -> Result<(), StoreError> {
        if self.renew_at <= Instant::now() {
            self.renew().await?;
            self.renew_at = Instant::now() + self.leases.ttl() / 3;
        }
        let Some(acting) = &mut self.acting else { return Ok(()) };
        let due = self.deliveries.due(&acting.lease).await?;
        acting.follower.step(&acting.lease).await?;
        self.deliveries.start(due, acting.follower.setup());
        if self.prune_at <= Instant::now() {
            self.prune_at = Instant::now() + PRUNE_EVERY;
            self.rooms.store.prune_notifications(self.rooms.clock.now() - KEPT).await?;
        }
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        let lease = self.leases.acquire(LEASE).await?.map(|handle| handle.lease);
        match (lease, &mut self.acting) {
            (None, _) => self.step_down(),
            (Some(lease), Some(acting)) if acting.lease == lease => {}
            (Some(lease), _) => {
                // What was sent under an older lease is not ours to note any more.
                self.deliveries.forget();
                let follower = Follower::load(&self.rooms, &self.options).await?;
                tracing::info!("notification loop started (leader)");
                self.acting = Some(Acting { lease, follower });
            }
        }
        Ok(())
    }

    fn step_down(&mut self) {
        self.deliveries.forget();
        if self.acting.take().is_some() {
            tracing::info!("notification loop stopped: another instance is the leader");
        }
    }

    /// Waits for what is under way, and gives the lease back so that another instance need not wait until it runs out.
    async fn resign(&mut self, shutdown: &Shutdown) {
        let Some(acting) = self.acting.take() else { return };
        let settle = self.deliveries.settle(&acting.lease);
        tokio::select! {
            () = settle => {}
            () = shutdown.abandoned() => tracing::warn!("shutdown deadline reached; messages under way may be sent again after the next start"),
        }
        self.leases.release([acting.lease]).await;
    }
}
