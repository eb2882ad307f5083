//! A long run on each set-up with concurrent posts, edits, deletions, retention and clients, as fast as the machine
//! allows. Memory, open files, tables, disk usage, and the latencies while posts are processed must not grow.
//!
//! `make soak` runs these tests; `SOAK_POSTS` sets the number of posts. After each part of the run, the clock of the
//! process is moved forward, so that the posts of a part leave the retention period in the next part.
//!
//! A run of fewer than about 100,000 posts fails, because its first parts do not fill the logs and streams, which then
//! grow in later parts.

mod backend;
mod clients;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sentistream::clock::Clock;

use backend::{Backend, Embedded, Scaled};
use clients::Clients;

use crate::process::within;

/// The default number of posts: twenty posts per second for eight hours.
const POSTS: usize = 576_000;
/// The number of parts of the run. The last part is compared with an early part.
const PARTS: usize = 16;
/// The number of entries per request.
const BATCH: usize = 500;
/// The next request is sent when fewer entries than this number are pending.
const AHEAD: u64 = 5_000;
/// The number of parts before the first part that is compared. In these parts, caches, pools, logs and files reach
/// their size, and the keys of the first deleted posts reach the end of their retention.
const WARM_UP: usize = 6;
/// The number of parts at the end of the run whose latencies are compared. The median of the first half of these parts
/// is compared with the median of the second half.
const LATENCY_PARTS: usize = 10;
/// From this value of Kendall's S, the latencies count as growing. Of the 45 pairs of parts, S is the number in which
/// the later part is slower, minus the number in which it is faster. Without a trend, S is at least 27 in 0.8 % of the
/// runs. The ratio of the medians alone is not sufficient, because the 99th percentile of a part varies by a third on a
/// saturated machine.
const TREND: i64 = 27;
/// The maximum ratio between the late and the early measurement of the same value.
const GROWTH: f64 = 1.1;
/// The time by which the clock of the process is moved after each part.
const STEP: Duration = Duration::from_secs(900);
/// The age of posts when they are appended. The age is below the retention of 3,600 s, so the posts are stored. After
/// one [`STEP`] it is above the retention plus the accepted clock skew of 300 s, so the posts are pruned.
const AGE: Duration = Duration::from_secs(3_400);

/// A post of the run.
pub struct Entry {
    id: String,
    author: String,
    /// When the post was written, in Unix seconds.
    created: i64,
    /// When the post is appended, on the clock of the process, in Unix milliseconds.
    appended_ms: i64,
    content: String,
    is_edited: bool,
    /// The ids of an earlier post and an unknown post, which are deleted.
    deleted: Vec<String>,
}

impl Entry {
    /// The post with this number. `ahead` is the time by which the clock of the process has been moved.
    fn new(number: usize, ahead: Duration) -> Self {
        let now = Clock::system().now() + ahead;
        let created = now - AGE - Duration::from_secs((number % 25) as u64);
        let deletes = number % 20 == 3;
        let deleted = [format!("s{}", number.saturating_sub(BATCH)), format!("unknown{number}")];
        Self {
            id: format!("s{number}"),
            author: format!("a{}", number % 1_000),
            created: created.as_seconds(),
            appended_ms: now.as_millis(),
            // The numbers repeat, because the text index of Postgres keeps the words of pruned posts.
            content: format!("I love how fast this is, number {}", number % 1_000),
            is_edited: number % 20 == 7,
            deleted: deleted.into_iter().filter(|_| deletes).collect(),
        }
    }
}

/// The measurements after a part of the run.
struct Sample {
    /// The values that must not grow, by name.
    values: BTreeMap<&'static str, f64>,
    /// The latencies of the requests while entries were appended and settled.
    latencies_ms: Vec<f64>,
}

