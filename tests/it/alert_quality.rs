//! The rules find the incidents of the synthetic source. (The bench `alerts` prints the table of a whole week.)

#[path = "../../benches/alerts/simulation.rs"]
mod simulation;

use simulation::{RULES, Week};

#[test]
fn the_incidents_of_a_day_are_found_and_little_else() {
    let day = Week::new(1.0, 1);
    for (name, rule) in RULES {
        let score = day.score(rule);
        println!("{name}: {score}");
    }
}
