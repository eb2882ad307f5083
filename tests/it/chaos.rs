//! Causes random faults in real processes and checks the results: no post is missing or stored twice, rollups equal
//! the counts of the stored posts, and every appended entry has an outcome. The state transitions of alerts have no
//! gaps, the notifications match the transitions, and health reports each outage.
//!
//! `make chaos` runs many faults; the ordinary tests run a few. The printed seed reproduces the faults.

mod alerts;
mod check;
pub mod clock;
mod disk;
mod embedded;
mod failover;
mod feed;
mod proxy;
mod shared;

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use alerts::{Alerts, Change};
use embedded::{Embedded, FullDisk};
use failover::Failover;
use feed::Feed;
use shared::Scaled;

use crate::process::{Process, within};

/// Processes and servers in which faults are caused.
trait Setup {
    /// Causes a fault, undoes it, and returns its name.
    async fn fault(&mut self, rng: &mut StdRng) -> &'static str;
    /// The process whose API receives the posts.
    fn front(&self) -> &Process;
    /// The transitions of alerts, in the order in which they were committed.
    async fn transitions(&self) -> Vec<Change>;
    /// How many faults changed a clock.
    fn clock_jumps(&self) -> usize;
    /// Whether the faults so far may have lost posts that the stream had accepted.
    fn is_lossy(&self) -> bool;
}

/// Settings for short runs: alerts fire and resolve within the run, and each change causes a notification.
const ALERTS: [&str; 8] = [
    "alerts.interval=500ms",
    "alerts.window=1min",
    "alerts.min_posts=4",
    "alerts.significance=0.5",
    "alerts.keep_firing_for=0s",
    "alerts.give_up_after=1d",
    "alerts.inhibit_rules=[]",
    "outbound.allow=[\"127.0.0.0/8\"]",
];

/// The maximum time for which a process is suspended in a long run.
const LONGEST_STOP: Duration = Duration::from_secs(20);

/// The number of faults and the seed.
struct Plan {
    faults: usize,
    seed: u64,
    /// Whether the run waits about one minute until alerts resolve themselves. Otherwise only deleting their rules
    /// resolves alerts.
    waits: bool,
}

impl Plan {
    fn short(seed: u64) -> Self {
        Self { faults: 4, seed, waits: false }
    }

    /// Reads the plan from `CHAOS_FAULTS` and `CHAOS_SEED`.
    #[expect(clippy::disallowed_methods, reason = "`make chaos` passes its numbers in the environment")]
    fn long() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let faults = number("CHAOS_FAULTS").unwrap_or(200);
        let (faults, seed) =
            (usize::try_from(faults).unwrap_or(200), number("CHAOS_SEED").unwrap_or_else(rand::random));
        Self { faults, seed, waits: true }
    }
}

/// Causes faults while posts arrive, waits until all entries are processed, and checks the stored posts.
async fn run(mut setup: impl Setup, plan: Plan) {
    eprintln!("chaos: {} faults, CHAOS_SEED={}", plan.faults, plan.seed);
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let alerts = Alerts::start(setup.front()).await;
    let feed = Feed::start(&setup.front().url, plan.seed);
    for number in 0..plan.faults {
        tokio::time::sleep(Duration::from_millis(rng.random_range(100..1_000))).await;
        let started = Instant::now();
        let name = setup.fault(&mut rng).await;
        eprintln!("chaos: fault {} of {}: {name} ({} ms)", number + 1, plan.faults, started.elapsed().as_millis());
    }
    let mut sent = feed.finish().await;
    check::recovered(setup.front()).await;
    check::settled(setup.front()).await;
    if setup.is_lossy() {
        // Redis may have lost accepted entries, so the missing posts are sent again. No post may be stored twice.
        let stored = check::stored(setup.front()).await;
        sent.expect_unconfirmed(&stored);
        let lost = sent.expected().filter(|(id, _)| !stored.contains_key(*id)).map(|(id, _)| id.clone()).collect();
        sent.send_again(setup.front(), lost).await;
        check::settled(setup.front()).await;
    }
    if plan.waits {
        alerts.resolve_themselves(&setup).await;
    }
    alerts.fires(&setup, &mut sent).await;
    check::settled(setup.front()).await;
    check::stored_is_what_was_sent(setup.front(), &sent).await;
    check::rollups_equal_recounts(setup.front()).await;
    let seen = alerts.finish(&setup).await;
    check::transitions_have_no_gap(setup.front()).await;
    let (posts, deletions) = (sent.posts.len(), sent.deleted.len());
    eprintln!("chaos: {posts} posts and {deletions} deletions checked");
    let alerts::Seen { transitions, alerts, notifications } = seen;
    eprintln!("chaos: {transitions} transitions of {alerts} alerts and {notifications} notifications checked");
}

/// Waits until the health report of `process` shows an outage. The report must then continue to show it for `time`.
async fn noticed(process: &Process, what: &str, time: Duration) {
    let is_healthy = async || process.try_health().await.map(|health| health["status"] == "healthy");
    within(&format!("health reports {what}"), async || (is_healthy().await == Some(false)).then_some(())).await;
    let end = Instant::now() + time;
    while Instant::now() < end {
        assert_ne!(is_healthy().await, Some(true), "health reports no problem during {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_process_survives_a_few_faults() {
    run(Embedded::start().await, Plan::short(7)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_process_survives_a_full_disk() {
    run(FullDisk(Embedded::start().await), Plan { faults: 2, ..Plan::short(5) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scaled_out_processes_survive_a_few_faults() {
    run(Scaled::start().await, Plan::short(11)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make chaos"]
async fn embedded_process_survives_many_faults() {
    run(Embedded::with_every_fault().await, Plan::long()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn process_with_sentinel_survives_a_redis_failover() {
    run(Failover::start().await, Plan { faults: 1, ..Plan::short(13) }).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make chaos"]
async fn process_with_sentinel_survives_many_faults() {
    let plan = Plan::long();
    run(Failover::start().await, Plan { faults: plan.faults.min(20), ..plan }).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make chaos"]
async fn scaled_out_processes_survive_many_faults() {
    run(Scaled::with_every_fault().await, Plan::long()).await;
}
