//! Measures the sources against fakes of their services: the speed of parsing, the speed of reading a backlog of
//! Bluesky events, and the number of posts that are lost in a long run with interruptions.
//!
//! `cargo bench --bench sources` measures both speeds; `-- soak SECONDS` reads for SECONDS, interrupts all sources
//! every 30 s and counts the lost posts. Redis and Postgres are measured too when `SENTISTREAM_TEST_REDIS_URL` and
//! `SENTISTREAM_TEST_POSTGRES_URL` are set.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the bench")]

#[path = "../tests/it/fakes/feeds.rs"]
#[expect(dead_code, reason = "only the tests use every item")]
mod feeds;
#[path = "../tests/it/fakes/hackernews.rs"]
#[expect(dead_code, reason = "only the tests use every item")]
mod hackernews;
#[path = "../tests/it/fakes/jetstream.rs"]
#[expect(dead_code, reason = "only the tests use every item")]
mod jetstream;
#[path = "../tests/it/fakes/mastodon.rs"]
#[expect(dead_code, reason = "only the tests use every item")]
mod mastodon;
#[path = "sources/polled.rs"]
mod polled;
#[path = "../tests/it/fakes/reddit.rs"]
#[expect(dead_code, reason = "only the tests use every item")]
mod reddit;
#[path = "../tests/it/fakes/web.rs"]
#[expect(dead_code, reason = "only the tests use every item")]
mod web;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sentistream::app::{self, Services};
use sentistream::clock::Clock;
use sentistream::config::{Config, Inputs};
use sentistream::domain::{Analysis, Scores, Timestamp};
use sentistream::inference::{ActiveClassifier, Classifier, InferenceError, ModelInfo, SharedClassifier};
use sentistream::ingester::{self, IngesterOptions, IngesterServices};
use sentistream::lifecycle::Shutdown;
use sentistream::sources::bluesky::{self, BlueskyOptions, Filter, FilterOptions};
use sentistream::sources::{SourceSpec, SourceStates};
use sentistream::worker;
use serde_json::json;

use jetstream::{Faults, Jetstream, Log, account, commit};

/// The number of events of a backlog.
const BACKLOG: usize = 200_000;
/// The number of Bluesky events per second in a soak.
const SOAK_RATE: usize = 50;
/// The number of Bluesky events per post of each other source.
const ELSEWHERE: usize = 25;
/// The interval between two interruptions.
const CUT_EVERY: Duration = Duration::from_secs(30);

/// Event number `n` of the simulated network, which has the usual shares of deletions, replies, links and account
/// events.
fn event(n: usize, time_us: i64) -> String {
    let did = format!("did:plc:{:024}", n % 5_000);
    let rkey = format!("3l{n:011}");
    let created = Timestamp::from_micros(time_us).unwrap().to_string();
    let text =
        format!("Number {n}: the new phone is out 📱 and everybody has something to say about it, example.org/a…");
    let (start, end) = (text.find("example").unwrap(), text.len());
    let post = json!({
        "$type": "app.bsky.feed.post", "text": text, "langs": ["en"], "createdAt": created,
        "facets": [{"index": {"byteStart": start, "byteEnd": end}, "features":
            [{"$type": "app.bsky.richtext.facet#link", "uri": "https://example.org/a/long/path"}]}],
    });
    let mut reply = post.clone();
    let parent = format!("at://{did}/app.bsky.feed.post/3lparent");
    let reference = json!({"cid": "bafyreib2rxk3rybk3aobmv5cjuql3bm2twh4jo5uxgf5kpqcsgz7soitae", "uri": parent});
    reply["reply"] = json!({"root": reference, "parent": reference});
    match n % 20 {
        0 => commit("delete", (&did, &format!("3l{:011}", n.saturating_sub(7))), time_us, json!(null)),
        1 => account(&did, time_us, ""),
        2..=11 => commit("create", (&did, &rkey), time_us, reply),
        _ => commit("create", (&did, &rkey), time_us, post),
    }
}

fn everything() -> Filter {
    Filter::new(&FilterOptions::default()).unwrap()
}

