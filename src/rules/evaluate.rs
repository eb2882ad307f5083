//! Decides whether the condition of a rule holds for a window.

use super::baseline::{Baseline, baseline};
use super::chance::{Part, binomial_tail, hypergeometric_tail};
use super::series::{Selection, Tally};
use super::{View, before, beyond};
use crate::domain::alert::{Class, Condition, Direction, RuleKind, RuleSpec};
use crate::domain::{Sentiment, TimeRange, Timestamp};

/// The maximum part of a window that may be downtime. Above this limit, missing posts may be the reason for a low
/// count.
const UNOBSERVED: f64 = 0.05;

/// The result of evaluating a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The condition holds.
    Holds,
    /// The condition does not hold, but the value has not crossed the recovery threshold, or random variation can
    /// explain a value beyond the threshold: a firing alert continues.
    Lingers,
    /// The condition does not hold.
    Clear,
    /// The window has no posts from which the value can be computed.
    NoData,
    /// There is too little history for a baseline, or a shift has no earlier posts to compare with.
    NoBaseline,
    /// The window contains too much downtime: the state does not change.
    Unobserved,
}

/// A verdict and the numbers on which it is based.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Whether the condition holds, or why that is not known.
    pub verdict: Verdict,
    /// The value that is compared with the threshold; `None` without data or without a baseline.
    pub value: Option<f64>,
    /// The number of posts in the window. Unscored posts count only if the rule counts all posts. If the rule counts
    /// each text or author once, and this may change the verdict, this is the number of texts or authors.
    pub posts: i64,
    /// The level of a spike's baseline, or the earlier share of a shift; `None` for other rules.
    pub baseline: Option<f64>,
    /// The baseline of a spike.
    pub usual: Option<Baseline>,
    /// The probability that random variation alone causes the deviation of the value. Only for a shift, and for a share
    /// or ratio whose rule sets a significance; otherwise `None`.
    pub p_value: Option<f64>,
}

/// A series and the time at which it is evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The source of the posts in the series. `None`: any source.
    pub source: Option<&'a str>,
    /// The end of the window.
    pub end: Timestamp,
    /// When the condition began to hold; `None` if the series is not pending, firing or recovering. Baselines exclude
    /// the counts of the window that ended at this time and all later counts, for at most a day.
    pub incident: Option<Timestamp>,
}

/// Evaluates one series of `spec`.
pub fn evaluate(spec: &RuleSpec, view: &dyn View, target: Target<'_>) -> Evaluation {
    let range = TimeRange::last(spec.window, target.end);
    let mut evaluation = of_window(spec, view, target, view.window(range, target.source));
    if needs_texts(spec, evaluation.verdict)
        && let Some(distinct) = view.distinct(spec, range, target.source)
    {
        evaluation = of_window(spec, view, target, distinct.tally);
        if evaluation.verdict == Verdict::Holds && spec.needs_authors() && distinct.authors < spec.min_authors {
            evaluation.verdict = Verdict::Clear;
        }
    }
    // A value above the threshold is proven by the posts that were observed. Any other result may be caused by posts
    // that are missing because of the downtime.
    let proven = evaluation.verdict == Verdict::Holds
        && spec.condition.direction() == Direction::Above
        && spec.condition.kind() != RuleKind::Absence;
    if !proven && view.unobserved(range) > UNOBSERVED {
        evaluation.verdict = Verdict::Unobserved;
    }
    evaluation
}

/// Whether the posts of a window must be read, because a comparison of texts or authors may change this verdict.
pub fn needs_texts(spec: &RuleSpec, verdict: Verdict) -> bool {
    let could_change = match spec.condition.direction() {
        Direction::Above => matches!(verdict, Verdict::Holds | Verdict::Lingers),
        Direction::Below => !matches!(verdict, Verdict::NoData | Verdict::Unobserved),
    };
    (spec.compares_posts() && could_change) || (spec.needs_authors() && verdict == Verdict::Holds)
}

