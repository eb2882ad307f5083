//! Random faults over real processes: nothing is missing, nothing is stored twice, rollups equal recounts, the books
//! balance, and health reports each outage.
//!
//! `make chaos` runs many faults; the ordinary tests run a few. The seed, which is printed, reproduces the faults.

mod check;
mod disk;
mod embedded;
mod failover;
mod feed;
mod proxy;
mod shared;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use embedded::Embedded;
use failover::Failover;
use feed::Feed;
use shared::Scaled;

use crate::process::{Process, within};

/// A set-up under faults.
trait Setup {
    /// Causes a fault, undoes it, and returns its name.
    async fn fault(&mut self, rng: &mut StdRng) -> &'static str;
    /// The process whose API takes the posts.
    fn front(&self) -> &Process;
    /// Whether the faults so far may have lost posts that the stream had accepted.
    fn is_lossy(&self) -> bool;
}

/// The number of faults and the seed.
struct Plan {
    faults: usize,
    seed: u64,
}

impl Plan {
    fn short(seed: u64) -> Self {
        Self { faults: 4, seed }
    }

    /// From `CHAOS_FAULTS` and `CHAOS_SEED`.
    #[expect(clippy::disallowed_methods, reason = "`make chaos` passes its numbers in the environment")]
    fn long() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let faults = number("CHAOS_FAULTS").unwrap_or(200);
        Self { faults: usize::try_from(faults).unwrap_or(200), seed: number("CHAOS_SEED").unwrap_or_else(rand::random) }
    }
}

/// Runs faults while posts arrive, waits until all entries are settled, and checks the stored posts.
async fn run(mut setup: impl Setup, plan: Plan) {
    eprintln!("chaos: {} faults, CHAOS_SEED={}", plan.faults, plan.seed);
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let feed = Feed::start(&setup.front().url, plan.seed);
    for number in 0..plan.faults {
        tokio::time::sleep(Duration::from_millis(rng.random_range(100..1_000))).await;
        let started = std::time::Instant::now();
        let name = setup.fault(&mut rng).await;
        eprintln!("chaos: fault {} of {}: {name} ({} ms)", number + 1, plan.faults, started.elapsed().as_millis());
    }
    let sent = feed.finish().await;
    check::recovered(setup.front()).await;
    check::settled(setup.front()).await;
    if setup.is_lossy() {
        // Redis lost accepted entries. The lost posts are sent again, and each post must be stored only once.
        let stored = check::stored(setup.front()).await;
        let lost = sent.expected().filter(|(id, _)| !stored.contains_key(*id)).map(|(id, _)| id.clone()).collect();
        sent.send_again(setup.front(), lost).await;
        check::settled(setup.front()).await;
    }
    check::stored_is_what_was_sent(setup.front(), &sent).await;
    check::rollups_equal_recounts(setup.front()).await;
    eprintln!("chaos: {} posts and {} deletions checked", sent.posts.len(), sent.deleted.len());
}

/// Waits until the health report of `process` shows an outage.
async fn noticed(process: &Process, what: &str) {
    let unhealthy =
        async |process: &Process| process.try_health().await.is_some_and(|health| health["status"] != "healthy");
    within(&format!("health reports {what}"), async || unhealthy(process).await.then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_process_survives_a_few_faults() {
    run(Embedded::start().await, Plan::short(7)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scaled_out_processes_survive_a_few_faults() {
    run(Scaled::start().await, Plan::short(11)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make chaos"]
async fn embedded_process_survives_many_faults() {
    run(Embedded::start().await, Plan::long()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_process_survives_a_redis_failover() {
    run(Failover::start().await, Plan { faults: 1, seed: 13 }).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make chaos"]
async fn redis_failovers_survive_many_faults() {
    let plan = Plan::long();
    run(Failover::start().await, Plan { faults: plan.faults.min(20), ..plan }).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make chaos"]
async fn scaled_out_processes_survive_many_faults() {
    run(Scaled::with_every_fault().await, Plan::long()).await;
}
