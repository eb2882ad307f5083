//! The rules find the incidents of the synthetic source. (The bench `alerts` prints the table of whole weeks.)

#[path = "../../benches/alerts/simulation.rs"]
mod simulation;

use simulation::{RULES, Score, Week};

/// What each rule found on days of these seeds, on which one incident in two hours happens.
fn scores(rate: f64, seeds: &[u64]) -> Vec<(&'static str, Score)> {
    let days: Vec<Week> = seeds.iter().map(|&seed| Week::new(rate, 1, seed)).collect();
    RULES.into_iter().map(|(name, rule)| (name, days.iter().map(|day| day.score(rule)).sum())).collect()
}

#[test]
fn incidents_of_a_few_dozen_posts_are_found_and_little_else() {
    // At one post a second an incident at the smallest place that one can strike has about 55.
    for (name, score) in scores(1.0, &[3, 4]) {
        assert_eq!(score.incidents, 24);
        assert!(score.recall() >= 0.9 && score.precision() >= 0.9, "{name}: {score}");
        assert!(score.false_per_day() <= 3.0 && score.delay().as_secs() <= 240, "{name}: {score}");
    }
}

#[test]
fn at_the_rate_of_the_source_every_incident_is_found_and_nothing_else() {
    for (name, score) in scores(5.0, &[5]) {
        assert_eq!((score.incidents, score.found), (12, 12), "{name}: {score}");
        assert!(score.precision() >= 0.95, "{name}: {score}");
        assert!(score.delay().as_secs() <= 180, "{name}: {score}");
    }
}
