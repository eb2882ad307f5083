//! Tests with a database that refuses writes.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;

use super::super::leases::{Admission, Coordinator};
use super::super::managed;
use super::fixture::{DEADLINE, Fixture, options, until};
use super::scripted::Counting;
use crate::domain::managed_source::SourceDefinition;
use crate::domain::notify::Secrets;
use crate::domain::{FieldError, Timestamp};
use crate::lease::Coordinated as _;
use crate::lifecycle::Shutdown;
use crate::sources::SourceSpec;
use crate::sources::managed::{Destination, SourceFactory, SourceKind};
use crate::sources::webhook::Hook;
use crate::store::feeds::Paused;

/// Opens a counting source for every definition.
#[derive(Default)]
struct Counters(Arc<Mutex<Vec<&'static str>>>);

impl SourceFactory for Counters {
    fn kinds(&self) -> &[SourceKind] {
        &[]
    }

    fn reserved(&self) -> &[String] {
        &[]
    }

    fn spec(&self, _: &SourceDefinition, _: &Secrets) -> Result<SourceSpec, Vec<FieldError>> {
        Ok(Counting::spec("one", &self.0))
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursor_of_a_removed_source_is_deleted_after_an_outage() {
    let fixture = Fixture::new(100_000).await;
    let store = &fixture.services.store;
    let definition =
        SourceDefinition { name: "count".to_owned(), kind: "counting".to_owned(), ..SourceDefinition::default() };
    store.provision_managed(&[definition]).await.unwrap();
    let shutdown = Shutdown::default();
    let factory = Arc::new(Counters::default());
    let running = tokio::spawn(managed::run(factory, fixture.services.clone(), options().into(), shutdown.clone()));
    until("the source is reported and its cursor is stored", || async {
        let is_reported = !store.feeds(Timestamp::EPOCH).await.unwrap().is_empty();
        is_reported && store.cursor("count").await.unwrap().is_some()
    })
    .await;

    fixture
        .execute("CREATE TRIGGER refuse BEFORE DELETE ON source_feeds BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        .await;
    store.provision_managed::<SourceDefinition>(&[]).await.unwrap();
    until("the source has stopped", || async { fixture.services.states.all().is_empty() }).await;
    assert!(store.cursor("count").await.unwrap().is_some(), "the database refuses to delete the cursor");
    fixture.execute("DROP TRIGGER refuse").await;
    until("the cursor is deleted", || async { store.cursor("count").await.unwrap().is_none() }).await;
    shutdown.stop();
    tokio::time::timeout(DEADLINE, running).await.expect("the sources stop").unwrap().unwrap();
}
