//! The rules find the incidents of the synthetic source. (The bench `alerts` prints the table of a whole week.)

#[path = "../../benches/alerts/simulation.rs"]
mod simulation;

use simulation::{RULES, Week};

#[test]
fn the_incidents_of_a_day_are_found_and_little_else() {
    // At the rate that the source has by default.
    let day = Week::new(5.0, 1);
    for (name, rule) in RULES {
        let score = day.score(rule);
        assert_eq!(score.incidents, 12);
        assert!(score.recall() >= 0.9 && score.precision() >= 0.85, "{name}: {score}");
        assert!(score.delay.as_secs() <= 300, "{name}: {score}");
    }
}
