//! How well rules find the incidents of the synthetic source: precision and recall over a simulated week.
//!
//! `cargo bench --bench alerts [-- DAYS]`. (How long evaluations take is measured by the bench `store`.)

mod simulation;

use simulation::{RULES, Week};

fn main() {
    let days = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(7);
    println!("{days} days, an incident of four minutes every two hours, 15 % of the posts misjudged\n");
    println!("| posts/s | rule | incidents | found | firings | right | precision | recall | delay |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for rate in [0.2, 1.0, 5.0] {
        let week = Week::new(rate, days);
        for (name, rule) in RULES {
            println!("| {rate} | {name} | {} |", week.score(rule));
        }
    }
}
