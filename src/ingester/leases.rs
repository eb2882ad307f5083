//! Decides by leases and pauses which instance reads which source, and stores the states of the sources. A feed is the
//! task that reads one source.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{IngesterOptions, IngesterServices};
use crate::lease::{Coordinated, LeaseHandle, LeaseManager, coordinate};
use crate::lifecycle::Backoff;
use crate::sources::states::SourceActivity;
use crate::sources::{Readers, SourceSpec};
use crate::store::feeds::FeedReport;
use crate::store::{Lease, StoreError};

/// The number of renewals of a lease during its time to live.
const RENEWALS: u32 = 5;
/// The time limit for storing the states of the sources when all feeds have ended.
const LAST_REPORT: Duration = Duration::from_secs(2);

/// Whether a feed may read its source.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Admission {
    /// Unknown, because the database has not answered yet.
    #[default]
    Unknown,
    /// This instance may read the source.
    Run(Grant),
    /// This instance has no lease, because another instance reads the source or the database does not answer.
    Standby,
    /// The source is paused.
    Paused,
}

/// The right to read a source: a lease, or `None` if no lease is needed, because every instance may read the source or
/// the database is embedded, so that only one instance uses it.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant(Option<LeaseHandle>);

impl Grant {
    /// The lease that each transaction checks when it writes the cursor.
    pub fn lease(&self) -> Option<&Lease> {
        self.0.as_ref().map(|handle| &handle.lease)
    }

    fn is_valid(&self) -> bool {
        self.0.as_ref().is_none_or(LeaseHandle::is_valid)
    }
}

/// The lease of a source, as its feed observes it.
pub struct SourceLease(watch::Receiver<Admission>);

impl SourceLease {
    /// Waits until the feed may run. Until then, passes each admission to `report`: unknown, standby, paused, or an
    /// expired grant.
    pub async fn granted(&mut self, mut report: impl FnMut(&Admission)) -> Grant {
        loop {
            let admission = self.0.borrow_and_update().clone();
            match admission {
                Admission::Run(grant) if grant.is_valid() => return grant,
                other => report(&other),
            }
            if self.0.changed().await.is_err() {
                // The coordinator has ended, so the role is ending and will stop this task.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether the feed that was admitted with `lease` may continue.
    pub fn holds(&self, lease: Option<&Lease>) -> bool {
        matches!(&*self.0.borrow(), Admission::Run(grant) if grant.lease() == lease && grant.is_valid())
    }

    /// Completes when the feed that was admitted with `lease` must stop.
    pub async fn revoked(&self, lease: Option<&Lease>) {
        let mut admissions = self.0.clone();
        loop {
            let until = match &*admissions.borrow_and_update() {
                Admission::Run(grant) if grant.lease() == lease && grant.is_valid() => {
                    grant.0.as_ref().map(LeaseHandle::expires_at)
                }
                _ => return,
            };
            let expired = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = admissions.changed() => if changed.is_err() { return },
                () = expired => {}
            }
        }
    }
}

/// Decides which feeds of this instance may run, by the leases and the pauses of their sources.
pub struct Coordinator {
    services: IngesterServices,
    holder: String,
    leases: LeaseManager,
    feeds: Vec<FeedSlot>,
    /// The names of the paused sources; `None` until they are read for the first time.
    paused: Option<BTreeSet<String>>,
}

/// The state of a feed, as the coordinator keeps it.
struct FeedSlot {
    name: String,
    readers: Readers,
    grant: Option<Grant>,
    admission: watch::Sender<Admission>,
}

impl FeedSlot {
    fn publish(&self, paused: Option<&BTreeSet<String>>) {
        let admission = match (&self.grant, paused) {
            (None, _) => Admission::Standby,
            // The source may be paused, so it is not read yet.
            (Some(_), None) => Admission::Unknown,
            (Some(_), Some(paused)) if paused.contains(&self.name) => Admission::Paused,
            (Some(grant), Some(_)) => Admission::Run(grant.clone()),
        };
        self.admission.send_if_modified(|before| {
            let changed = *before != admission;
            *before = admission;
            changed
        });
    }
}

impl Coordinated for Coordinator {
    type Error = StoreError;
    const TASK: &'static str = "source leases";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        let renewed = self.renew().await;
        let reported = self.report().await;
        for feed in &self.feeds {
            feed.publish(self.paused.as_ref());
        }
        renewed.and(reported)?;
        Ok(self.leases.ttl() / RENEWALS)
    }

    fn lease_lost(&mut self) -> Duration {
        self.leases.ttl() / RENEWALS
    }
}

impl Coordinator {
    /// Creates a coordinator for `sources`. Returns it with the lease of each source.
    pub fn new(
        sources: &[SourceSpec],
        services: IngesterServices,
        options: &IngesterOptions,
    ) -> (Self, Vec<SourceLease>) {
        metrics::describe_gauge!(
            "sentistream_source_state",
            "1 for the current state of a source in this process, 0 for its other states"
        );
        let mut leases = Vec::new();
        let slot = |spec: &SourceSpec| {
            let (admission, lease) = watch::channel(Admission::Unknown);
            leases.push(SourceLease(lease));
            FeedSlot { name: spec.name().to_owned(), readers: spec.readers(), grant: None, admission }
        };
        let feeds = sources.iter().map(slot).collect();
        let manager = LeaseManager::new(services.store.clone(), options.holder.clone(), options.lease_ttl);
        let coordinator = Self { services, holder: options.holder.clone(), leases: manager, feeds, paused: None };
        (coordinator, leases)
    }