fn of_window(spec: &RuleSpec, view: &dyn View, target: Target<'_>, window: Tally) -> Evaluation {
    let range = TimeRange::last(spec.window, target.end);
    let posts = if spec.condition.class() == Class::Posts { window.posts() } else { window.total() };
    let evaluated = |verdict, value| Evaluation { verdict, value, posts, baseline: None, usual: None, p_value: None };
    let enough = posts >= spec.min_posts;
    match spec.condition {
        Condition::Absence => {
            let verdict = if posts == 0 { Verdict::Holds } else { Verdict::Clear };
            evaluated(verdict, Some(posts as f64))
        }
        Condition::Volume { of, .. } => {
            let value = window.of(of) as f64;
            evaluated(by_threshold(spec, value, true), Some(value))
        }
        Condition::Spike { of, .. } => {
            let selection = Selection { class: of, source: target.source };
            let incident = target.incident.map(|at| at - spec.window);
            let usual = view.history().and_then(|history| baseline(history, range, selection, incident));
            let Some(usual) = usual else { return evaluated(Verdict::NoBaseline, None) };
            let count = window.of(of);
            let value = usual.score(count as f64);
            let verdict = by_threshold(spec, value, count >= spec.min_posts);
            Evaluation { baseline: Some(usual.level), usual: Some(usual), ..evaluated(verdict, Some(value)) }
        }
        _ if posts == 0 => evaluated(Verdict::NoData, None),
        Condition::Share { of, threshold, .. } => {
            let part = Part { hits: window.of(of), posts };
            let verdict = by_threshold(spec, part.share(), enough);
            unless_by_chance(spec, evaluated(verdict, Some(part.share())), part, threshold)
        }
        Condition::Ratio { threshold, .. } => {
            let value = negative_ratio(&window);
            let [negative, positive] = negative_and_positive(&window);
            let verdict = by_threshold(spec, value, enough);
            // The test needs the share of negative posts that corresponds to the ratio.
            let share = threshold / (1.0 + threshold);
            let part = Part { hits: negative, posts: negative + positive };
            unless_by_chance(spec, evaluated(verdict, Some(value)), part, share)
        }
        Condition::Shift { of, direction, significance, .. } => {
            let before = before(spec, range).map(|range| view.window(range, target.source)).unwrap_or_default();
            if before.total() == 0 {
                return evaluated(Verdict::NoBaseline, None);
            }
            let now = Part { hits: window.of(of), posts };
            let before = Part { hits: before.of(of), posts: before.total() };
            let p_value = p_value(now, before, direction);
            let difference = now.share() - before.share();
            let effect = if direction == Direction::Above { difference } else { -difference };
            let enough = enough && before.posts >= spec.min_posts;
            let threshold = spec.condition.threshold();
            let verdict = if enough && effect > threshold && p_value < significance {
                Verdict::Holds
            } else if enough && effect > spec.recovery_threshold.unwrap_or(threshold) {
                Verdict::Lingers
            } else {
                Verdict::Clear
            };
            let evaluated = evaluated(verdict, Some(difference));
            Evaluation { baseline: Some(before.share()), p_value: Some(p_value), ..evaluated }
        }
    }
}

/// The number of negative posts per positive post. If there are no positive posts, the number of negative posts is
/// returned, so that the result is always finite.
pub fn negative_ratio(window: &Tally) -> f64 {
    let [negative, positive] = negative_and_positive(window);
    negative as f64 / positive.max(1) as f64
}

/// The numbers of negative and of positive posts.
fn negative_and_positive(window: &Tally) -> [i64; 2] {
    [Sentiment::Negative, Sentiment::Positive].map(|label| window.of(Class::Sentiment(label)))
}

/// Replaces the verdict [`Verdict::Holds`] with [`Verdict::Lingers`] if random variation can explain that the share of
/// `part` is beyond `share`.
fn unless_by_chance(spec: &RuleSpec, evaluation: Evaluation, part: Part, share: f64) -> Evaluation {
    let Some(significance) = spec.condition.significance() else { return evaluation };
    let p_value = match spec.condition.direction() {
        Direction::Above => binomial_tail(part.hits, part.posts, share),
        Direction::Below => binomial_tail(part.complement().hits, part.posts, 1.0 - share),
    };
    let by_chance = evaluation.verdict == Verdict::Holds && p_value >= significance;
    let verdict = if by_chance { Verdict::Lingers } else { evaluation.verdict };
    Evaluation { verdict, p_value: Some(p_value), ..evaluation }
}

/// Compares `value` with the threshold and with the recovery threshold.
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

