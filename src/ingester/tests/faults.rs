//! Tests with a database that refuses writes.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;

use super::super::leases::{Admission, Coordinator};
use super::super::managed;
use super::fixture::{DEADLINE, Fixture, options, until};
use super::scripted::{Counting, Scripted};
use crate::domain::managed_source::SourceDefinition;
use crate::domain::notify::Secrets;
use crate::domain::{FieldError, Timestamp};
use crate::lease::Coordinated as _;
use crate::lifecycle::Shutdown;
use crate::sources::SourceSpec;
use crate::sources::managed::{Destination, SourceFactory, SourceKind};
use crate::sources::webhook::Hook;
use crate::store::feeds::Paused;

/// Opens a source that reads one post for the definition `second`, and a counting source for all others.
#[derive(Default)]
struct Counters(Arc<Mutex<Vec<&'static str>>>);

impl SourceFactory for Counters {
    fn kinds(&self) -> &[SourceKind] {
        &[]
    }

    fn reserved(&self) -> &[String] {
        &[]
    }

    fn spec(&self, definition: &SourceDefinition, _: &Secrets) -> Result<SourceSpec, Vec<FieldError>> {
        Ok(match definition.name.as_str() {
            "second" => Scripted::spec("second", vec![Ok(1)]),
            _ => Counting::spec("one", &self.0),
        })
    }

    fn destinations(&self, _: &SourceDefinition, _: &Secrets) -> Vec<Destination> {
        Vec::new()
    }

    fn hook(&self, _: &SourceDefinition, _: &Secrets) -> Option<Hook> {
        None
    }

    fn configured_hook(&self, _: &str) -> Option<Arc<Hook>> {
        None
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_is_not_read_before_its_pause_is_known() {
    let fixture = Fixture::new(1_000).await;
    let sources = [Counting::spec("one", &Arc::default())];
    let start = || Coordinator::new(&sources, fixture.services.clone(), &options());
    fixture.services.states.update("count", |_| ());
    let (mut before, _leases) = start();
    before.round().await.unwrap();
    assert!(fixture.services.store.set_feed_paused("count", Paused::Yes).await.unwrap());

    // After a restart the database can be read, but it refuses the first report.
    fixture
        .execute("CREATE TRIGGER refuse BEFORE INSERT ON source_feeds BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        .await;
    let (mut coordinator, mut leases) = start();
    let mut seen = Vec::new();
    assert!(coordinator.round().await.unwrap_err().is_transient());
    assert!(leases[0].granted(|admission| seen.push(admission.clone())).now_or_never().is_none());
    fixture.execute("DROP TRIGGER refuse").await;
    coordinator.round().await.unwrap();
    assert!(leases[0].granted(|admission| seen.push(admission.clone())).now_or_never().is_none());
    assert_eq!(seen, [Admission::Unknown, Admission::Paused]);
}

/// A trigger with which the database refuses to delete the stored state of a source.
const REFUSE_DELETION: &str =
    "CREATE TRIGGER refuse BEFORE DELETE ON source_feeds BEGIN SELECT RAISE(ABORT, 'disk full'); END";

/// The definitions of sources with these names.
fn defined<const N: usize>(names: [&str; N]) -> [SourceDefinition; N] {
    names.map(|name| SourceDefinition {
        name: name.to_owned(),
        kind: "counting".to_owned(),
        ..SourceDefinition::default()
    })
}

/// Whether the database has the report of the source `name`.
async fn is_reported(fixture: &Fixture, name: &str) -> bool {
    fixture.services.store.feeds(Timestamp::EPOCH).await.unwrap().iter().any(|row| row.name == name)
}

/// A manager of added sources.
struct Managed {
    shutdown: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Managed {
    /// Starts the manager with the source `count`, makes the database refuse to delete its state, and removes the
    /// source.
    async fn with_a_removed_source(fixture: &Fixture) -> Self {
        let store = &fixture.services.store;
        store.provision_managed(&defined(["count"])).await.unwrap();
        let shutdown = Shutdown::default();
        let factory = Arc::new(Counters::default());
        let task = tokio::spawn(managed::run(factory, fixture.services.clone(), options().into(), shutdown.clone()));
        until("the source is reported and its cursor is stored", || async {
            is_reported(fixture, "count").await && store.cursor("count").await.unwrap().is_some()
        })
        .await;
        fixture.execute(REFUSE_DELETION).await;
        store.provision_managed(&defined([])).await.unwrap();
        until("the source has stopped", || async { fixture.services.states.all().is_empty() }).await;
        Self { shutdown, task }
    }

    async fn stop(self) {
        self.shutdown.stop();
        tokio::time::timeout(DEADLINE, self.task).await.expect("the sources stop").unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursor_of_a_removed_source_is_deleted_after_an_outage() {
    let fixture = Fixture::new(100_000).await;
    let store = &fixture.services.store;
    let managed = Managed::with_a_removed_source(&fixture).await;
    // The round that stopped `count` has not read this definition. A later round starts `second`, after the first
    // attempt to delete the cursor of `count`.
    store.provision_managed(&defined(["second"])).await.unwrap();
    until("another source is read", || async { fixture.state("second").posts == 1 }).await;
    assert!(store.cursor("count").await.unwrap().is_some(), "the database refuses to delete the cursor");
    fixture.execute("DROP TRIGGER refuse").await;
    until("the cursor is deleted", || async { store.cursor("count").await.unwrap().is_none() }).await;
    managed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_added_again_during_an_outage_keeps_its_pause() {
    let fixture = Fixture::new(100_000).await;
    let store = &fixture.services.store;
    let managed = Managed::with_a_removed_source(&fixture).await;
    store.provision_managed(&defined(["count"])).await.unwrap();
    until("the source runs again", || async { !fixture.services.states.all().is_empty() }).await;
    assert!(store.set_feed_paused("count", Paused::Yes).await.unwrap());
    fixture.execute("DROP TRIGGER refuse").await;
    // `second` is removed after `count`. Once the state of `second` is deleted, every earlier deletion has been
    // attempted.
    store.provision_managed(&defined(["count", "second"])).await.unwrap();
    until("the second source is reported", || is_reported(&fixture, "second")).await;
    store.provision_managed(&defined(["count"])).await.unwrap();
    until("the second source is deleted", || async { !is_reported(&fixture, "second").await }).await;
    assert!(store.is_feed_paused("count").await.unwrap());
    managed.stop().await;
}
