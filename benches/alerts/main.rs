//! Measures how well the default rules find incidents, and the time of an evaluation of many rules.
//!
//! `cargo bench --bench alerts [-- DAYS [POSTS]]`: precision and recall in simulated worlds, then 500 rules over a
//! store with a million posts. `-- --quick` runs only a short simulation. The stores are SQLite in a temporary folder,
//! and Postgres if `SENTISTREAM_TEST_POSTGRES_URL` names a server on which databases may be created
//! (`scripts/with-services` starts one).

#[path = "../store/databases.rs"]
mod databases;
mod evaluation;
#[path = "../store/load.rs"]
mod load;
mod simulation;

use load::Load;
use simulation::{RULES, Scenario, Score, World};

/// The number of days that are simulated for each seed, after two weeks of history.
const DAYS: u64 = 7;
const QUICK_DAYS: u32 = 2;
const SEEDS: [u64; 3] = [1, 2, 3];
/// The simulated rates, in posts per second.
const RATES: [f64; 2] = [1.0, 20.0];
/// The number of stored posts when rules are evaluated.
const POSTS: u64 = 1_000_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let (days, posts) = (numbers.next().unwrap_or(DAYS), numbers.next().unwrap_or(POSTS));
    if std::env::args().any(|argument| argument == "--quick") {
        return quality(QUICK_DAYS);
    }
    quality(u32::try_from(days).expect("the number of days is too large"));
    println!("\nEvaluating rules over {posts} stored posts");
    databases::each(async |store, queue| {
        let rate = Load::new(store.clone(), queue).fill(posts, 2, 512).await;
        println!("  filled over {} days: {rate}", load::DAYS);
        evaluation::measure(&store).await;
    })
    .await;
}

fn quality(days: u32) {
    println!("{} runs of {days} days after two weeks of history\n", SEEDS.len());
    println!(
        "| scenario | posts/s | rule | incidents | found | alerts | correct | precision | recall | false per week \
         | delay | pages per incident |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for scenario in Scenario::ALL {
        for rate in RATES {
            let scores = SEEDS.map(|seed| World::new(scenario, rate, days, seed).scores(&RULES));
            for (index, rule) in RULES.iter().map(|named| named.name).chain(["together"]).enumerate() {
                let score: Score = scores.iter().map(|scores| scores[index]).sum();
                println!("| {} | {rate} | {rule} | {score} |", scenario.name());
            }
        }
    }
}