/// The p-value of Fisher's exact test: if the share has not changed, the probability that the window contains at least
/// as many (`Above`) or at most as many (`Below`) posts of the class as observed. Unlike the z-test, this test is also
/// valid for few posts.
fn p_value(now: Part, before: Part, direction: Direction) -> f64 {
    let (now, before) = match direction {
        Direction::Above => (now, before),
        Direction::Below => (now.complement(), before.complement()),
    };
    hypergeometric_tail(now, Part { hits: now.hits + before.hits, posts: now.posts + before.posts })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{Emotion, PostLabels};
    use crate::rules::{DistinctCounts, History};

    /// The counts (negative, neutral, positive) of the window and of the period before it.
    #[derive(Default)]
    struct Two {
        now: [i64; 3],
        before: [i64; 3],
        distinct: Option<([i64; 3], i64)>,
        unobserved: f64,
    }

    const END: i64 = 1_767_225_600;

    fn tally(counts: [i64; 3]) -> Tally {
        let mut tally = Tally::default();
        let emotions = [Emotion::Anger, Emotion::Neutral, Emotion::Joy];
        for ((sentiment, emotion), count) in Sentiment::ALL.into_iter().zip(emotions).zip(counts) {
            tally.add(Some(PostLabels { sentiment, emotion }), count);
        }
        tally
    }

    impl View for Two {
        fn window(&self, range: TimeRange, _: Option<&str>) -> Tally {
            tally(if range.end().as_seconds() < END { self.before } else { self.now })
        }

        fn sources(&self, _: TimeRange) -> BTreeSet<String> {
            BTreeSet::new()
        }

        fn history(&self) -> Option<&History> {
            None
        }

        fn distinct(&self, _: &RuleSpec, _: TimeRange, _: Option<&str>) -> Option<DistinctCounts> {
            self.distinct.map(|(counts, authors)| DistinctCounts { tally: tally(counts), authors })
        }

        fn unobserved(&self, _: TimeRange) -> f64 {
            self.unobserved
        }
    }

    fn evaluated(mut rule: Value, view: &Two) -> Evaluation {
        rule["name"] = json!("x");
        let spec = RuleSpec::parse(rule).unwrap();
        let end = Timestamp::from_unix(END).unwrap();
        evaluate(&spec, view, Target { source: None, end, incident: None })
    }

    fn verdict(rule: Value, now: [i64; 3], before: [i64; 3]) -> (Verdict, Option<f64>) {
        let evaluation = evaluated(rule, &Two { now, before, ..Two::default() });
        (evaluation.verdict, evaluation.value)
    }

    #[test]
    fn share_must_exceed_its_threshold_with_enough_posts() {
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
    fn ratio_without_positive_posts_is_finite() {
        let of = |now| verdict(json!({"kind": "ratio", "threshold": 2}), now, [0; 3]);
        assert_eq!(of([2, 20, 0]), (Verdict::Clear, Some(2.0)));
        assert_eq!(of([3, 20, 0]), (Verdict::Holds, Some(3.0)));
        assert_eq!(of([7, 4, 3]), (Verdict::Holds, Some(7.0 / 3.0)));
    }

    #[test]
    fn value_between_recovery_and_threshold_does_not_resolve() {
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
    fn shift_must_be_both_large_and_significant() {
        let rule = || json!({"kind": "shift", "threshold": 0.1, "min_posts": 10});
        let of = |now, before| verdict(rule(), now, before).0;
        assert_eq!(of([60, 40, 0], [30, 70, 0]), Verdict::Holds);
        // The same difference is not significant with fewer posts.
        assert_eq!(of([6, 4, 0], [3, 7, 0]), Verdict::Lingers);
        // The difference is significant, but too small.
        assert_eq!(of([35_000, 65_000, 0], [30_000, 70_000, 0]), Verdict::Clear);
        assert_eq!(of([30, 70, 0], [60, 40, 0]), Verdict::Clear);
        assert_eq!(of([60, 40, 0], [0; 3]), Verdict::NoBaseline);
        let falling = json!({"kind": "shift", "threshold": 0.1, "direction": "below"});
        assert_eq!(verdict(falling.clone(), [30, 70, 0], [60, 40, 0]).0, Verdict::Holds);
        let mut recovering = falling;
        recovering["recovery_threshold"] = json!(0.05);
        assert_eq!(verdict(recovering.clone(), [52, 48, 0], [60, 40, 0]).0, Verdict::Lingers);
        assert_eq!(verdict(recovering, [57, 43, 0], [60, 40, 0]).0, Verdict::Clear);
    }

    #[test]
    fn few_posts_need_a_larger_share_to_be_significant() {
        let of = |rule: Value, now| verdict(rule, now, [0; 3]).0;
        let share = || json!({"kind": "share", "threshold": 0.4, "significance": 0.05});
        // With a threshold of 0.4, 8 of 10 posts are significant, and 7 of 10 are not. 430 of 1,000 posts are
        // significant.
        assert_eq!([of(share(), [7, 3, 0]), of(share(), [8, 2, 0])], [Verdict::Lingers, Verdict::Holds]);
        assert_eq!([of(share(), [420, 580, 0]), of(share(), [430, 570, 0])], [Verdict::Lingers, Verdict::Holds]);
        let below = json!({"kind": "share", "threshold": 0.6, "significance": 0.05, "direction": "below"});
        assert_eq!([of(below.clone(), [3, 7, 0]), of(below, [2, 8, 0])], [Verdict::Lingers, Verdict::Holds]);
        let ratio = || json!({"kind": "ratio", "threshold": 2, "significance": 0.05});
        assert_eq!([of(ratio(), [9, 20, 4]), of(ratio(), [45, 0, 10])], [Verdict::Lingers, Verdict::Holds]);
    }

    #[test]
    fn copies_and_too_few_authors_do_not_fire() {
        let view = |counts, authors| Two { now: [60, 0, 40], distinct: Some((counts, authors)), ..Two::default() };
        let rule = |more: Value| {
            let mut rule = json!({"kind": "share", "threshold": 0.5});
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            rule
        };
        let of = |more, view: &Two| evaluated(rule(more), view).verdict;
        // Sixty copies of a text count as one text.
        assert_eq!(of(json!({"distinct": "texts"}), &view([1, 0, 40], 1)), Verdict::Clear);
        assert_eq!(of(json!({"distinct": "posts"}), &view([1, 0, 40], 1)), Verdict::Holds);
        assert_eq!(of(json!({"min_authors": 3}), &view([60, 0, 40], 2)), Verdict::Clear);
        assert_eq!(of(json!({"min_authors": 3}), &view([60, 0, 40], 3)), Verdict::Holds);
        let volume = |distinct: &str| json!({"kind": "volume", "threshold": 50, "distinct": distinct});
        assert_eq!(evaluated(volume("authors"), &view([1, 0, 40], 1)).verdict, Verdict::Clear);
        assert_eq!(evaluated(volume("posts"), &view([1, 0, 40], 1)).verdict, Verdict::Holds);
        let silent = Two { distinct: Some(([0; 3], 0)), ..Two::default() };
        assert_eq!(evaluated(json!({"kind": "absence", "min_authors": 3}), &silent).verdict, Verdict::Holds);
        let few = json!({"kind": "volume", "threshold": 5, "direction": "below", "min_authors": 3});
        assert_eq!(evaluated(few, &silent).verdict, Verdict::Holds);
    }

    #[test]
    fn posts_are_read_only_if_they_may_change_the_result() {
        use Verdict::{Clear, Holds, Lingers, NoData};
        let reads = |mut rule: Value| {
            rule["name"] = json!("x");
            let spec = RuleSpec::parse(rule).unwrap();
            [Holds, Lingers, Clear, NoData].map(|verdict| needs_texts(&spec, verdict))
        };
        let absence = json!({"kind": "absence", "min_authors": 3, "distinct": "texts"});
        assert_eq!(reads(absence), [false; 4]);
        let volume =
            |direction: &str| json!({"kind": "volume", "threshold": 9, "direction": direction, "min_authors": 3});
        assert_eq!(reads(volume("below")), [false; 4]);
        assert_eq!(reads(volume("above")), [true, false, false, false]);
        let mut texts = volume("below");
        texts["distinct"] = json!("texts");
        assert_eq!(reads(texts), [true, true, true, false]);
    }

    #[test]
    fn window_with_downtime_fires_only_above_a_threshold() {
        let down = |now| Two { now, unobserved: 0.5, ..Two::default() };
        let share = || json!({"kind": "share", "threshold": 0.5});
        assert_eq!(evaluated(share(), &down([9, 0, 1])).verdict, Verdict::Holds);
        assert_eq!(evaluated(share(), &down([0, 0, 9])).verdict, Verdict::Unobserved);
        assert_eq!(evaluated(share(), &down([0, 0, 0])).verdict, Verdict::Unobserved);
        assert_eq!(evaluated(json!({"kind": "absence"}), &down([0; 3])).verdict, Verdict::Unobserved);
        let below = json!({"kind": "volume", "threshold": 5, "direction": "below"});
        assert_eq!(evaluated(below, &down([0; 3])).verdict, Verdict::Unobserved);
        let brief = Two { unobserved: 0.01, ..Two::default() };
        assert_eq!(evaluated(json!({"kind": "absence"}), &brief).verdict, Verdict::Holds);
    }
}