/// Prints how many events per second one core parses.
fn read() {
    let now = Clock::system().now();
    let events: Vec<_> = (0..20_000).map(|n| event(n, now.as_micros() + n as i64)).collect();
    let bytes: usize = events.iter().map(String::len).sum();
    let filters = [
        ("everything", everything()),
        ("ten keywords", {
            let keywords = (0..10).map(|n| format!("word{n}")).collect();
            let options = FilterOptions { languages: vec!["en".to_owned()], keywords, ..FilterOptions::default() };
            Filter::new(&options).unwrap()
        }),
    ];
    for (name, filter) in filters {
        let (started, mut count) = (Instant::now(), 0);
        while started.elapsed() < Duration::from_secs(2) {
            for event in &events {
                std::hint::black_box(bluesky::read(event, &filter, now).unwrap());
            }
            count += events.len();
        }
        let rate = count as f64 / started.elapsed().as_secs_f64();
        let size = bytes / events.len();
        println!("read, {name:<14} {rate:>10.0} events/s on one core ({size} bytes each)");
    }
}

fn spec(host: &Jetstream) -> SourceSpec {
    let options = BlueskyOptions {
        hosts: vec![host.url.clone()],
        filter: everything(),
        authors: Vec::new(),
        api: "http://127.0.0.1:1/".parse().unwrap(),
        look_back: Duration::from_secs(129_600),
        idle_limit: Duration::from_secs(45),
        dictionary: None,
        history: Duration::ZERO,
    };
    bluesky::spec("bluesky", options, polled::fetcher, Clock::system())
}

async fn opened(settings: &[String]) -> (Config, Services) {
    let inputs = Inputs { sets: settings.to_vec(), ..Inputs::default() };
    let (config, _) = Config::load(&inputs).unwrap();
    let services = app::open(&config, Clock::system()).await.unwrap();
    services.store.migrate().await.unwrap();
    (config, services)
}

struct Ingesting {
    states: SourceStates,
    shutdown: Shutdown,
    role: tokio::task::JoinHandle<anyhow::Result<()>>,
}

fn ingest(services: &Services, sources: Vec<SourceSpec>) -> Ingesting {
    let (shutdown, states) = (Shutdown::default(), SourceStates::default());
    let services = IngesterServices {
        stream: services.stream.clone(),
        store: services.store.clone(),
        states: states.clone(),
        clock: Clock::system(),
    };
    let role = tokio::spawn(ingester::run(sources, services, IngesterOptions::default(), shutdown.clone()));
    Ingesting { states, shutdown, role }
}

impl Ingesting {
    async fn stop(self) {
        self.shutdown.stop();
        self.role.await.unwrap().unwrap();
    }
}

/// Measures the time to read a backlog, from the first byte that the fake server sends to the last append.
async fn catch_up(name: &str, settings: &[String]) {
    let (_, services) = opened(settings).await;
    let log = Log::new();
    let begin = Clock::system().now().as_micros() - 129_000_000_000;
    for n in 0..BACKLOG {
        let time_us = begin + n as i64 * 600_000;
        log.push(time_us, event(n, time_us));
    }
    // The expected number of entries: all events except account events.
    let expected = (0..BACKLOG).filter(|n| n % 20 != 1).count() as u64;
    let host = Jetstream::start(&log, Faults::default()).await;
    let started = Instant::now();
    let ingesting = ingest(&services, vec![spec(&host)]);
    let mut poll = tokio::time::interval(Duration::from_millis(10));
    while services.stream.depth().await.unwrap().appended < expected {
        poll.tick().await;
    }
    let seconds = started.elapsed().as_secs_f64();
    ingesting.stop().await;
    let minutes = 36.0 * 3_600.0 * 50.0 / (BACKLOG as f64 / seconds) / 60.0;
    println!(
        "backlog, {name:<18} {:>8.0} events/s into the stream ({BACKLOG} in {seconds:.2} s; 36 h at 50/s: \
         {minutes:.1} min)",
        BACKLOG as f64 / seconds
    );
}

