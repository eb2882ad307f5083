//! Kills real processes and services under load. No post may be lost or counted twice.

use std::path::Path;

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::Config;
use fred::types::{ClusterHash, CustomCommand};
use serde_json::Value;

use crate::process::{Process, command, posts, within};
use crate::services::{self, Server, Shared};

const POSTS: usize = 1_500;

/// Checks that all endpoints report the same number of stored posts.
async fn assert_consistent(process: &Process, stored: usize) {
    let stats = process.get("/api/stats").await;
    let sentiments = stats["by_sentiment"].as_object().expect("stats count sentiments");
    assert_eq!(sentiments.values().filter_map(Value::as_u64).sum::<u64>(), stored as u64, "{stats:#}");
    let day = process.get("/api/distribution?hours=24").await;
    assert_eq!(day["total"], stored, "{day:#}");
    let page = process.get("/api/posts?limit=1").await;
    assert_eq!(page["total"], stored, "{page:#}");
}

fn with(settings: &[String], more: &[&str]) -> Vec<String> {
    settings.iter().cloned().chain(more.iter().map(|&setting| setting.to_owned())).collect()
}

/// The roles of one process of a scaled-out deployment.
fn role_settings(shared: &Shared, roles: &str) -> Vec<String> {
    with(&shared.settings(), &[roles, "ingester.sources=[]", "worker.claim_idle=1s", "worker.batch_size=32"])
}

