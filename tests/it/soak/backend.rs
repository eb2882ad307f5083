//! The set-ups of the long run: how entries are appended, and how much space the databases use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::dsl::sql;
use diesel::sql_types::BigInt;
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::Config;
use fred::types::{ClusterHash, CustomCommand, Value};
use futures_util::future::join_all;
use sentistream::domain::Timestamp;
use serde_json::json;

use super::Entry;
use crate::chaos::clock::FakeClock;
use crate::process::Process;
use crate::services::{self, Shared};

/// The settings of both set-ups.
const SETTINGS: [&str; 3] = ["ingester.sources=[]", "server.rate_limit=0", "retention.posts=1h"];

/// A set-up with one process.
pub trait Backend {
    fn process(&self) -> &Process;
    fn clock(&self) -> &FakeClock;
    async fn append(&self, entries: &[Entry]);
    /// The number of stored posts.
    async fn stored(&self) -> f64;
    /// The sizes of the databases in bytes, by name, and the bytes per stored post.
    async fn values(&self) -> BTreeMap<&'static str, f64>;

    /// Moves the clock of the process forward. Returns the time by which it is ahead of the real clock.
    fn set_clock(&self, ahead: Duration) -> Duration {
        if !self.prunes() {
            return Duration::ZERO;
        }
        self.clock().set_ahead(ahead);
        ahead
    }

    /// Whether posts leave the retention period during the run, which needs libfaketime.
    fn prunes(&self) -> bool {
        self.clock().can_jump()
    }
}

fn clock(folder: &Path) -> FakeClock {
    let clock = FakeClock::new(&folder.join("clock"));
    if !clock.can_jump() {
        eprintln!("soak: libfaketime is not installed, so no post is pruned during the run");
    }
    clock
}

/// One process with an embedded database. Edits are not appended, because the API does not accept them.
pub struct Embedded {
    folder: tempfile::TempDir,
    clock: FakeClock,
    process: Process,
    client: reqwest::Client,
}

impl Embedded {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = clock(folder.path());
        let process = Process::start_in(folder.path(), &SETTINGS.map(str::to_owned), &clock.environment()).await;
        process.ready().await;
        Self { folder, clock, process, client: crate::web::client() }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("data/sentistream.db")
    }

    async fn number(&self, query: &'static str) -> f64 {
        let path = self.database().display().to_string();
        let read = move || {
            let mut connection = SqliteConnection::establish(&path).unwrap();
            diesel::select(sql::<BigInt>(query)).get_result::<i64>(&mut connection).unwrap()
        };
        tokio::task::spawn_blocking(read).await.unwrap() as f64
    }

    async fn delete(&self, id: &str) {
        let answer = self.client.delete(format!("{}/api/posts/{id}", self.process.url)).send().await.unwrap();
        assert!([204, 404].contains(&answer.status().as_u16()), "{}", answer.status());
    }
}

impl Backend for Embedded {
    fn process(&self) -> &Process {
        &self.process
    }

    fn clock(&self) -> &FakeClock {
        &self.clock
    }

    async fn append(&self, entries: &[Entry]) {
        let post = |entry: &Entry| {
            let created = Timestamp::from_unix(entry.created).unwrap();
            json!({
                "post_id": entry.id, "source": "web", "author": entry.author, "content": entry.content,
                "created_at": created,
            })
        };
        let posts: Vec<serde_json::Value> = entries.iter().map(post).collect();
        self.process.append(&posts).await;
        join_all(entries.iter().flat_map(|entry| &entry.deleted).map(|id| self.delete(id))).await;
    }

    async fn stored(&self) -> f64 {
        self.number("(SELECT count(*) FROM social_media_posts)").await
    }

    async fn values(&self) -> BTreeMap<&'static str, f64> {
        const USED: &str = "(SELECT (page_count - freelist_count) * page_size \
                            FROM pragma_page_count, pragma_freelist_count, pragma_page_size)";
        let (used, stored) = (self.number(USED).await, self.stored().await);
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let disk = size(&self.database()) + size(&self.database().with_extension("db-wal"));
        [("tables per post", used / stored), ("disk", disk as f64)].into()
    }
}