/// Reads posts at a usual rate, with an interruption every 30 s.
async fn soak(name: &str, settings: &[String], length: Duration) {
    let (config, services) = opened(settings).await;
    let log = Log::new();
    let host = Jetstream::start(&log, Faults::default()).await;
    let workers = Shutdown::default();
    let pool = tokio::spawn(worker::run(app::worker(&config, &services, free_classifier()), workers.clone()));
    let network = polled::Network::start().await;
    let sources = network.specs().into_iter().chain([spec(&host)]).collect();
    let ingesting = ingest(&services, sources);
    let (started, mut cut, mut sent, mut cuts) = (Instant::now(), CUT_EVERY, 0, 0);
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while started.elapsed() < length {
        tick.tick().await;
        let due = (started.elapsed().as_secs_f64() * SOAK_RATE as f64) as usize;
        while sent < due {
            let now = Clock::system().now().as_micros();
            // Only new posts: with deletions, the expected count would depend on the deleted posts.
            log.push(now, event(20 * sent + 12, now));
            if sent % ELSEWHERE == 0 {
                network.publish();
            }
            sent += 1;
        }
        if started.elapsed() >= cut {
            host.cut();
            network.cut();
            cut += CUT_EVERY;
            cuts += 1;
        }
    }
    let wanted = |source: &str| if source == "bluesky" { sent as i64 } else { network.published() as i64 };
    let settled = async {
        loop {
            tick.tick().await;
            let stored = stored(&services).await;
            let all = SOURCES.iter().all(|source| stored.get(*source).is_some_and(|count| *count >= wanted(source)));
            if all && services.stream.depth().await.unwrap().pending() == 0 {
                return;
            }
        }
    };
    // Posts that are not stored after this timeout count as lost.
    let _ = tokio::time::timeout(Duration::from_secs(60), settled).await;
    let states = ingesting.states.all();
    ingesting.stop().await;
    workers.stop();
    pool.await.unwrap().unwrap();
    let depth = services.stream.depth().await.unwrap();
    let duplicates = services.store.outcomes(&depth.epoch).await.unwrap().duplicate;
    println!("soak, {name}: {} s, {cuts} cuts, {duplicates} duplicates", length.as_secs());
    let stored = stored(&services).await;
    for source in SOURCES {
        let errors = states.iter().find(|state| state.name == source).map_or(0, |state| state.errors);
        let (sent, stored) = (wanted(source), stored.get(source).copied().unwrap_or(0));
        println!("  {source:<12} {errors:>5} failures: sent {sent}, stored {stored}, lost {}", sent - stored);
    }
}

/// The sources of a soak.
const SOURCES: [&str; 5] = ["bluesky", "mastodon", "rss", "hackernews", "reddit"];

/// The number of stored posts of each source.
async fn stored(services: &Services) -> BTreeMap<String, i64> {
    let sources = services.store.sources().await.unwrap();
    sources.iter().map(|source| (source.source.clone(), source.counts.total())).collect()
}

fn free_classifier() -> ActiveClassifier {
    let free: SharedClassifier = Arc::new(Free::default());
    ActiveClassifier::from(free)
}

/// A classifier that immediately returns the same analysis for every text.
struct Free(ModelInfo);

impl Default for Free {
    fn default() -> Self {
        Self(ModelInfo {
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
        })
    }
}

impl Classifier for Free {
    fn classify(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        let model: Arc<str> = Arc::from(self.0.name.as_str());
        let analyses = texts.iter().map(|_| Analysis::from_scores(Arc::clone(&model), Scores::default(), 12, false));
        let analyses = analyses.collect();
        Box::pin(async move { Ok(analyses) })
    }

    fn info(&self) -> &ModelInfo {
        &self.0
    }
}

fn external_servers() -> Option<Vec<String>> {
    #[expect(clippy::disallowed_methods, reason = "a bench has no configuration")]
    let variable = |name: &str| std::env::var(name).ok();
    let (database, redis) = (variable("SENTISTREAM_TEST_POSTGRES_URL")?, variable("SENTISTREAM_TEST_REDIS_URL")?);
    let prefix = format!("bench_{}", uuid::Uuid::new_v4().simple());
    Some(vec![
        format!("database.url={database}"),
        format!("stream.url={redis}"),
        format!("stream.name={prefix}_posts"),
        format!("stream.dead_letter={prefix}_dead"),
        format!("stream.processed={prefix}_processed"),
        "stream.max_backlog=1000000".to_owned(),
    ])
}

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bench.db");
    let embedded = vec![format!("database.url=sqlite://{}", file.display()), "stream.max_backlog=1000000".to_owned()];
    let mut setups = vec![("embedded", embedded)];
    setups.extend(external_servers().map(|settings| ("redis + postgres", settings)));
    if let Some(at) = arguments.iter().position(|argument| argument == "soak") {
        let seconds = arguments.get(at + 1).and_then(|text| text.parse().ok()).unwrap_or(600);
        let length = Duration::from_secs(seconds);
        // The soaks run concurrently, because they measure losses and not speed.
        let soaks = setups.iter().map(|(name, settings)| soak(name, settings, length));
        futures_util::future::join_all(soaks).await;
        return;
    }
    read();
    polled::read();
    for (name, settings) in &setups {
        catch_up(name, settings).await;
    }
}
