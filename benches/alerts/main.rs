//! How well rules find the incidents of the synthetic source, and how long looking at many rules takes.
//!
//! `cargo bench --bench alerts [-- DAYS [POSTS]]`: precision and recall over some simulated weeks, then 500 rules over a
//! store with a million posts: SQLite in a temporary folder, and Postgres as well when `SENTISTREAM_TEST_POSTGRES_URL`
//! names a server on which databases may be created (`scripts/with-services` starts one).

#[path = "../store/databases.rs"]
mod databases;
mod evaluation;
#[path = "../store/load.rs"]
mod load;
mod simulation;

use load::Load;
use simulation::{RULES, Score, Week};

/// The two rules that the settings make by default, for comparison.
const DEFAULTS: [(&str, &str); 2] = [
    ("negative_share > 0.5", r#"{"name": "share", "kind": "share", "threshold": 0.5, "group_by": "source_and_total"}"#),
    ("negative_ratio > 2", r#"{"name": "ratio", "kind": "ratio", "threshold": 2, "group_by": "source_and_total"}"#),
];

/// Days that are simulated for each seed.
const DAYS: u64 = 7;
const SEEDS: [u64; 3] = [1, 2, 3];
/// Posts a second.
const RATES: [f64; 4] = [1.0, 2.0, 5.0, 20.0];
/// Posts that are stored before rules are looked at.
const POSTS: u64 = 1_000_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let (days, posts) = (numbers.next().unwrap_or(DAYS), numbers.next().unwrap_or(POSTS));
    quality(u32::try_from(days).expect("days"));
    println!("\nLooking at rules over {posts} stored posts");
    databases::each(async |store, queue| {
        let rate = Load::new(store.clone(), queue).fill(posts, 2, 512).await;
        println!("  filled over {} days: {rate}", load::DAYS);
        evaluation::measure(&store).await;
    })
    .await;
}

fn quality(days: u32) {
    println!(
        "{} times {days} days, an incident of four minutes every two hours, 15 % of the posts misjudged\n",
        SEEDS.len()
    );
    println!("| posts/s | rule | incidents | found | alerts | right | precision | recall | false a day | delay |");
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for rate in RATES {
        let weeks = SEEDS.map(|seed| Week::new(rate, days, seed));
        for (name, rule) in RULES.into_iter().chain(DEFAULTS) {
            let score: Score = weeks.iter().map(|week| week.score(rule)).sum();
            println!("| {rate} | {name} | {score} |");
        }
    }
}
