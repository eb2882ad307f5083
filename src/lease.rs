//! Coordinates instances: leases, and the loop of a task that runs under leases.
//!
//! A lease has one holder at a time. The database grants it according to its own clock, and each transaction of the
//! holder checks it, so that an instance which was suspended and resumes later cannot change anything.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::lifecycle::Backoff;
use crate::store::{Lease, Store, StoreError};

/// The maximum time for releasing leases.
const RELEASE: Duration = Duration::from_secs(2);

/// Acquires, renews and releases leases for one instance.
#[derive(Clone)]
pub struct LeaseManager {
    store: Store,
    holder: String,
    ttl: Duration,
}

/// A lease that this instance holds.
#[derive(Clone, Debug, PartialEq)]
pub struct LeaseHandle {
    /// The lease that transactions check.
    pub lease: Lease,
    expires_at: Instant,
}

impl LeaseHandle {
    /// The time at which the lease expires if it is not renewed.
    pub fn expires_at(&self) -> Instant {
        self.expires_at
    }

    /// Whether the lease is still valid according to the clock of this process. Only a transaction that checks the
    /// lease gives a certain answer.
    pub fn is_valid(&self) -> bool {
        Instant::now() < self.expires_at
    }
}

impl LeaseManager {
    /// A manager for the instance `holder`, whose leases expire `ttl` after their last renewal.
    pub fn new(store: Store, holder: impl Into<String>, ttl: Duration) -> Self {
        Self { store, holder: holder.into(), ttl }
    }

    /// The time for which a lease is valid after it was acquired or renewed.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Acquires or renews the lease `name`. Returns `None` while another instance holds it.
    ///
    /// # Errors
    /// When the store does not answer. A lease that is already held stays valid until it expires.
    pub async fn acquire(&self, name: &str) -> Result<Option<LeaseHandle>, StoreError> {
        // The time of expiry is computed before the request is sent, because the answer may be slow.
        let expires_at = Instant::now() + self.ttl;
        let lease = self.store.acquire_lease(name, &self.holder, self.ttl).await?;
        Ok(lease.map(|lease| LeaseHandle { lease, expires_at }))
    }

    /// Releases leases, so that other instances need not wait until they expire. A failure is logged.
    pub async fn release(&self, leases: impl IntoIterator<Item = Lease>) {
        let leases: Vec<Lease> = leases.into_iter().collect();
        let release = async {
            for lease in &leases {
                self.store.release_lease(lease).await?;
            }
            Ok::<_, StoreError>(())
        };
        let error = match tokio::time::timeout(RELEASE, release).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", RELEASE.as_secs()),
        };
        let names: Vec<&str> = leases.iter().map(|lease| lease.name.as_str()).collect();
        tracing::warn!(leases = ?names, error, "leases not released; other instances must wait until they expire");
    }
}

/// A task that works in rounds, and renews its leases in each round.
pub trait Coordinated: Send {
    /// The error of a failed round.
    type Error: RoundError;
    /// The name in logs.
    const TASK: &'static str;

    /// Renews the leases and does the work that is due. Returns the time to wait before the next round.
    fn round(&mut self) -> impl Future<Output = Result<Duration, Self::Error>> + Send;

    /// Called after another instance took over a lease. Returns the time to wait before the next round.
    fn lease_lost(&mut self) -> Duration;

    /// Waits for `pause`, or until there is work to do.
    fn wait(&mut self, pause: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(pause)
    }
}

/// An error that shows whether the next round may succeed.
pub trait RoundError: Display + Send {
    /// Whether a backend is temporarily unavailable.
    fn is_transient(&self) -> bool;
    /// Whether another instance took over a lease.
    fn is_lease_lost(&self) -> bool;
}

impl RoundError for StoreError {
    fn is_transient(&self) -> bool {
        Self::is_transient(self)
    }

    fn is_lease_lost(&self) -> bool {
        matches!(self, Self::LeaseLost(_))
    }
}

/// Runs `task` until `stop`. After a transient error it waits according to `backoff`. Leases may expire during this
/// wait, and an instance that can reach the backend takes over.
///
/// # Errors
/// The first error that is neither transient nor the loss of a lease.
pub async fn coordinate<C: Coordinated>(
    task: &mut C,
    mut backoff: Backoff,
    stop: &CancellationToken,
) -> Result<(), C::Error> {
    while !stop.is_cancelled() {
        let pause = match task.round().await {
            Ok(pause) => {
                if backoff.recovered().is_some() {
                    tracing::info!(task = C::TASK, "task resumed");
                }
                pause
            }
            Err(error) if error.is_lease_lost() => task.lease_lost(),
            Err(error) if error.is_transient() => {
                if backoff.enter("away") {
                    tracing::warn!(task = C::TASK, %error, "task paused, retrying: a backend is unavailable");
                }
                backoff.next_wait()
            }
            Err(error) => return Err(error),
        };
        stop.run_until_cancelled(task.wait(pause)).await;
    }
    Ok(())
}
