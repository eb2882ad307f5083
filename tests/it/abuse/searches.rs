//! Searches whose client has disconnected or timed out.

use std::time::Duration;

use crate::process::{Process, posts, within};
use crate::services::{self, Shared};

/// Counts the searches that wait for a lock in Postgres. They are recognised by their query for the newest posts.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND wait_event_type = 'Lock' \
                       AND query LIKE '%ORDER BY \"social_media_posts\".\"created_at\" DESC%'";

/// Starts a search that cannot end, because this test locks the table. When `client` disconnects or times out, Postgres
/// must cancel the search.
async fn search_ends(settings: &[&str], client: reqwest::Client) {
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
    let search = tokio::spawn(async move { client.get(url).send().await });
    let waits = async || (services::number(&shared.postgres_url, WAITING).await > 0).then_some(());
    within("the search waits in Postgres", waits).await;
    let answer = search.await.unwrap();
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 503));
    let ended = async || (services::number(&shared.postgres_url, WAITING).await == 0).then_some(());
    within("Postgres cancels the search", ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_cancels_search_of_a_disconnected_client() {
    let client = crate::web::builder().timeout(Duration::from_secs(3)).build().unwrap();
    let settings = ["ingester.sources=[]", "server.request_timeout=600s", "database.statement_timeout=600s"];
    search_ends(&settings, client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_cancels_search_at_the_deadline_of_its_request() {
    let settings = ["ingester.sources=[]", "server.request_timeout=5s", "database.statement_timeout=600s"];
    search_ends(&settings, crate::web::client()).await;
}
