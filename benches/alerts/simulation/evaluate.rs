//! Evaluates rules in a simulated world, and compares their alerts with the incidents of the world.

use std::time::Duration;

use sentistream::domain::alert::RuleSpec;
use sentistream::rules::DAY;
use sentistream::rules::backtest::{Firing, run};

use super::pages::{self, Fired};
use super::scenario::PLACES;
use super::{Incident, MINUTE, Named, Score, World};

impl World {
    /// The scores of `rules` for the incidents: one score for each rule, and one for all rules together.
    pub fn scores(&mut self, rules: &[Named]) -> Vec<Score> {
        let (mut all, mut fired) = (Vec::new(), Vec::new());
        let mut scores: Vec<Score> = Vec::new();
        for named in rules {
            let rule = serde_json::from_str(named.rule).expect("the rule is not valid JSON");
            let spec = RuleSpec::parse(rule).unwrap_or_else(|errors| panic!("{errors:?}"));
            self.read_texts(&spec);
            let firings = run(&spec, &self.recording, self.range).firings;
            scores.push(self.score(&spec, &firings));
            fired.extend(firings.iter().map(|firing| Fired { rule: named.name, firing: firing.clone() }));
            all.extend(firings.into_iter().map(|firing| (spec.clone(), firing)));
        }
        let mut together = scores.iter().fold(Score::default(), |sum, score| Score {
            alerts: sum.alerts + score.alerts,
            right: sum.right + score.right,
            ..sum
        });
        together.pages = pages::count(fired);
        together.days = self.range.length().as_secs_f64() / DAY.as_secs_f64();
        for incident in self.counted() {
            together.incidents += 1;
            let of = all.iter().filter(|(spec, firing)| self.is_of(spec, incident, firing));
            if let Some(first) = of.map(|(_, firing)| firing.fired_at).min() {
                together.found += 1;
                together.delays += first.since(incident.start);
            }
        }
        scores.push(together);
        scores
    }

    fn counted(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().filter(|incident| incident.start >= self.range.start())
    }

    fn score(&self, spec: &RuleSpec, firings: &[Firing]) -> Score {
        let right = |firing: &&Firing| self.incidents.iter().any(|incident| self.is_of(spec, incident, firing));
        let found: Vec<Duration> = self
            .counted()
            .filter_map(|incident| {
                let of = firings.iter().filter(|firing| self.is_of(spec, incident, firing));
                of.map(|firing| firing.fired_at).min().map(|fired_at| fired_at.since(incident.start))
            })
            .collect();
        Score {
            incidents: self.counted().count(),
            found: found.len(),
            alerts: firings.len(),
            right: firings.iter().filter(right).count(),
            delays: found.iter().sum(),
            pages: 0,
            days: self.range.length().as_secs_f64() / DAY.as_secs_f64(),
        }
    }

    /// Whether an incident caused a rule to fire: the rule counts the source of the incident, and the window at the
    /// start of the firing contains posts of the incident.
    fn is_of(&self, spec: &RuleSpec, incident: &Incident, firing: &Firing) -> bool {
        let source = firing.scope.strip_prefix("source:");
        let place = |name: &str| PLACES.iter().position(|place| place.name == name);
        let about = source.is_none_or(|name| incident.place.is_none_or(|struck| place(name) == Some(struck)));
        let delay = self.recording.delays.of(spec, source);
        let (from, to) = (incident.start, incident.end + spec.window + delay + MINUTE * 2);
        about && firing.fired_at >= from && firing.fired_at <= to
    }
}
