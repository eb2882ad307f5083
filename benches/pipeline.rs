//! Posts per second from append to acknowledgement, with a classifier that returns immediately. This measures the cost
//! of the stream, the store and the worker.
//!
//! `cargo bench --bench pipeline -- [POSTS]`; Redis and Postgres are measured when
//! `SENTISTREAM_TEST_REDIS_URL` and `SENTISTREAM_TEST_POSTGRES_URL` are set (`make bench`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sentistream::app::{self, Services};
use sentistream::clock::Clock;
use sentistream::config::{Config, Inputs};
use sentistream::domain::{Analysis, Op, PostDraft, Scores, Timestamp};
use sentistream::inference::{ActiveClassifier, Classifier, InferenceError, ModelInfo, SharedClassifier};
use sentistream::lifecycle::Shutdown;
use sentistream::worker;

/// A classifier that immediately returns the same analysis for every text.
struct Free(ModelInfo);

impl Classifier for Free {
    fn classify(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        let model: Arc<str> = Arc::from(self.0.name.as_str());
        let analysis = |n: usize| {
            let mut scores = Scores::default();
            scores.sentiment[n % 3] = 0.8;
            scores.emotion[n % 7] = 0.9;
            Analysis::from_scores(Arc::clone(&model), scores, 12, false)
        };
        let analyses = (0..texts.len()).map(analysis).collect();
        Box::pin(async move { Ok(analyses) })
    }

    fn info(&self) -> &ModelInfo {
        &self.0
    }
}

fn free_classifier() -> ActiveClassifier {
    let free: SharedClassifier = Arc::new(Free(ModelInfo {
        name: "free".to_owned(),
        architecture: "none".to_owned(),
        precision: "none".to_owned(),
        max_tokens: 512,
        parameters: 0,
        layers: 0,
        exits: Vec::new(),
        int8_agreement: None,
        languages: Vec::new(),
        warnings: Vec::new(),
        load_ms: 0,
    }));
    ActiveClassifier::from(free)
}

fn entries(posts: usize, now: Timestamp) -> Vec<sentistream::domain::RawFields> {
    let sources = ["twitter", "reddit", "mastodon", "news"];
    (0..posts)
        .map(|n| {
            let draft = PostDraft {
                post_id: Some(format!("bench-{:016x}", (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))),
                source: Some(sources[n % sources.len()].to_owned()),
                content: Some(format!(
                    "Post number {n}: the new phone is out and everybody has something to say about it"
                )),
                author: Some(format!("author{}", n % 1_000)),
                ..PostDraft::default()
            };
            Op::Post(draft.validate(now - Duration::from_secs(n as u64 % 3_600)).expect("the post is not valid"))
                .to_fields()
        })
        .collect()
}

async fn measure(name: &str, settings: &[String], posts: usize) -> anyhow::Result<()> {
    let inputs = Inputs { sets: settings.to_vec(), ..Inputs::default() };
    let (config, _) = Config::load(&inputs)?;
    let services: Services = app::open(&config, Clock::system()).await?;
    services.store.migrate().await?;
    let shutdown = Shutdown::default();
    let worker = app::worker(&config, &services, free_classifier());
    let entries = entries(posts, Clock::system().now());

    let (started, cpu) = (Instant::now(), cpu_seconds());
    let pool = tokio::spawn(worker::run(worker, shutdown.clone()));
    for chunk in entries.chunks(500) {
        services.stream.append(chunk.to_vec()).await?;
    }
    let appended = started.elapsed();
    let mut poll = tokio::time::interval(Duration::from_millis(10));
    while services.stream.depth().await?.pending() > 0 {
        poll.tick().await;
    }
    let elapsed = started.elapsed();
    let cpu = cpu_seconds() - cpu;
    shutdown.stop();
    pool.await??;
    let stored: i64 = services.store.sources().await?.iter().map(|source| source.counts.total()).sum();
    anyhow::ensure!(stored == posts as i64, "{stored} of {posts} posts were stored");
    println!(
        "{name:<18} {:>9.0} posts/s  {:>5.0} µs of CPU per post in this process  ({posts} posts in {:.2} s, appended \
         after {:.2} s)",
        posts as f64 / elapsed.as_secs_f64(),
        cpu * 1e6 / posts as f64,
        elapsed.as_secs_f64(),
        appended.as_secs_f64()
    );
    Ok(())
}

/// The CPU time of this process so far; 0 if the system does not report it.
fn cpu_seconds() -> f64 {
    /// The number of clock ticks per second, the unit of the times in `/proc/self/stat`.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the process, in parentheses, may contain spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let of = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default();
    (of(11) + of(12)) / TICKS
}

fn services() -> Option<Vec<String>> {
    #[expect(clippy::disallowed_methods, reason = "a bench has no configuration")]
    let variable = |name: &str| std::env::var(name).ok();
    let database = variable("SENTISTREAM_TEST_POSTGRES_URL")?;
    let redis = variable("SENTISTREAM_TEST_REDIS_URL")?;
    let prefix = format!("bench_{}", uuid::Uuid::new_v4().simple());
    Some(vec![
        format!("database.url={database}"),
        format!("stream.url={redis}"),
        format!("stream.name={prefix}_posts"),
        format!("stream.dead_letter={prefix}_dead"),
        format!("stream.processed={prefix}_processed"),
    ])
}

fn tuned(mut settings: Vec<String>, more: &[&str]) -> Vec<String> {
    settings.push("stream.max_backlog=1000000".to_owned());
    settings.extend(more.iter().map(|&setting| setting.to_owned()));
    settings
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let posts = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(60_000);
    let folder = tempfile::tempdir()?;
    let embedded = vec![format!("database.url=sqlite://{}", folder.path().join("bench.db").display())];
    measure("embedded", &tuned(embedded, &["worker.tasks=2", "worker.batch_size=500"]), posts).await?;
    match services() {
        Some(services) => {
            measure("redis + postgres", &tuned(services, &["worker.tasks=3", "worker.batch_size=500"]), posts).await?;
        }
        None => println!("redis + postgres: skipped, because no services are configured (run `make bench`)"),
    }
    Ok(())
}
