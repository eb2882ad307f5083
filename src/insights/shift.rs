//! Decides which differences between two ranges are significant.

use serde::Serialize;

use super::Side;
use crate::domain::interval::relative_change;
use crate::domain::{Counts, Emotion, Sentiment};

/// The minimum number of scored posts of each range for a difference of shares, and the minimum number of posts of the
/// larger range for a difference of numbers. With fewer posts no difference is considered significant.
const LEAST_POSTS: i64 = 30;
/// The minimum z-score of a significant difference: a two-sided p-value below 0.001. The limit is strict because the
/// largest of several differences is reported.
const LEAST_Z: f64 = 3.29;
/// The minimum difference of a share, in percentage points, and the minimum factor between two numbers of posts.
/// Smaller differences are ignored even if they are significant.
const LEAST_POINTS: f64 = 5.0;
const LEAST_FACTOR: f64 = 1.5;
/// The minimum part of a difference that an emotion or a source must explain to be named.
const LEAST_PART: f64 = 0.35;

/// The measured quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// The number of posts.
    Posts,
    /// The share of positive posts.
    Positive,
    /// The share of neutral posts.
    Neutral,
    /// The share of negative posts.
    Negative,
}

impl Measure {
    /// The sentiment whose share is measured.
    pub fn sentiment(self) -> Option<Sentiment> {
        match self {
            Self::Posts => None,
            Self::Positive => Some(Sentiment::Positive),
            Self::Neutral => Some(Sentiment::Neutral),
            Self::Negative => Some(Sentiment::Negative),
        }
    }
}

/// A significant difference.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Shift {
    /// The quantity that differs.
    pub measure: Measure,
    /// The earlier share in percent, or the earlier number of posts, scaled to the length of the current range.
    pub previous: f64,
    /// The current share in percent, or the current number of posts.
    pub current: f64,
    /// The emotion that explains most of an increased share, if it explains at least 35 %; otherwise null.
    pub emotion: Option<Emotion>,
    /// The source that explains most of the difference, if it explains at least 35 % and there are several sources;
    /// otherwise null.
    pub source: Option<String>,
    /// Words that became more frequent, at most three.
    pub words: Vec<String>,
}

/// The significant differences: first of the share of a sentiment, then of the number of posts. Shares are compared
/// only if `compare_sentiments` is set; they cannot differ if the filter selects a single sentiment.
pub fn shifts(current: &Side, previous: &Side, compare_sentiments: bool) -> Vec<Shift> {
    let share = if compare_sentiments { share_shift(&current.counts, &previous.counts) } else { None };
    share.into_iter().chain(volume(current, previous)).collect()
}

/// The most significant difference of the share of negative or positive posts, by a two-proportion z-test. An increase
/// is preferred to a decrease.
fn share_shift(current: &Counts, previous: &Counts) -> Option<Shift> {
    if current.total().min(previous.total()) < LEAST_POSTS {
        return None;
    }
    let score = |measure: Measure| {
        let sentiment = measure.sentiment()?;
        let of = |counts: &Counts| (counts.sentiment(sentiment) as f64, counts.total() as f64);
        let ((hits, posts), (hits_before, posts_before)) = (of(current), of(previous));
        let pooled = (hits + hits_before) / (posts + posts_before);
        let error = (pooled * (1.0 - pooled) * (1.0 / posts + 1.0 / posts_before)).sqrt();
        let points = hits / posts - hits_before / posts_before;
        let z = if error == 0.0 { 0.0 } else { points / error };
        (z.abs() >= LEAST_Z && points.abs() * 100.0 >= LEAST_POINTS).then_some((measure, sentiment, z))
    };
    let found = [Measure::Negative, Measure::Positive].into_iter().filter_map(score);
    let (measure, sentiment, z) = found.max_by(|one, other| {
        let key = |z: f64| (z > 0.0, z.abs());
        key(one.2).partial_cmp(&key(other.2)).unwrap_or(std::cmp::Ordering::Equal)
    })?;
    Some(Shift {
        measure,
        previous: previous.percentage(sentiment),
        current: current.percentage(sentiment),
        emotion: (z > 0.0).then(|| leading_emotion(current, previous, sentiment)).flatten(),
        source: None,
        words: Vec::new(),
    })
}