    /// Keeps the admissions up to date until `done` is cancelled, which happens when no feed runs any more. Then
    /// releases the leases.
    ///
    /// # Errors
    /// When the store fails permanently.
    pub async fn run(mut self, done: CancellationToken) -> Result<(), StoreError> {
        let pause = self.leases.ttl() / (2 * RENEWALS);
        coordinate(&mut self, Backoff::new(pause, pause), &done).await?;
        if !matches!(tokio::time::timeout(LAST_REPORT, self.report()).await, Ok(Ok(()))) {
            tracing::warn!(
                "cannot store the last states of the sources at the shutdown: the database fails or is too slow"
            );
        }
        let grants = self.feeds.iter_mut().filter_map(|feed| feed.grant.take());
        self.leases.release(grants.filter_map(|grant| grant.0).map(|handle| handle.lease)).await;
        Ok(())
    }

    /// Acquires or renews the leases. A lease that could not be renewed remains valid until it expires.
    async fn renew(&mut self) -> Result<(), StoreError> {
        for feed in &mut self.feeds {
            feed.grant = if feed.readers == Readers::Each || !self.services.store.is_shared() {
                Some(Grant(None))
            } else {
                self.leases.acquire(&lease_name(&feed.name)).await?.map(|handle| Grant(Some(handle)))
            };
        }
        Ok(())
    }

    /// Stores the states of the sources that this instance reads, and loads the names of the paused sources.
    async fn report(&mut self) -> Result<(), StoreError> {
        let mut reports = Vec::new();
        for state in self.services.states.all() {
            for activity in SourceActivity::ALL {
                let is = if activity == state.state { 1.0 } else { 0.0 };
                let labels = [("source", state.name.clone()), ("state", activity.as_str().to_owned())];
                metrics::gauge!("sentistream_source_state", &labels).set(is);
            }
            let runs = |feed: &FeedSlot| feed.name == state.name && feed.grant.as_ref().is_some_and(Grant::is_valid);
            if self.feeds.iter().any(runs) {
                // A struct of texts and numbers can always be serialised to JSON.
                let report = serde_json::to_string(&state).unwrap_or_default();
                reports.push(FeedReport { name: state.name, report });
            }
        }
        self.paused = Some(self.services.store.report_feeds(&self.holder, &reports).await?.into_iter().collect());
        Ok(())
    }
}

fn lease_name(source: &str) -> String {
    format!("source:{source}")
}
