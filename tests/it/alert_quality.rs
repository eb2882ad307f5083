//! The rules find the incidents of the synthetic source. (The bench `alerts` prints the table of a whole week.)

#[path = "../../benches/alerts/simulation.rs"]
mod simulation;

use simulation::{RULES, Week};

#[test]
fn most_incidents_of_a_day_are_found_within_minutes() {
    let day = Week::new(1.0, 1);
    // At one post a second a spike of one sentiment drowns in the baseline; the bench shows it at higher rates.
    for (name, rule) in RULES.into_iter().filter(|(name, _)| !name.starts_with("spike")) {
        let score = day.score(rule);
        assert_eq!(score.incidents, 12);
        assert!(score.recall() >= 0.7, "{name}: {score}");
        assert!(score.delay.as_secs() <= 300, "{name}: {score}");
    }
}
