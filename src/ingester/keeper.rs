//! Who feeds which source: leases among instances, pauses, and what is told of the feeds.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{IngesterOptions, IngesterRooms};
use crate::lifecycle::Backoff;
use crate::sources::states::SourceActivity;
use crate::sources::{Readers, SourceSpec};
use crate::store::feeds::FeedReport;
use crate::store::{Lease, StoreError};

/// Renewals of a lease within its life.
const RENEWALS: u32 = 5;
/// The longest giving a lease back may take.
const RELEASE: Duration = Duration::from_secs(2);

/// Whether a feed may run.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Permit {
    /// The database was not asked yet.
    #[default]
    Unknown,
    /// It may.
    Run(Tenure),
    /// Another instance feeds the source.
    Standby,
    /// Someone paused it.
    Paused,
}

/// The right to feed a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenure {
    /// Checked wherever the cursor is kept; `None` where no other instance can be.
    pub lease: Option<Lease>,
    /// When it ends unless it is renewed.
    until: Option<Instant>,
}

impl Tenure {
    fn holds(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }

    fn is_of(&self, lease: Option<&Lease>) -> bool {
        self.lease.as_ref() == lease
    }
}

/// A feed's view of its permit.
pub struct Seat(watch::Receiver<Permit>);

impl Seat {
    /// Waits until the feed may run; `told` hears of every permit until then.
    pub async fn granted(&mut self, mut told: impl FnMut(&Permit)) -> Tenure {
        loop {
            let permit = self.0.borrow_and_update().clone();
            match permit {
                Permit::Run(tenure) if tenure.holds() => return tenure,
                other => told(&other),
            }
            if self.0.changed().await.is_err() {
                // The keeper has ended, and with it the role.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether the feed that was granted a permit with `lease` may go on.
    pub fn holds(&self, lease: Option<&Lease>) -> bool {
        matches!(&*self.0.borrow(), Permit::Run(tenure) if tenure.is_of(lease) && tenure.holds())
    }

    /// Ends when the feed that was granted a permit with `lease` must stop.
    pub async fn revoked(&self, lease: Option<&Lease>) {
        let mut permits = self.0.clone();
        loop {
            let until = match &*permits.borrow_and_update() {
                Permit::Run(tenure) if tenure.is_of(lease) && tenure.holds() => tenure.until,
                _ => return,
            };
            let ends = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = permits.changed() => if changed.is_err() { return },
                () = ends => {}
            }
        }
    }
}

/// Grants the feeds of this instance their permits.
pub struct Keeper {
    rooms: IngesterRooms,
    holder: String,
    ttl: Duration,
    chairs: Vec<Chair>,
    paused: BTreeSet<String>,
    backoff: Backoff,
}

/// The other side of a [`Seat`].
struct Chair {
    name: String,
    readers: Readers,
    tenure: Option<Tenure>,
    permit: watch::Sender<Permit>,
}

impl Keeper {
    /// A keeper of `sources`, and a seat for each of them.
    pub fn new(sources: &[SourceSpec], rooms: IngesterRooms, options: &IngesterOptions) -> (Self, Vec<Seat>) {
        metrics::describe_gauge!("sentistream_source_state", "1 for the state that a source of this process is in");
        let mut seats = Vec::new();
        let chair = |spec: &SourceSpec| {
            let (permit, seat) = watch::channel(Permit::Unknown);
            seats.push(Seat(seat));
            Chair { name: spec.name().to_owned(), readers: spec.readers(), tenure: None, permit }
        };
        let chairs = sources.iter().map(chair).collect();
        let keeper = Self {
            rooms,
            holder: options.holder.clone(),
            ttl: options.lease_ttl,
            chairs,
            paused: BTreeSet::new(),
            backoff: Backoff::new(options.lease_ttl / RENEWALS, options.lease_ttl),
        };
        (keeper, seats)
    }

    /// Keeps permits up to date until `done`, when no feed runs any more; then gives the leases back.
    ///
    /// # Errors
    /// When the store fails for good.
    pub async fn run(mut self, done: CancellationToken) -> Result<(), StoreError> {
        while !done.is_cancelled() {
            let wait = match self.beat().await {
                Ok(()) => {
                    if self.backoff.recovered().is_some() {
                        tracing::info!("sources are coordinated again");
                    }
                    self.ttl / RENEWALS
                }
                Err(error) if error.is_transient() => {
                    if self.backoff.enter("store") {
                        tracing::warn!(%error, "sources cannot be coordinated for now; trying again");
                    }
                    self.backoff.next_wait().min(self.ttl / RENEWALS)
                }
                Err(error) => return Err(error),
            };
            done.run_until_cancelled(tokio::time::sleep(wait)).await;
        }
        self.resign().await;
        Ok(())
    }

    async fn beat(&mut self) -> Result<(), StoreError> {
        let held = self.hold().await;
        let told = self.tell().await;
        self.publish();
        held.and(told)
    }

    /// Takes or renews the leases. One that could not be renewed holds until it runs out.
    async fn hold(&mut self) -> Result<(), StoreError> {
        for chair in &mut self.chairs {
            if chair.readers == Readers::Each || !self.rooms.store.is_shared() {
                chair.tenure = Some(Tenure { lease: None, until: None });
                continue;
            }
            // From before the question: the answer may be slow.
            let asked = Instant::now();
            let lease = self.rooms.store.acquire_lease(&lease_name(&chair.name), &self.holder, self.ttl).await?;
            chair.tenure = lease.map(|lease| Tenure { lease: Some(lease), until: Some(asked + self.ttl) });
        }
        Ok(())
    }

    /// Reports the feeds that this instance runs, and hears which are paused.
    async fn tell(&mut self) -> Result<(), StoreError> {
        let mut reports = Vec::new();
        for state in self.rooms.states.all() {
            for activity in SourceActivity::ALL {
                let is = if activity == state.state { 1.0 } else { 0.0 };
                let labels = [("source", state.name.clone()), ("state", activity.as_str().to_owned())];
                metrics::gauge!("sentistream_source_state", &labels).set(is);
            }
            let mine = |chair: &Chair| chair.name == state.name && chair.tenure.as_ref().is_some_and(Tenure::holds);
            if self.chairs.iter().any(mine) {
                // A struct of texts and numbers always has a JSON form.
                let report = serde_json::to_string(&state).unwrap_or_default();
                reports.push(FeedReport { name: state.name, report });
            }
        }
        self.paused = self.rooms.store.report_feeds(&self.holder, &reports).await?.into_iter().collect();
        Ok(())
    }

    fn publish(&mut self) {
        for chair in &self.chairs {
            let permit = match &chair.tenure {
                Some(_) if self.paused.contains(&chair.name) => Permit::Paused,
                Some(tenure) => Permit::Run(tenure.clone()),
                None => Permit::Standby,
            };
            chair.permit.send_if_modified(|before| {
                let changed = *before != permit;
                *before = permit;
                changed
            });
        }
    }

    /// Gives the leases back, so that another instance need not wait until they run out.
    async fn resign(&mut self) {
        let last = tokio::time::timeout(RELEASE, self.tell()).await;
        let leases = self.chairs.iter_mut().filter_map(|chair| chair.tenure.take()?.lease);
        let release = async {
            for lease in leases {
                self.rooms.store.release_lease(&lease).await?;
            }
            Ok::<_, StoreError>(())
        };
        let released = tokio::time::timeout(RELEASE, release).await;
        if !matches!((last, released), (Ok(Ok(())), Ok(Ok(())))) {
            tracing::warn!("the leases on sources could not be given back: others take over when they run out");
        }
    }
}

fn lease_name(source: &str) -> String {
    format!("source:{source}")
}
