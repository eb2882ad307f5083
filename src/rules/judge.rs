//! What must be true of a window for an alert.

use super::baseline::{Baseline, baseline};
use super::chance::{binomial_tail, hypergeometric_tail};
use super::series::Tally;
use super::{View, before, beyond};
use crate::domain::alert::{Class, Condition, Direction, RuleSpec};
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
    /// The probability of such an excess by chance, of a shift, and of a share or ratio with a significance.
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
        Condition::Share { of, threshold, .. } => {
            let count = window.of(of);
            let value = count as f64 / posts as f64;
            let verdict = by_threshold(spec, value, enough);
            unless_by_chance(spec, judged(verdict, Some(value)), (count, posts), threshold)
        }
        Condition::Ratio { threshold, .. } => {
            let value = negative_ratio(&window);
            let [negative, positive] = moods(&window);
            let verdict = by_threshold(spec, value, enough);
            // So many negative posts per positive one are this share of both.
            let share = threshold / (1.0 + threshold);
            unless_by_chance(spec, judged(verdict, Some(value)), (negative, negative + positive), share)
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
            let before = before(spec, range).map(|range| view.window(range, source)).unwrap_or_default();
            if before.total() == 0 {
                return judged(Verdict::NoData, None);
            }
            let test = TwoProportions { now: (window.of(of), posts), before: (before.of(of), before.total()) };
            let p_value = test.p_value(direction);
            let effect = if direction == Direction::Above { test.difference() } else { -test.difference() };
            let enough = enough && before.total() >= spec.min_posts;
            let threshold = spec.condition.threshold();
            let verdict = if enough && effect > threshold && p_value < significance {
                Verdict::Holds
            } else if enough && effect > spec.recovery_threshold.unwrap_or(threshold) {
                Verdict::Lingers
            } else {
                Verdict::Clear
            };
            let judged = judged(verdict, Some(test.difference()));
            Judgement { baseline: Some(test.share_before()), p_value: Some(p_value), ..judged }
        }
    }
}

/// Negative posts per positive one. Without a positive post it is the number of negative ones, as if there were one:
/// always finite, and three negative posts beside neutral ones exceed 2.
pub fn negative_ratio(window: &Tally) -> f64 {
    let [negative, positive] = moods(window);
    negative as f64 / positive.max(1) as f64
}

/// Negative and positive posts.
fn moods(window: &Tally) -> [i64; 2] {
    [Sentiment::Negative, Sentiment::Positive].map(|label| window.of(Class::Sentiment(label)))
}

/// `judgement`, in which the condition does not hold when chance would make `hits` of `posts` often enough, were the true
/// share the threshold.
fn unless_by_chance(spec: &RuleSpec, judgement: Judgement, (hits, posts): (i64, i64), share: f64) -> Judgement {
    let Some(significance) = spec.condition.significance() else { return judgement };
    let p_value = match spec.condition.direction() {
        Direction::Above => binomial_tail(hits, posts, share),
        Direction::Below => binomial_tail(posts - hits, posts, 1.0 - share),
    };
    let by_chance = judgement.verdict == Verdict::Holds && p_value >= significance;
    let verdict = if by_chance { Verdict::Lingers } else { judgement.verdict };
    Judgement { verdict, p_value: Some(p_value), ..judgement }
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

/// Two shares: how many of how many. There are posts in both.
struct TwoProportions {
    now: (i64, i64),
    before: (i64, i64),
}

impl TwoProportions {
    fn share_before(&self) -> f64 {
        self.before.0 as f64 / self.before.1 as f64
    }

    fn difference(&self) -> f64 {
        self.now.0 as f64 / self.now.1 as f64 - self.share_before()
    }

    /// Of Fisher's exact test: the probability that chance puts at least as many (or at most as many) of the posts of the
    /// class into the window, were the share the same. Unlike the z-test it holds for few posts too.
    fn p_value(&self, direction: Direction) -> f64 {
        let misses = |(hits, posts): (i64, i64)| (posts - hits, posts);
        let (now, before) = match direction {
            Direction::Above => (self.now, self.before),
            Direction::Below => (misses(self.now), misses(self.before)),
        };
        hypergeometric_tail(now, (now.0 + before.0, now.1 + before.1))
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
    fn with_a_significance_few_posts_must_exceed_a_threshold_by_more() {
        let of = |rule: Value, now| verdict(rule, now, [0; 3]).0;
        let share = || json!({"kind": "share", "threshold": 0.4, "significance": 0.05});
        // Of ten posts eight are more than chance would make of 0.4, seven are not; of a thousand 430.
        assert_eq!([of(share(), [7, 3, 0]), of(share(), [8, 2, 0])], [Verdict::Lingers, Verdict::Holds]);
        assert_eq!([of(share(), [420, 580, 0]), of(share(), [430, 570, 0])], [Verdict::Lingers, Verdict::Holds]);
        let below = json!({"kind": "share", "threshold": 0.6, "significance": 0.05, "direction": "below"});
        assert_eq!([of(below.clone(), [3, 7, 0]), of(below, [2, 8, 0])], [Verdict::Lingers, Verdict::Holds]);
        let ratio = || json!({"kind": "ratio", "threshold": 2, "significance": 0.05});
        assert_eq!([of(ratio(), [9, 20, 4]), of(ratio(), [45, 0, 10])], [Verdict::Lingers, Verdict::Holds]);
    }
}
