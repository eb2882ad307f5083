//! What must be true of a window for an alert.

use super::baseline::{Baseline, baseline};
use super::normal::upper_tail;
use super::series::Tally;
use super::{View, beyond};
use crate::domain::alert::{Condition, Direction, RuleSpec};
use crate::domain::{Sentiment, TimeRange, Timestamp};

/// What an evaluation says of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The condition holds.
    Holds,
    /// It does not, but an alert that fires has not recovered yet.
    Lingers,
    /// It does not hold.
    Clear,
    /// There is nothing to judge.
    NoData,
}

/// A verdict and what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// What is compared with the threshold; `None` without data.
    pub value: Option<f64>,
    /// Posts in the window.
    pub posts: i64,
    /// The level of a spike's baseline, the share before a shift.
    pub baseline: Option<f64>,
    /// More on a spike's baseline.
    pub usual: Option<Baseline>,
    /// Of a shift: the probability of such a difference by chance.
    pub p_value: Option<f64>,
}

/// Judges one series of `spec` in the window that ends at `end`.
pub fn judge(spec: &RuleSpec, view: &dyn View, end: Timestamp, source: Option<&str>) -> Judgement {
    let range = TimeRange::last(spec.window, end);
    let window = view.window(range, source);
    let posts = window.total();
    let judged = |verdict, value| Judgement { verdict, value, posts, baseline: None, usual: None, p_value: None };
    let enough = posts >= spec.min_posts;
    match spec.condition {
        Condition::Absence => {
            let verdict = if posts == 0 { Verdict::Holds } else { Verdict::Clear };
            judged(verdict, Some(posts as f64))
        }
        Condition::Volume { of, .. } => {
            let value = window.of(of) as f64;
            judged(by_threshold(spec, value, true), Some(value))
        }
        _ if posts == 0 => judged(Verdict::NoData, None),
        Condition::Share { of, .. } => {
            let value = window.of(of) as f64 / posts as f64;
            judged(by_threshold(spec, value, enough), Some(value))
        }
        Condition::Ratio { .. } => {
            let value = negative_ratio(&window);
            judged(by_threshold(spec, value, enough), Some(value))
        }
        Condition::Spike { of, .. } => {
            let usual = view.history().and_then(|history| baseline(history, range, of, source));
            let Some(usual) = usual else { return judged(Verdict::NoData, None) };
            let count = window.of(of);
            let value = usual.score(count as f64);
            let verdict = by_threshold(spec, value, count >= spec.min_posts);
            Judgement { baseline: Some(usual.level), usual: Some(usual), ..judged(verdict, Some(value)) }
        }
        Condition::Shift { of, direction, significance, .. } => {
            let before = view.window(TimeRange::last(spec.window, range.start()), source);
            if before.total() == 0 {
                return judged(Verdict::NoData, None);
            }
            let test = TwoProportions::of((window.of(of), posts), (before.of(of), before.total()));
            let side = if direction == Direction::Above { 1.0 } else { -1.0 };
            let p_value = upper_tail(side * test.z);
            let effect = side * test.difference;
            let enough = enough && before.total() >= spec.min_posts;
            let threshold = spec.condition.threshold();
            let verdict = if enough && effect > threshold && p_value < significance {
                Verdict::Holds
            } else if enough && effect > spec.recovery_threshold.unwrap_or(threshold) {
                Verdict::Lingers
            } else {
                Verdict::Clear
            };
            let judged = judged(verdict, Some(test.difference));
            Judgement { baseline: Some(test.before), p_value: Some(p_value), ..judged }
        }
    }
}

/// Negative posts per positive one. Without a positive post it is the number of negative ones, as if there were one:
/// always finite, and three negative posts beside neutral ones exceed 2.
pub fn negative_ratio(window: &Tally) -> f64 {
    use crate::domain::alert::Class;
    let [negative, positive] =
        [Sentiment::Negative, Sentiment::Positive].map(|label| window.of(Class::Sentiment(label)));
    negative as f64 / positive.max(1) as f64
}

/// Beyond the threshold, exceeded and not reached, or not even beyond where a firing alert recovers.
fn by_threshold(spec: &RuleSpec, value: f64, enough: bool) -> Verdict {
    let threshold = spec.condition.threshold();
    if !enough {
        Verdict::Clear
    } else if beyond(&spec.condition, value, threshold) {
        Verdict::Holds
    } else if beyond(&spec.condition, value, spec.recovery_threshold.unwrap_or(threshold)) {
        Verdict::Lingers
    } else {
        Verdict::Clear
    }
}

/// The two-proportion z-test with the pooled share.
struct TwoProportions {
    before: f64,
    difference: f64,
    z: f64,
}

