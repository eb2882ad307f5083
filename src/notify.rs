//! The notifier: sends notifications about alerts to receivers.
//!
//! The notifier is independent of the alerts role; they share only the store. The notifier follows the transitions of
//! alerts with its own cursor, assigns alerts to [`group`]s by the [`Router`](crate::domain::notify::Router), and
//! writes messages to an outbox. [`deliver`] sends the messages of the outbox through [`receivers`]. The cursor, the
//! groups and the outbox change in one transaction, so a crash loses no message. If a crash prevents the outcome of a
//! delivery from being recorded, the message is sent again with the same id.
//!
//! Only one instance is active: the holder of a lease, which each transaction checks. The alerts role has a separate
//! lease, so that slow receivers do not delay the evaluation of rules.

pub mod deliver;
mod details;
pub mod follow;
pub mod group;
pub mod message;
pub mod receivers;
pub mod retry;
pub mod setup;

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use self::deliver::Deliveries;
use self::follow::Follower;
use self::receivers::SmtpOptions;
use self::retry::RetryOptions;
use self::setup::ReceiverWithSecrets;
use crate::clock::Clock;
use crate::domain::notify::{InhibitRule, MuteTiming, Route};
use crate::lease::{Coordinated, LeaseManager, coordinate};
use crate::lifecycle::{Backoff, Shutdown};
use crate::outbound::Outbound;
use crate::store::{Lease, Store, StoreError};

/// The name of the lease that the active instance holds.
const LEASE: &str = "notifications";
/// How long finished deliveries and expired silences are kept.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);
/// The time between two deletions of finished deliveries and expired silences.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// The services that the notifier uses.
#[derive(Clone)]
pub struct NotifyServices {
    /// The store of the transitions of alerts, the receivers, the routes and the outbox.
    pub store: Store,
    /// The HTTP client for requests to receivers.
    pub outbound: Outbound,
    /// The clock that determines when groups are flushed and deliveries are attempted.
    pub clock: Clock,
}

/// Settings of the notifier.
#[derive(Clone, Debug)]
pub struct NotifyOptions {
    /// The time between two steps. A step processes transitions and starts deliveries.
    pub interval: Duration,
    /// The name of this instance, unique among all instances.
    pub holder: String,
    /// The validity of the lease. If the active instance does not renew it for this time, another instance takes over.
    pub lease_ttl: Duration,
    /// The URL of the dashboard for links in messages.
    pub external_url: String,
    /// The receivers in the configuration.
    pub receivers: Vec<ReceiverWithSecrets>,
    /// The routes in the configuration.
    pub routes: Vec<Route>,
    /// The mute timings in the configuration.
    pub mute_timings: Vec<MuteTiming>,
    /// The inhibition rules in the configuration.
    pub inhibit_rules: Vec<InhibitRule>,
    /// The mail server. Without it, deliveries by email fail.
    pub smtp: Option<SmtpOptions>,
    /// Whether receivers may run programs.
    pub allow_commands: bool,
    /// The waits between the attempts of a delivery, and the time limit of all attempts.
    pub retry: RetryOptions,
}

/// Sends notifications until a shutdown.
///
/// # Errors
/// When the store fails permanently.
pub async fn run(services: NotifyServices, options: NotifyOptions, shutdown: Shutdown) -> anyhow::Result<()> {
    metrics::describe_counter!("sentistream_notifications_total", "Delivery attempts by kind of receiver and outcome");
    let mut notifier = Notifier::new(services, options).context("cannot start the notifier")?;
    let backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(15));
    coordinate(&mut notifier, backoff, shutdown.stop_token()).await.context("cannot process notifications")?;
    notifier.resign(&shutdown).await;
    Ok(())
}

struct Notifier {
    services: NotifyServices,
    options: NotifyOptions,
    deliveries: Deliveries,
    active: Option<Active>,
    /// When the lease must be renewed, or an attempt to acquire it is due.
    renew_at: Instant,
    prune_at: Instant,
    leases: LeaseManager,
}

/// The state of the active instance.
struct Active {
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

    /// Waits for `pause`, or until the outcome of a delivery is known.
    async fn wait(&mut self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.deliveries.finished() => {}
        }
    }
}

impl Notifier {
    fn new(services: NotifyServices, options: NotifyOptions) -> anyhow::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            deliveries: Deliveries::new(&services, &options)?,
            leases: LeaseManager::new(services.store.clone(), options.holder.clone(), options.lease_ttl),
            active: None,
            renew_at: now,
            prune_at: now + PRUNE_EVERY,
            services,
            options,
        })
    }

    async fn act(&mut self) -> Result<(), StoreError> {
        if self.renew_at <= Instant::now() {
            self.renew().await?;
            self.renew_at = Instant::now() + self.leases.ttl() / 3;
        }
        let Some(active) = &mut self.active else { return Ok(()) };
        let due = self.deliveries.due(&active.lease).await?;
        active.follower.step(&active.lease).await?;
        self.deliveries.start(due, active.follower.setup());
        if self.prune_at <= Instant::now() {
            self.prune_at = Instant::now() + PRUNE_EVERY;
            self.services.store.prune_notifications(self.services.clock.now() - RETENTION).await?;
        }
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        let lease = self.leases.acquire(LEASE).await?.map(|handle| handle.lease);
        match (lease, &mut self.active) {
            (None, _) => self.step_down(),
            (Some(lease), Some(active)) if active.lease == lease => {}
            (Some(lease), _) => {
                // The outcomes of deliveries that started under an earlier lease must not be recorded.
                self.deliveries.abandon();
                let follower = Follower::load(&self.services, &self.options).await?;
                tracing::info!("notification loop started (leader)");
                self.active = Some(Active { lease, follower });
            }
        }
        Ok(())
    }

    fn step_down(&mut self) {
        self.deliveries.abandon();
        if self.active.take().is_some() {
            tracing::info!("notification loop stopped: another instance is the leader");
        }
    }

    /// Waits for deliveries in flight, and releases the lease so that another instance can take over immediately.
    async fn resign(&mut self, shutdown: &Shutdown) {
        let Some(active) = self.active.take() else { return };
        let settle = self.deliveries.settle(&active.lease);
        tokio::select! {
            () = settle => {}
            () = shutdown.abandoned() => tracing::warn!("shutdown deadline reached: messages in flight may be sent twice"),
        }
        self.leases.release([active.lease]).await;
    }
}
