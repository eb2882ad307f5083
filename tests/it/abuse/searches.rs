//! Searches whose client has disconnected or timed out.

use reqwest::Response;
use tokio::task::JoinHandle;

use crate::process::{Process, posts, within};
use crate::services::{self, Shared};

/// Counts the searches that wait for a lock in Postgres. They are recognised by their query for the newest posts.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND wait_event_type = 'Lock' \
                       AND query LIKE '%ORDER BY \"social_media_posts\".\"created_at\" DESC%'";

/// Starts a search that cannot end, because this test locks the table. While it waits for the lock, `end` disconnects
/// the client or waits for the deadline of the request. Postgres must then cancel the search.
async fn search_ends(settings: &[&str], end: impl AsyncFnOnce(JoinHandle<reqwest::Result<Response>>)) {
    let (folder, shared) = (tempfile::tempdir().unwrap(), Shared::create().await);
    let settings = settings.iter().map(|&setting| setting.to_owned());
    let settings: Vec<String> = shared.settings().into_iter().chain(settings).collect();
    let process = Process::start(folder.path(), &settings).await;
    process.append(&posts(3)).await;
    process.drained(3).await;
    let (other, connection) = tokio_postgres::connect(&shared.postgres_url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    other.batch_execute("BEGIN; LOCK TABLE social_media_posts IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let url = format!("{}/api/posts?q=love", process.url);
    let search = tokio::spawn(async move { crate::web::get(url).await });
    let waits = async || (services::number(&shared.postgres_url, WAITING).await > 0).then_some(());
    within("the search waits in Postgres", waits).await;
    end(search).await;
    let ended = async || (services::number(&shared.postgres_url, WAITING).await == 0).then_some(());
    within("Postgres cancels the search", ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_cancels_search_of_a_disconnected_client() {
    let settings = ["ingester.sources=[]", "server.request_timeout=600s", "database.statement_timeout=600s"];
    search_ends(&settings, async |search| search.abort()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_cancels_search_at_the_deadline_of_its_request() {
    let settings = ["ingester.sources=[]", "server.request_timeout=20s", "database.statement_timeout=600s"];
    search_ends(&settings, async |search| assert_eq!(search.await.unwrap().unwrap().status(), 503)).await;
}
