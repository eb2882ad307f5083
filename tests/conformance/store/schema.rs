//! Cases of migrations, and of the tables that other programs read.

use sentistream::clock::Clock;
use sentistream::store::Store;

use super::fixture::{
    Fixture, Place, at, author, cases, connect, delete, empty_database, insert, open, post, retention,
};

cases!(documented_tables_hold_stored_posts, second_migration_run_changes_nothing);

async fn documented_tables_hold_stored_posts(fixture: Fixture) {
    let mut written = post("http://example.com/");
    written.author = Some(author("ada"));
    fixture.settle(vec![insert(written), insert(post("b"))]).await;
    let counts = [
        (
            "SELECT count(*) FROM social_media_posts WHERE id > 0 AND post_id = 'http://example.com/' AND source = 'web' \
          AND content <> '' AND author = 'ada' AND created_at IS NOT NULL AND ingested_at IS NOT NULL",
            1,
        ),
        (
            "SELECT count(*) FROM sentiment_analysis WHERE id > 0 AND post_id = 'b' AND model_name = 'test-model' \
          AND sentiment_label = 'positive' AND confidence_score = 0.75 AND emotion = 'joy' AND analyzed_at IS NOT NULL",
            1,
        ),
        (
            "SELECT count(*) FROM posts WHERE CAST(id AS text) = '0a300ee9-f9e4-5697-a51a-efc7fafaba67' \
          AND content <> '' AND sentiment_label = 'positive' AND sentiment_score = 0.75 AND \"timestamp\" IS NOT NULL \
          AND created_at IS NOT NULL",
            1,
        ),
        (
            "SELECT count(*) FROM (SELECT id, alert_type, threshold_value, actual_value, window_start, window_end, \
          post_count, triggered_at, details, scope, state, resolved_at FROM sentiment_alerts) AS a",
            0,
        ),
    ];
    for (query, expected) in counts {
        assert_eq!(fixture.number(query).await, expected, "{query}");
    }
    fixture.settle(vec![delete("b")]).await;
    assert_eq!(
        fixture.number("SELECT count(*) FROM sentiment_analysis").await,
        1,
        "an analysis is deleted with its post"
    );
}

async fn second_migration_run_changes_nothing(fixture: Fixture) {
    assert_eq!(fixture.store.pending_migrations().await.expect("names"), Vec::<String>::new());
    assert_eq!(fixture.store.migrate().await.expect("names"), Vec::<String>::new());
    fixture.store.ping().await.expect("an answer");
    if let Place::Sqlite { sqlite, .. } = &fixture.place {
        let other = Store::sqlite(open(sqlite.path()), retention(), Clock::system());
        other.ping().await.expect("a second process reads the file");
    }
}

/// Migrates an empty database from several instances at once. Checks that each migration runs in only one of them.
async fn migrate_at_once(instances: Vec<Store>) {
    let pending = instances[0].pending_migrations().await.expect("names");
    assert!(!pending.is_empty());
    let running: Vec<_> = instances
        .into_iter()
        .map(|store| {
            tokio::spawn(async move {
                // A check of the migrations does not disturb instances that migrate.
                let (pending, ran) = tokio::join!(store.pending_migrations(), store.migrate());
                pending.expect("names");
                ran.expect("migrated")
            })
        })
        .collect();
    let mut ran = Vec::new();
    for task in running {
        ran.extend(task.await.expect("a task"));
    }
    assert_eq!(ran, pending);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_migrators_run_each_migration_once_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new.db");
    // All instances open the file separately and at the same time, as processes do.
    let opening: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            tokio::task::spawn_blocking(move || open(&path))
        })
        .collect();
    let mut instances = Vec::new();
    for opened in opening {
        instances.push(Store::sqlite(
            opened.await.expect("a task"),
            retention(),
            Clock::fixed(at(super::fixture::START)),
        ));
    }
    migrate_at_once(instances).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_migrators_run_each_migration_once_on_postgres() {
    let url = empty_database().await;
    migrate_at_once((0..4).map(|_| connect(&url, &Clock::system())).collect()).await;
}

#[tokio::test]
async fn unreachable_database_is_a_transient_error() {
    let store = connect("postgres://someone@127.0.0.1:1/nowhere", &Clock::system());
    for error in [store.ping().await.expect_err("away"), store.migrate().await.expect_err("away")] {
        assert!(error.is_transient(), "{error}");
    }
}
