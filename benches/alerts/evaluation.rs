//! Measures the time of an evaluation of 500 rules.

use std::time::{Duration, Instant};

use sentistream::alerts::{AlertsOptions, AlertsServices, LEASE, Memory, tick};
use sentistream::clock::Clock;
use sentistream::domain::alert::RuleSpec;
use sentistream::live::{LiveBus, LocalBus};
use sentistream::sqlite::{Sqlite, SqliteOptions};
use sentistream::store::Store;
use sentistream::stream::{LocalStream, Stream, StreamOptions};
use serde_json::{Value, json};

use crate::load::SOURCES;

/// The number of rules, which have all kinds, and different scopes and groupings.
const RULES: usize = 500;
/// The number of measured evaluations.
const EVALUATIONS: usize = 20;

fn rule(number: usize) -> Value {
    let (kind, threshold) = [
        ("share", json!(0.6)),
        ("ratio", json!(3)),
        ("volume", json!(5_000)),
        ("spike", json!(8)),
        ("shift", json!(0.3)),
        ("absence", Value::Null),
    ][number % 6]
        .clone();
    let scope = match number % 20 {
        0 => "text:phone slow".to_owned(),
        1 | 2 => format!("author:author {}", number % 50),
        3..=8 => format!("source:{}", SOURCES[number % SOURCES.len()]),
        _ => "all".to_owned(),
    };
    let group_by = if number % 20 > 14 { "source_and_total" } else { "none" };
    let minutes = [1, 5, 10, 15, 30, 60][number / 6 % 6];
    json!({"name": format!("rule {number}"), "kind": kind, "threshold": threshold, "scope": scope, "group_by": group_by,
           "window": format!("{minutes}min"), "interval": "15s"})
}

/// Prints the duration of an evaluation in which all rules are due.
pub async fn measure(store: &Store) {
    let folder = tempfile::tempdir().expect("cannot create a temporary folder");
    let options = SqliteOptions {
        path: folder.path().join("queue.db"),
        readers: 1,
        read_timeout: Duration::from_secs(5),
        busy_timeout: Duration::from_secs(5),
    };
    let queue = Sqlite::open(&options).expect("cannot open the database file");
    let clock = Clock::system();
    Store::sqlite(
        queue.clone(),
        sentistream::store::Retention { minute_rollups: Duration::from_secs(86_400) },
        clock.clone(),
    )
    .migrate()
    .await
    .expect("cannot migrate the schema");
    let options = StreamOptions {
        name: "posts".to_owned(),
        group: "workers".to_owned(),
        dead_letter: "dead".to_owned(),
        processed: "processed".to_owned(),
        processed_max_len: 10,
        processed_max_bytes: 64 << 20,
        dead_letter_max_bytes: 64 << 20,
        claim_idle: Duration::from_secs(30),
        max_backlog: 10,
        command_timeout: Duration::from_secs(5),
    };
    let stream = Stream::Local(LocalStream::open(queue, options, clock.clone()).await.expect("cannot open the queue"));
    let services = AlertsServices { store: store.clone(), stream, live: LiveBus::Local(LocalBus::default()), clock };
    let options = AlertsOptions {
        interval: Duration::from_secs(15),
        max_lateness: Duration::from_secs(600),
        rules: (0..RULES)
            .map(|number| RuleSpec::parse(rule(number)).unwrap_or_else(|e| panic!("{e:?}")))
            .collect::<Vec<_>>()
            .into(),
        holder: "bench".to_owned(),
        lease_ttl: Duration::from_secs(3_600),
    };
    store.provision_alert_rules(&options.rules.current()).await.expect("cannot store the rules");
    let lease = store
        .acquire_lease(LEASE, "bench", options.lease_ttl)
        .await
        .expect("the store failed")
        .expect("another process holds the lease");
    let mut times = Vec::with_capacity(EVALUATIONS);
    for _ in 0..=EVALUATIONS {
        let start = Instant::now();
        tick(&services, &options, &lease, &mut Memory::default()).await.expect("the evaluation failed");
        times.push(start.elapsed());
    }
    let first = times.remove(0);
    times.sort_unstable();
    let (median, most) = (times[EVALUATIONS / 2], times[EVALUATIONS - 1]);
    let open = store.open_alerts().await.expect("cannot read the alerts").len();
    println!(
        "  evaluation of {RULES} rules: first {first:.0?} ({open} alerts open), then median {median:.0?}, \
         maximum {most:.0?}"
    );
}