impl TwoProportions {
    /// Of (how many, of how many) now and before; there are some in both.
    fn of((now, posts): (i64, i64), (before, posts_before): (i64, i64)) -> Self {
        let [now, posts, before, posts_before] = [now, posts, before, posts_before].map(|count| count as f64);
        let difference = now / posts - before / posts_before;
        let pooled = (now + before) / (posts + posts_before);
        let error = (pooled * (1.0 - pooled) * (1.0 / posts + 1.0 / posts_before)).sqrt();
        let z = if error > 0.0 { difference / error } else { 0.0 };
        Self { before: before / posts_before, difference, z }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::domain::Emotion;
    use crate::rules::History;

    /// Counts (negative, neutral, positive) of the window and of the one before.
    struct Two([[i64; 3]; 2]);

    const END: i64 = 1_767_225_600;

    impl View for Two {
        fn window(&self, range: TimeRange, _: Option<&str>) -> Tally {
            let mut tally = Tally::default();
            let counts = self.0[usize::from(range.end().as_seconds() < END)];
            let emotions = [Emotion::Anger, Emotion::Neutral, Emotion::Joy];
            for ((sentiment, emotion), count) in Sentiment::ALL.into_iter().zip(emotions).zip(counts) {
                tally.add(sentiment, emotion, count);
            }
            tally
        }

        fn sources(&self, _: TimeRange) -> BTreeSet<String> {
            BTreeSet::new()
        }

        fn history(&self) -> Option<&History> {
            None
        }
    }

    fn verdict(rule: Value, now: [i64; 3], before: [i64; 3]) -> (Verdict, Option<f64>) {
        let mut rule = rule;
        rule["name"] = json!("x");
        let spec = RuleSpec::parse(rule).unwrap();
        let judgement = judge(&spec, &Two([now, before]), Timestamp::from_unix(END).unwrap(), None);
        (judgement.verdict, judgement.value)
    }

    #[test]
    fn a_threshold_is_exceeded_not_reached_and_few_posts_say_nothing() {
        let share = || json!({"kind": "share", "threshold": 0.5});
        let of = |now| verdict(share(), now, [0; 3]);
        assert_eq!(of([5, 0, 5]), (Verdict::Clear, Some(0.5)));
        assert_eq!(of([6, 0, 4]), (Verdict::Holds, Some(0.6)));
        assert_eq!(of([9, 0, 0]), (Verdict::Clear, Some(1.0)));
        assert_eq!(of([10, 0, 0]), (Verdict::Holds, Some(1.0)));
        assert_eq!(of([0, 0, 0]), (Verdict::NoData, None));
        let below = json!({"kind": "share", "threshold": 0.5, "direction": "below", "of": "emotion:joy"});
        assert_eq!(verdict(below.clone(), [0, 6, 4], [0; 3]).0, Verdict::Holds);
        assert_eq!(verdict(below, [0, 4, 6], [0; 3]).0, Verdict::Clear);
    }

    #[test]
    fn without_a_positive_post_the_ratio_stays_finite() {
        let of = |now| verdict(json!({"kind": "ratio", "threshold": 2}), now, [0; 3]);
        assert_eq!(of([2, 20, 0]), (Verdict::Clear, Some(2.0)));
        assert_eq!(of([3, 20, 0]), (Verdict::Holds, Some(3.0)));
        assert_eq!(of([7, 4, 3]), (Verdict::Holds, Some(7.0 / 3.0)));
    }

    #[test]
    fn between_recovery_and_threshold_a_firing_alert_lingers() {
        let rule = || json!({"kind": "volume", "threshold": 100, "recovery_threshold": 60});
        let of = |posts| verdict(rule(), [0, posts, 0], [0; 3]).0;
        assert_eq!([of(101), of(100), of(61), of(60), of(0)], {
            use Verdict::{Clear, Holds, Lingers};
            [Holds, Lingers, Lingers, Clear, Clear]
        });
        assert_eq!(verdict(json!({"kind": "absence"}), [0; 3], [9; 3]).0, Verdict::Holds);
        assert_eq!(verdict(json!({"kind": "absence"}), [0, 1, 0], [9; 3]).0, Verdict::Clear);
    }

    #[test]
    fn a_shift_needs_size_and_significance() {
        let rule = || json!({"kind": "shift", "threshold": 0.1, "min_posts": 10});
        let of = |now, before| verdict(rule(), now, before).0;
        assert_eq!(of([60, 40, 0], [30, 70, 0]), Verdict::Holds);
        // As large a difference among few posts may be chance.
        assert_eq!(of([6, 4, 0], [3, 7, 0]), Verdict::Lingers);
        // Significant among many posts, but small.
        assert_eq!(of([35_000, 65_000, 0], [30_000, 70_000, 0]), Verdict::Clear);
        assert_eq!(of([30, 70, 0], [60, 40, 0]), Verdict::Clear);
        assert_eq!(of([60, 40, 0], [0; 3]), Verdict::NoData);
        let falling = json!({"kind": "shift", "threshold": 0.1, "direction": "below"});
        assert_eq!(verdict(falling, [30, 70, 0], [60, 40, 0]).0, Verdict::Holds);
    }

    #[test]
    fn the_test_is_the_textbooks() {
        // Agresti, Categorical Data Analysis: aspirin and heart attacks, 189 of 11,034 against 104 of 11,037.
        let test = TwoProportions::of((189, 11_034), (104, 11_037));
        assert!((test.difference - 0.0077).abs() < 5e-5 && (test.z - 5.00).abs() < 0.01, "{}", test.z);
    }
}