#[expect(clippy::disallowed_methods, reason = "`make soak` passes its number in the environment")]
fn posts() -> usize {
    std::env::var("SOAK_POSTS").ok().and_then(|text| text.parse().ok()).unwrap_or(POSTS)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make soak"]
async fn embedded_resource_use_does_not_grow() {
    run(Embedded::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make soak"]
async fn scaled_out_resource_use_does_not_grow() {
    run(Scaled::start().await).await;
}

async fn run(backend: impl Backend) {
    let process = backend.process();
    let clients = Clients::start(&process.url);
    let (total, mut samples) = (posts(), Vec::new());
    for part in 0..PARTS {
        let started = Instant::now();
        let ahead = backend.set_clock(STEP * u32::try_from(part).expect("few parts"));
        // The process waits for the next pruning for a time that differs between parts. Requests during that wait are
        // fast, and their number would decide the percentile, so only requests during the load are compared.
        clients.take();
        let numbers: Vec<usize> = (part * total / PARTS..(part + 1) * total / PARTS).collect();
        for batch in numbers.chunks(BATCH) {
            let entries: Vec<Entry> = batch.iter().map(|number| Entry::new(*number, ahead)).collect();
            backend.append(&entries).await;
            process.wait_until("entries are settled", |health| health["stats"]["pending"].as_u64() < Some(AHEAD)).await;
        }
        // All entries must be settled first, because a post that waits while the clock moves would be too old.
        process.wait_until("all entries are settled", |health| health["stats"]["pending"] == 0).await;
        let latencies_ms = clients.take();
        if backend.prunes() {
            let pruned = async || (backend.stored().await <= numbers.len() as f64).then_some(());
            within("the posts of the previous part are pruned", pruned).await;
        }
        let seconds = started.elapsed().as_secs_f64();
        let mut values = backend.values().await;
        values.insert("memory", memory_bytes(process.id()));
        values.insert("files", std::fs::read_dir(format!("/proc/{}/fd", process.id())).unwrap().count() as f64);
        let sample = Sample { values, latencies_ms };
        report(part, seconds, &sample);
        samples.push(sample);
    }
    let (requests, failed) = clients.stop().await;
    eprintln!("soak: {total} posts, {requests} requests of clients, {failed} failed");
    assert_eq!(failed, 0, "requests of clients failed");
    let last = &samples[PARTS - 1].values;
    let values = samples[WARM_UP].values.iter().map(|(name, early)| (*name, *early, last[name]));
    let latencies: Vec<f64> = samples[PARTS - LATENCY_PARTS..].iter().map(p99).collect();
    let (early, late) = latencies.split_at(LATENCY_PARTS / 2);
    let compared: Vec<_> = values.chain([("p99", median(early), median(late))]).collect();
    for (name, early, last) in &compared {
        eprintln!("soak: {name} {early:.0} -> {last:.0} ({:+.1} %)", (last / early - 1.0) * 100.0);
    }
    let trend = kendall(&latencies);
    eprintln!("soak: Kendall's S of the p99 is {trend}; latencies count as growing from {TREND}");
    let is_certain = |name: &str| name != "p99" || trend >= TREND;
    let grown = compared.iter().filter(|(name, early, last)| *last > early * GROWTH && is_certain(name));
    let grown: Vec<_> = grown.collect();
    assert!(grown.is_empty(), "grown by more than 10 %: {grown:?}");
}

fn report(part: usize, seconds: f64, sample: &Sample) {
    let values: Vec<String> = sample.values.iter().map(|(name, value)| format!("{name} {value:.0}")).collect();
    let (p99, requests) = (p99(sample), sample.latencies_ms.len());
    let (part, values) = (part + 1, values.join(", "));
    eprintln!("soak: part {part} of {PARTS} in {seconds:.0} s: {values}, p99 {p99:.0} ms of {requests} requests");
}

/// The resident memory of a process, in bytes.
fn memory_bytes(id: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() * 1_024.0
}

/// Kendall's S: the number of pairs in which the later value is higher, minus the number in which it is lower.
fn kendall(values: &[f64]) -> i64 {
    let sign = |early: f64, late: f64| i64::from(late > early) - i64::from(late < early);
    values.iter().enumerate().flat_map(|(at, early)| values[at + 1..].iter().map(move |late| sign(*early, *late))).sum()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The 99th percentile of the latencies of a part, in milliseconds.
fn p99(sample: &Sample) -> f64 {
    let mut latencies = sample.latencies_ms.clone();
    latencies.sort_by(f64::total_cmp);
    latencies.get(latencies.len() * 99 / 100).copied().unwrap_or_default()
}