/// One process on Postgres and Redis.
pub struct Scaled {
    _folder: tempfile::TempDir,
    shared: Shared,
    clock: FakeClock,
    process: Process,
    redis: Client,
}

impl Scaled {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (shared, clock) = (Shared::create().await, clock(folder.path()));
        let mut settings = shared.settings();
        settings.extend(SETTINGS.map(str::to_owned));
        // With this limit the stream of processed entries is full after the first part. With the default limit it
        // would grow until the end of the run.
        settings.push("stream.processed_max_len=10000".to_owned());
        let process = Process::start_in(folder.path(), &settings, &clock.environment()).await;
        process.ready().await;
        let redis = Client::new(Config::from_url(&shared.redis_url).unwrap(), None, None, None);
        redis.init().await.unwrap();
        Self { _folder: folder, shared, clock, process, redis }
    }

    async fn number(&self, query: &str) -> f64 {
        services::number(&self.shared.postgres_url, query).await as f64
    }
}

impl Backend for Scaled {
    fn process(&self) -> &Process {
        &self.process
    }

    fn clock(&self) -> &FakeClock {
        &self.clock
    }

    async fn append(&self, entries: &[Entry]) {
        let stream = format!("{}_posts", self.shared.prefix);
        let pipeline = self.redis.pipeline();
        let all = entries.iter().flat_map(|entry| fields(entry).into_iter().map(|fields| (entry.appended_ms, fields)));
        for (ms, fields) in all {
            // The clock of Redis is not moved, so the id of an entry contains the time on the clock of the process.
            let mut args: Vec<Value> = vec![stream.as_str().into(), format!("{ms}-*").into()];
            args.extend(fields.into_iter().flat_map(|(name, value)| [name.into(), value.into()]));
            let command = CustomCommand::new_static("XADD", ClusterHash::FirstKey, false);
            pipeline.custom::<(), _>(command, args).await.unwrap();
        }
        pipeline.all::<Value>().await.unwrap();
    }

    async fn stored(&self) -> f64 {
        self.number("SELECT count(*) FROM social_media_posts").await
    }

    async fn values(&self) -> BTreeMap<&'static str, f64> {
        // `settled_entries` is left out, because its rows are kept for ten minutes of real time, and the run ends
        // earlier.
        const TABLES: &str = "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace n ON \
                              n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'r' \
                              AND c.relname <> 'settled_entries'";
        // In production, autovacuum would run during the time that a part simulates, so this test runs VACUUM.
        services::execute(&self.shared.postgres_url, "VACUUM").await;
        let (tables, stored) = (self.number(TABLES).await, self.stored().await);
        let command = CustomCommand::new_static("INFO", ClusterHash::FirstKey, false);
        let info: String = self.redis.custom(command, vec![Value::from("memory")]).await.unwrap();
        let redis = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        [("tables per post", tables / stored), ("disk", tables), ("redis", redis.trim().parse().unwrap())].into()
    }
}

/// The entries for one post: the post itself, and for some posts an edit or deletions.
fn fields(entry: &Entry) -> Vec<Vec<(&'static str, String)>> {
    let created = entry.created.to_string();
    let mut post = vec![
        ("post_id", entry.id.clone()),
        ("source", "web".to_owned()),
        ("author", entry.author.clone()),
        ("created_at", created.clone()),
        ("content", entry.content.clone()),
    ];
    let mut entries = vec![post.clone()];
    if entry.is_edited {
        post.extend([("op", "replace".to_owned()), ("edited_at", created)]);
        entries.push(post);
    }
    let deletion = |id: &String| vec![("op", "delete".to_owned()), ("post_id", id.clone())];
    entries.extend(entry.deleted.iter().map(deletion));
    entries
}
