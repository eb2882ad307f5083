//! A long run on Postgres and Redis: posts, edits, deletions, retention and clients at once, as fast as the machine takes
//! them. Memory, open files, sizes of tables and latencies must not grow.
//!
//! `make soak` runs it; `SOAK_POSTS` sets the number of posts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::Config;
use fred::types::{ClusterHash, CustomCommand, Value};
use sentistream::clock::Clock;
use tokio_util::sync::CancellationToken;

use crate::process::Process;
use crate::services::{self, Shared};

/// Eight hours of ten posts a second.
const POSTS: usize = 288_000;
const CLIENTS: usize = 50;
/// Parts of the run that are compared.
const PARTS: usize = 10;
/// The number of entries of a request, and the number of entries that may wait.
const BATCH: usize = 500;
const AHEAD: u64 = 5_000;
/// The parts before the first one that is compared.
const WARM_UP: usize = 2;
/// Latencies that are measured after each batch.
const READINGS: usize = 10;
/// The largest allowed ratio of a value of the last part to that of an early part.
const GROWTH: f64 = 1.1;

struct Sample {
    memory_kib: f64,
    files: f64,
    tables: f64,
    redis: f64,
    latencies_ms: Vec<f64>,
}

#[expect(clippy::disallowed_methods, reason = "`make soak` passes its number in the environment")]
fn posts() -> usize {
    std::env::var("SOAK_POSTS").ok().and_then(|text| text.parse().ok()).unwrap_or(POSTS)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make soak"]
async fn resources_stay_flat_over_a_long_run() {
    let folder = tempfile::tempdir().unwrap();
    let shared = Shared::create().await;
    let mut settings = shared.settings();
    settings.extend(["ingester.sources=[]", "server.rate_limit=0", "retention.posts=1h"].map(str::to_owned));
    // The run reaches this bound in its first part, and would reach the default one only at its end.
    settings.push("stream.processed_max_len=10000".to_owned());
    let process = Process::start(folder.path(), &settings).await;
    let redis = Client::new(Config::from_url(&shared.redis_url).unwrap(), None, None, None);
    redis.init().await.unwrap();
    let stop = CancellationToken::new();
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(client(process.url.clone(), stop.clone()))).collect();

    let (total, stream) = (posts(), format!("{}_posts", shared.prefix));
    let mut samples = Vec::new();
    let mut latencies = Vec::new();
    for part in 0..PARTS {
        let started = Instant::now();
        let mut sent = part * total / PARTS;
        while sent < (part + 1) * total / PARTS {
            let pipeline = redis.pipeline();
            for number in sent..sent + BATCH {
                for fields in entries(number) {
                    let mut args: Vec<Value> = vec![stream.as_str().into(), "*".into()];
                    args.extend(fields.into_iter().flat_map(|(name, value)| [name.into(), value.into()]));
                    let command = CustomCommand::new_static("XADD", ClusterHash::FirstKey, false);
                    pipeline.custom::<(), _>(command, args).await.unwrap();
                }
            }
            pipeline.all::<Value>().await.unwrap();
            sent += BATCH;
            process.wait_until("entries are settled", |health| health["stats"]["pending"].as_u64() < Some(AHEAD)).await;
            for _ in 0..READINGS {
                latencies.push(latency(&process).await);
            }
        }
        // A part represents hours, in which autovacuum would have run many times.
        services::execute(&shared.postgres_url, "VACUUM").await;
        let sample = sample(&process, &shared, &redis, std::mem::take(&mut latencies)).await;
        let (seconds, p99) = (started.elapsed().as_secs(), p99(std::slice::from_ref(&sample)));
        eprintln!(
            "soak: part {} of {PARTS} in {seconds} s: memory {:.0} MB, {} files, tables {:.0} MB, Redis {:.1} MB, p99 {p99:.0} ms",
            part + 1,
            sample.memory_kib / 1e3,
            sample.files,
            sample.tables / 1e6,
            sample.redis / 1e6,
        );
        samples.push(sample);
    }
    stop.cancel();
    for client in clients {
        client.await.unwrap();
    }
    // The first parts fill caches, pools and the retention period. The slowest requests are rare, so that each side of
    // their comparison has three parts.
    let (early, last) = (&samples[WARM_UP], &samples[PARTS - 1]);
    let pairs: BTreeMap<_, _> = [
        ("memory", (early.memory_kib, last.memory_kib)),
        ("files", (early.files, last.files)),
        ("tables", (early.tables, last.tables)),
        ("redis", (early.redis, last.redis)),
        ("p99", (p99(&samples[WARM_UP..WARM_UP + 3]), p99(&samples[PARTS - 3..]))),
    ]
    .into();
    for (what, (early, last)) in pairs {
        assert!(last <= early * GROWTH, "{what} grew from {early} to {last}");
    }
}

/// The entries of one post: the post, and for some posts an edit or a deletion.
fn entries(number: usize) -> Vec<Vec<(&'static str, String)>> {
    // Old enough that posts leave the retention period of an hour within half a minute, as in a run of days.
    let created = Clock::system().now() - Duration::from_secs(3_570 + (number % 25) as u64);
    let created = created.as_seconds().to_string();
    let id = format!("s{number}");
    let mut post = vec![
        ("post_id", id.clone()),
        ("source", "web".to_owned()),
        ("author", format!("a{}", number % 1_000)),
        ("created_at", created.clone()),
        ("content", format!("I love how fast this is, number {number}")),
    ];
    let mut entries = vec![post.clone()];
    if number % 20 == 7 {
        post.extend([("op", "replace".to_owned()), ("edited_at", created)]);
        entries.push(post);
    }
    if number % 20 == 3 {
        let earlier = format!("s{}", number.saturating_sub(500));
        entries.push(vec![("op", "delete".to_owned()), ("post_id", earlier)]);
        entries.push(vec![("op", "delete".to_owned()), ("post_id", format!("unknown{number}"))]);
    }
    entries
}

async fn client(url: String, stop: CancellationToken) {
    let client = crate::web::builder().timeout(Duration::from_secs(30)).build().unwrap();
    for path in ["/api/posts?limit=50", "/api/stats", "/api/distribution", "/api/aggregate?period=hour"].iter().cycle()
    {
        if stop.is_cancelled() {
            return;
        }
        let _ = client.get(format!("{url}{path}")).send().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The time of a request for one page of posts, in milliseconds.
async fn latency(process: &Process) -> f64 {
    let started = Instant::now();
    process.get("/api/posts?limit=50").await;
    started.elapsed().as_secs_f64() * 1e3
}

async fn sample(process: &Process, shared: &Shared, redis: &Client, latencies_ms: Vec<f64>) -> Sample {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let files = std::fs::read_dir(format!("/proc/{}/fd", process.id())).unwrap().count();
    let tables = "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace n ON \
                  n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'r'";
    let info: String = redis
        .custom(CustomCommand::new_static("INFO", ClusterHash::FirstKey, false), vec![Value::from("memory")])
        .await
        .unwrap();
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    Sample {
        memory_kib: memory.trim().trim_end_matches(" kB").trim().parse().unwrap(),
        files: files as f64,
        tables: services::number(&shared.postgres_url, tables).await as f64,
        redis: used.trim().parse().unwrap(),
        latencies_ms,
    }
}

/// The 99th percentile of the latencies of these parts, in milliseconds.
fn p99(samples: &[Sample]) -> f64 {
    let mut latencies: Vec<f64> = samples.iter().flat_map(|sample| sample.latencies_ms.iter().copied()).collect();
    latencies.sort_by(f64::total_cmp);
    latencies[latencies.len() * 99 / 100]
}