/// The emotion other than neutral whose share increased most, if it explains at least [`LEAST_PART`] of the increase of
/// `sentiment`.
fn leading_emotion(current: &Counts, previous: &Counts, sentiment: Sentiment) -> Option<Emotion> {
    let share = |counts: &Counts, hits: i64| hits as f64 / counts.total() as f64;
    let points = share(current, current.sentiment(sentiment)) - share(previous, previous.sentiment(sentiment));
    let growth =
        |emotion: Emotion| share(current, current.emotion(emotion)) - share(previous, previous.emotion(emotion));
    let emotions = Emotion::ALL.into_iter().filter(|emotion| *emotion != Emotion::Neutral);
    let (emotion, growth) =
        emotions.map(|emotion| (emotion, growth(emotion))).max_by(|one, other| one.1.total_cmp(&other.1))?;
    (growth >= points * LEAST_PART).then_some(emotion)
}

/// The difference between the rates of posts, if it is significant and large enough, and all posts of both ranges were
/// counted.
fn volume(current: &Side, previous: &Side) -> Option<Shift> {
    if current.capped || previous.capped || current.total.max(previous.total) < LEAST_POSTS {
        return None;
    }
    let length = previous.range.length().as_secs_f64();
    let scale = if length > 0.0 { current.range.length().as_secs_f64() / length } else { 1.0 };
    let (now, then) = (current.total as f64, previous.total as f64 * scale);
    let significant = match relative_change(current.total, previous.total) {
        // One range has no posts, and the other has at least `LEAST_POSTS`.
        None => true,
        Some(_) => (now - then).abs() / (now + then * scale.max(1.0)).sqrt() >= LEAST_Z,
    };
    let large = now.max(then) >= now.min(then) * LEAST_FACTOR;
    (significant && large).then(|| Shift {
        measure: Measure::Posts,
        previous: (then * 10.0).round() / 10.0,
        current: now,
        emotion: None,
        source: None,
        words: Vec::new(),
    })
}

/// Whether `part` is at least [`LEAST_PART`] of the difference `whole`.
pub fn explains(part: f64, whole: f64) -> bool {
    whole != 0.0 && part / whole >= LEAST_PART
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{PostLabels, TimeRange};

    fn side(positive: i64, neutral: i64, negative: i64) -> Side {
        let mut counts = Counts::default();
        counts.add(Some(PostLabels { sentiment: Sentiment::Positive, emotion: Emotion::Joy }), positive, 0.0);
        counts.add(Some(PostLabels { sentiment: Sentiment::Neutral, emotion: Emotion::Neutral }), neutral, 0.0);
        counts.add(Some(PostLabels { sentiment: Sentiment::Negative, emotion: Emotion::Anger }), negative, 0.0);
        let range = TimeRange::last(Duration::from_secs(3_600), "2026-03-01T12:00:00Z".parse().unwrap());
        Side { range, total: counts.total(), capped: false, counts, sampled: 0 }
    }

    #[test]
    fn significant_change_of_a_share_has_its_leading_emotion() {
        let found = shifts(&side(2, 1, 97), &side(33, 33, 34), true);
        let [shift] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((shift.measure, shift.previous, shift.current), (Measure::Negative, 34.0, 97.0));
        assert_eq!(shift.emotion, Some(Emotion::Anger));
    }

    #[test]
    fn random_and_small_differences_are_not_reported() {
        assert_eq!(shifts(&side(10, 10, 13), &side(10, 10, 10), true), []);
        assert_eq!(shifts(&side(0, 0, 9), &side(9, 0, 0), true), [], "too few posts");
        assert_eq!(shifts(&side(33_000, 33_000, 34_000), &side(34_000, 33_000, 33_000), true), [], "one point");
    }

    #[test]
    fn numbers_of_posts_are_compared_as_rates() {
        let mut before = side(100, 100, 100);
        assert_eq!(shifts(&side(300, 300, 300), &before, true)[0].measure, Measure::Posts);
        before.range = TimeRange::last(Duration::from_secs(1_200), before.range.end());
        assert_eq!(shifts(&side(300, 300, 300), &before, true), [], "the current range is three times as long");
        assert_eq!(shifts(&side(0, 40, 0), &side(0, 0, 0), true)[0].previous, 0.0, "new posts");
    }
}
