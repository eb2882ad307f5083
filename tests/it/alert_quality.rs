//! The default alert rules find simulated incidents. The benchmark `alerts` prints a table for longer simulations.

#[path = "../../benches/alerts/simulation.rs"]
mod simulation;

use simulation::{RULES, Scenario, Score, World};

/// Simulates two weeks of history and two days with up to six incidents each. Checks how many incidents the rules find.
fn check(scenarios: &[Scenario]) {
    for scenario in scenarios {
        let scores = World::new(*scenario, 1.0, 2, 7).scores(&RULES);
        let names = RULES.iter().map(|named| named.name).chain(["together"]);
        let table: Vec<String> = names.zip(&scores).map(|(name, score)| format!("{name}: {score}")).collect();
        let what = format!("{}\n{}", scenario.name(), table.join("\n"));
        let together: &Score = &scores[RULES.len()];
        assert!(together.incidents >= 3, "{what}");
        assert!(together.recall() >= 0.9 && together.precision() >= 0.9, "{what}");
        assert!(together.delay().as_secs() <= 3 * 3_600, "{what}");
        assert!(scores.iter().all(|score| score.false_per_week() <= 7.0), "{what}");
    }
}

#[test]
fn default_rules_find_incidents_in_cycles_and_idle_sources() {
    check(&Scenario::ALL[..3]);
}

#[test]
fn default_rules_find_incidents_in_downtime_and_late_feeds() {
    check(&Scenario::ALL[3..6]);
}

#[test]
fn default_rules_find_new_topics_and_ignore_copies() {
    check(&Scenario::ALL[6..]);
}