async fn processed_some(process: &Process, at_least: u64) {
    let some = |health: &Value| health["stats"]["total_posts"].as_u64() >= Some(at_least);
    process.wait_until(&format!("{at_least} posts are stored"), some).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_all_in_one_process_resumes_without_loss() {
    let folder = tempfile::tempdir().unwrap();
    let settings = with(&[], &["ingester.sources=[]"]);
    let process = Process::start(folder.path(), &settings).await;
    process.append(&posts(POSTS)).await;
    processed_some(&process, 100).await;
    process.kill().await;

    let process = Process::start(folder.path(), &settings).await;
    let health = process.drained(POSTS).await;
    assert_eq!(health["stats"]["books"]["analysed"], POSTS, "{health:#}");
    assert_eq!(health["stats"]["books"]["duplicate"], 0, "{health:#}");
    assert_consistent(&process, POSTS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terminated_process_finishes_or_releases_its_work() {
    let folder = tempfile::tempdir().unwrap();
    let settings = with(&[], &["ingester.sources=[]"]);
    let process = Process::start(folder.path(), &settings).await;
    process.append(&posts(POSTS)).await;
    processed_some(&process, 50).await;
    assert_eq!(process.terminate().await.code(), Some(0));

    let process = Process::start(folder.path(), &settings).await;
    let health = process.drained(POSTS).await;
    assert_eq!(health["stats"]["books"]["analysed"], POSTS, "{health:#}");
    assert_eq!(process.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_a_killed_worker_are_processed_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let shared = Shared::create().await;
    let front = Process::start(folder.path(), &role_settings(&shared, "roles=[\"api\", \"alerts\"]")).await;
    let first = Process::start(folder.path(), &role_settings(&shared, "roles=[\"worker\"]")).await;
    front.append(&posts(POSTS)).await;
    processed_some(&front, 50).await;
    let second = Process::start(folder.path(), &role_settings(&shared, "roles=[\"worker\"]")).await;
    first.kill().await;

    let health = front.drained(POSTS).await;
    assert_eq!(health["stats"]["books"]["analysed"], POSTS, "{health:#}");
    assert_consistent(&front, POSTS).await;
    let rows = services::number(&shared.postgres_url, "SELECT count(*) FROM sentiment_analysis").await;
    assert_eq!(rows, POSTS as i64);
    assert_eq!(second.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn author_deletion_continues_after_a_kill_between_steps() {
    let folder = tempfile::tempdir().unwrap();
    let shared = Shared::create().await;
    let settings = with(&shared.settings(), &["ingester.sources=[]", "worker.claim_idle=1s", "server.rate_limit=0"]);
    let process = Process::start(folder.path(), &settings).await;
    process.append(&posts(POSTS)).await;
    process.drained(POSTS).await;
    let processed = format!("{}_processed", shared.prefix);
    assert_eq!(redis(&shared, "XLEN", &[&processed]).await.as_u64(), Some(POSTS as u64));

    let other = lock_newest_post(&shared).await;
    let stream = format!("{}_posts", shared.prefix);
    redis(&shared, "XADD", &[&stream, "*", "op", "delete_author", "source", "web", "author", "ada"]).await;
    let left = async || services::number(&shared.postgres_url, "SELECT count(*) FROM social_media_posts").await;
    within("some posts are deleted", async || (left().await < POSTS as i64).then_some(())).await;
    process.kill().await;
    assert!(left().await > 0, "the deletion has not ended");
    other.batch_execute("COMMIT").await.unwrap();

    let process = Process::start(folder.path(), &settings).await;
    process.drained(0).await;
    assert_eq!(left().await, 0);
    let gone = async || (redis(&shared, "XLEN", &[&processed]).await.as_u64() == Some(0)).then_some(());
    within("the stream contains no copy of a deleted post", gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erasure_after_a_killed_one_leaves_no_copies() {
    let folder = tempfile::tempdir().unwrap();
    let shared = Shared::create().await;
    let settings = with(&shared.settings(), &["ingester.sources=[]", "server.rate_limit=0"]);
    let process = Process::start(folder.path(), &settings).await;
    process.append(&posts(POSTS)).await;
    process.drained(POSTS).await;
    assert_eq!(process.terminate().await.code(), Some(0));
    let processed = format!("{}_processed", shared.prefix);
    assert_eq!(redis(&shared, "XLEN", &[&processed]).await.as_u64(), Some(POSTS as u64));

    let other = lock_newest_post(&shared).await;
    let erase = || {
        let mut command = command(folder.path(), &settings);
        command.args(["erase", "--author", "ada"]);
        command
    };
    let mut killed = erase().spawn().unwrap();
    let left = async || services::number(&shared.postgres_url, "SELECT count(*) FROM social_media_posts").await;
    within("some posts are deleted", async || (left().await < POSTS as i64).then_some(())).await;
    killed.kill().await.unwrap();
    assert!(left().await > 0, "the erasure has not ended");
    other.batch_execute("COMMIT").await.unwrap();

    assert!(erase().status().await.unwrap().success());
    assert_eq!(left().await, 0);
    assert_eq!(redis(&shared, "XLEN", &[&processed]).await.as_u64(), Some(0));
}

/// Locks the newest post in an open transaction, so that the deletion of all posts stops between two of its steps.
async fn lock_newest_post(shared: &Shared) -> tokio_postgres::Client {
    let (other, connection) = tokio_postgres::connect(&shared.postgres_url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let newest = "SELECT 1 FROM post_keys WHERE post_id = (SELECT post_id FROM social_media_posts \
                  ORDER BY created_at DESC, id DESC LIMIT 1) FOR UPDATE";
    other.batch_execute(&format!("BEGIN; {newest}")).await.unwrap();
    other
}

/// The answer of Redis to a command.
async fn redis(shared: &Shared, name: &'static str, args: &[&str]) -> Value {
    let client = Client::new(Config::from_url(&shared.redis_url).unwrap(), None, None, None);
    client.init().await.unwrap();
    let args: Vec<fred::types::Value> = args.iter().map(|arg| fred::types::Value::from(*arg)).collect();
    let command = CustomCommand::new_static(name, ClusterHash::FirstKey, false);
    let answer: fred::types::Value = client.custom(command, args).await.unwrap();
    client.quit().await.unwrap();
    answer.as_u64().map_or(Value::Null, Value::from)
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_backends_lose_no_post() {
    let folder = tempfile::tempdir().unwrap();
    let (mut redis, mut postgres) = (Server::redis().await, Server::postgres().await);
    let settings = with(
        &[
            format!("database.url=postgres://postgres@127.0.0.1:{}/postgres", postgres.port()),
            format!("stream.url=redis://127.0.0.1:{}", redis.port()),
        ],
        &["ingester.sources=[]", "worker.claim_idle=1s", "worker.batch_size=32"],
    );
    let process = Process::start(folder.path(), &settings).await;
    process.append(&posts(POSTS)).await;
    processed_some(&process, 50).await;

    redis.kill().await;
    let unavailable = |health: &Value| health["services"]["redis"] == "disconnected" && health["status"] != "healthy";
    process.wait_until("health reports that Redis is unavailable", unavailable).await;
    redis.start().await;
    processed_some(&process, 200).await;

    postgres.kill().await;
    let unavailable =
        |health: &Value| health["services"]["database"] == "disconnected" && health["status"] != "healthy";
    process.wait_until("health reports that Postgres is unavailable", unavailable).await;
    postgres.start().await;

    let health = process.drained(POSTS).await;
    assert_eq!(health["stats"]["books"]["analysed"], POSTS, "{health:#}");
    assert_eq!(health["stats"]["dead_letters"], 0, "an unavailable backend causes no dead letter");
    assert_eq!(process.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn process_waits_for_backends_that_are_down_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let (mut redis, mut postgres) = (Server::redis().await, Server::postgres().await);
    let settings = with(
        &[
            format!("database.url=postgres://postgres@127.0.0.1:{}/postgres", postgres.port()),
            format!("stream.url=redis://127.0.0.1:{}", redis.port()),
        ],
        &["ingester.sources=[]"],
    );
    redis.kill().await;
    postgres.kill().await;
    let process = Process::start(folder.path(), &settings).await;
    let readiness = crate::web::get(format!("{}/readyz", process.url)).await.unwrap();
    assert_eq!(readiness.status(), 503);
    redis.start().await;
    postgres.start().await;
    process.wait_until("health is healthy", |health| health["status"] == "healthy").await;
    process.append(&posts(20)).await;
    process.drained(20).await;
}

async fn migrate(folder: &Path, settings: &[String]) {
    let output = command(folder, settings).arg("migrate").output().await.expect("the command runs");
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_migrations_both_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let shared = Shared::create().await;
    let settings = shared.settings();
    tokio::join!(migrate(folder.path(), &settings), migrate(folder.path(), &settings));
    tokio::join!(migrate(folder.path(), &[]), migrate(folder.path(), &[]));
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'social_media_posts'";
    assert_eq!(services::number(&shared.postgres_url, tables).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn second_server_on_the_same_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = with(&[], &["ingester.sources=[]"]);
    let _first = Process::start(folder.path(), &settings).await;
    let second = command(folder.path(), &settings).arg("serve").output().await.unwrap();
    assert_eq!(second.status.code(), Some(2), "{}", String::from_utf8_lossy(&second.stderr));

    // The first server creates the database through a symbolic link.
    std::os::unix::fs::symlink("real.db", folder.path().join("link.db")).unwrap();
    let database = |name| with(&settings, &[&format!("database.url=sqlite://{name}")]);
    let _linked = Process::start(folder.path(), &database("link.db")).await;
    let second = command(folder.path(), &database("real.db")).arg("serve").output().await.unwrap();
    assert_eq!(second.status.code(), Some(2), "{}", String::from_utf8_lossy(&second.stderr));
    assert!(folder.path().join("real.db.key").exists() && !folder.path().join("link.db.key").exists());
}
