//! What must be true of a window for an alert: pure decisions, no I/O.

use std::fmt;
use std::str::FromStr;

use crate::domain::{Alert, Counts, Sentiment};

/// What a rule measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Negative posts among all, in [0, 1].
    NegativeShare,
    /// Negative posts per positive one. Without a positive post it is the number of negative ones,
    /// as if there were one: always finite, and three negative posts beside neutral ones exceed 2.
    NegativeRatio,
}

impl Measure {
    /// The alert's type.
    pub fn alert_type(self) -> &'static str {
        match self {
            Self::NegativeShare => "negative_share",
            Self::NegativeRatio => "negative_ratio",
        }
    }

    /// Of a window; 0 for an empty one.
    pub fn of(self, counts: &Counts) -> f64 {
        let (negative, part_of) = match self {
            Self::NegativeShare => (counts.sentiment(Sentiment::Negative), counts.total()),
            Self::NegativeRatio => (counts.sentiment(Sentiment::Negative), counts.sentiment(Sentiment::Positive)),
        };
        negative as f64 / part_of.max(1) as f64
    }
}

/// A condition on a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub measure: Measure,
    /// Exceeded, not reached.
    pub threshold: f64,
    /// Fewer posts say nothing: no alert opens, and an open one is resolved.
    pub min_posts: i64,
}

impl Rule {
    /// What is measured, if the condition holds.
    pub fn holds(&self, counts: &Counts) -> Option<f64> {
        let value = self.measure.of(counts);
        (counts.total() >= self.min_posts && value > self.threshold).then_some(value)
    }
}

/// Whose posts are looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    All,
    Source(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Source(name) => write!(f, "source:{name}"),
        }
    }
}

impl FromStr for Scope {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            Some(("source", name)) if !name.is_empty() => Ok(Self::Source(name.to_owned())),
            _ => Err("must be all or source:NAME"),
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision<'a> {
    Open { rule: &'a Rule, scope: &'a Scope, counts: &'a Counts, value: f64 },
    Resolve { id: i64 },
}

/// Compares what holds in the window with what is `open`. An alert resolves as soon as its condition
/// does not hold: also when its scope has too few posts or none, or when no rule is of its type.
pub fn decide<'a>(rules: &'a [Rule], scopes: &'a [(Scope, Counts)], open: &[Alert]) -> Vec<Decision<'a>> {
    let held = || {
        rules.iter().flat_map(|rule| {
            scopes.iter().filter_map(move |(scope, counts)| Some((rule, scope, counts, rule.holds(counts)?)))
        })
    };
    let same = |alert: &Alert, rule: &Rule, scope: &Scope| {
        alert.alert_type == rule.measure.alert_type() && alert.scope.parse().as_ref() == Ok(scope)
    };
    let over = open.iter().filter(|alert| !held().any(|(rule, scope, ..)| same(alert, rule, scope)));
    let begun = held().filter(|(rule, scope, ..)| !open.iter().any(|alert| same(alert, rule, scope)));
    over.map(|alert| Decision::Resolve { id: alert.id })
        .chain(begun.map(|(rule, scope, counts, value)| Decision::Open { rule, scope, counts, value }))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{AlertState, Emotion, Timestamp};

    fn counts(negative: i64, neutral: i64, positive: i64) -> Counts {
        let mut counts = Counts::default();
        counts.add(Sentiment::Negative, Emotion::Anger, negative, negative as f64);
        counts.add(Sentiment::Neutral, Emotion::Neutral, neutral, neutral as f64);
        counts.add(Sentiment::Positive, Emotion::Joy, positive, positive as f64);
        counts
    }

    fn rules() -> [Rule; 2] {
        [
            Rule { measure: Measure::NegativeShare, threshold: 0.5, min_posts: 10 },
            Rule { measure: Measure::NegativeRatio, threshold: 2.0, min_posts: 10 },
        ]
    }

    fn alert(id: i64, decision: &Decision<'_>) -> Alert {
        let Decision::Open { rule, scope, counts, value } = decision else { panic!("not opened: {decision:?}") };
        Alert {
            id,
            alert_type: rule.measure.alert_type().to_owned(),
            scope: scope.to_string(),
            state: AlertState::Firing,
            threshold_value: rule.threshold,
            actual_value: *value,
            window_start: Timestamp::EPOCH,
            window_end: Timestamp::EPOCH,
            post_count: counts.total() as i32,
            triggered_at: Timestamp::EPOCH,
            resolved_at: None,
            details: json!({}),
            rule_id: None,
            severity: crate::domain::alert::Severity::Warning,
            phase: crate::domain::alert::InstanceState::Firing,
            labels: Default::default(),
            annotations: Default::default(),
            acknowledged: None,
        }
    }

    #[test]
    fn a_threshold_is_exceeded_not_reached_and_few_posts_say_nothing() {
        let [share, ratio] = rules();
        assert_eq!(share.holds(&counts(5, 0, 5)), None);
        assert_eq!(share.holds(&counts(6, 0, 4)), Some(0.6));
        assert_eq!(share.holds(&counts(9, 0, 0)), None);
        assert_eq!(share.holds(&counts(10, 0, 0)), Some(1.0));
        assert_eq!(ratio.holds(&counts(6, 5, 3)), None);
        assert_eq!(ratio.holds(&counts(7, 4, 3)), Some(7.0 / 3.0));
    }

    #[test]
    fn without_a_positive_post_the_ratio_stays_finite() {
        let [_, ratio] = rules();
        assert_eq!(ratio.holds(&counts(2, 20, 0)), None);
        assert_eq!(ratio.holds(&counts(3, 20, 0)), Some(3.0));
        assert_eq!(ratio.holds(&counts(0, 20, 0)), None);
    }

    #[test]
    fn an_alert_opens_once_stays_while_it_holds_and_resolves_when_it_does_not() {
        let rules = [rules()[0].clone()];
        let source = || Scope::Source("reddit".to_owned());
        let bad = [(Scope::All, counts(5, 10, 10)), (source(), counts(8, 1, 1))];
        let opened = decide(&rules, &bad, &[]);
        assert_eq!(opened.len(), 1);
        let open = [alert(7, &opened[0])];
        assert_eq!(open[0].scope, "source:reddit");

        let worse = [(Scope::All, counts(5, 10, 10)), (source(), counts(30, 0, 0))];
        assert_eq!(decide(&rules, &worse, &open), []);

        for after in [
            vec![(Scope::All, counts(5, 10, 10)), (source(), counts(5, 4, 1))],
            vec![(Scope::All, counts(5, 10, 10)), (source(), counts(9, 0, 0))],
            vec![(Scope::All, counts(0, 0, 0))],
        ] {
            assert_eq!(decide(&rules, &after, &open), [Decision::Resolve { id: 7 }], "{after:?}");
        }
    }

    #[test]
    fn each_rule_and_scope_has_an_alert_of_its_own_and_one_without_a_rule_resolves() {
        let all = rules();
        let window = [(Scope::All, counts(20, 0, 2)), (Scope::Source("x".to_owned()), counts(20, 0, 2))];
        let opened = decide(&all, &window, &[]);
        assert_eq!(opened.len(), 4);
        let open: Vec<_> = opened.iter().zip(1..).map(|(decision, id)| alert(id, decision)).collect();
        let only_share = &all[..1];
        let resolved = decide(only_share, &window, &open);
        assert_eq!(resolved, [Decision::Resolve { id: 3 }, Decision::Resolve { id: 4 }]);
    }
}
