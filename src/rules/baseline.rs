//! What is usual: the baseline of a spike.
//!
//! The level is the median of the windows of the same length over the last 24 hours, which end at whole minutes before
//! the window that is judged. With three or more days of history it is blended with the median, over up to seven days, of
//! the hour around the same time of day (scaled to the window's length): with `d` such days the weight of the latter is
//! `d / (d + 3)`.
//!
//! Counts are compared on the scale of Anscombe's transform, 2√(count + 3/8) (Biometrika 35, 1948), on which the counts of
//! a Poisson process have the standard deviation 1 whatever their level, and few of them are not skewed: the same score is
//! as rare in a quiet place as in a busy one. How much more the 24 hours' windows vary is 1.4826 times the median absolute
//! deviation on this scale (which estimates the standard deviation where values are normal, and which outliers do not
//! move), and at least 1: counts that hardly vary by luck must not make the next one a spike. The score of a count is its
//! distance from the level on the scale by that.

use std::time::Duration;

use super::{DAY, DAYS, History};
use crate::domain::TimeRange;
use crate::domain::alert::Class;

/// Fewer windows are no baseline.
pub const LEAST_WINDOWS: usize = 6;
/// Fewer days are not blended in.
const LEAST_DAYS: usize = 3;
const HOUR: Duration = Duration::from_secs(3_600);
/// From the median absolute deviation to the standard deviation of a normal distribution.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// Of Anscombe's transform.
const SHIFT: f64 = 0.375;

/// What is usual for a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// Posts that are usual.
    pub level: f64,
    /// By how much they usually differ: one standard deviation, in posts.
    pub spread: f64,
    /// Windows of the last day that it is made of.
    pub windows: usize,
    /// Days that it is blended with.
    pub days: usize,
}

impl Baseline {
    /// Of what was counted in the windows of the last day, and in the same hour of earlier days. `None`: too few windows.
    pub fn of(windows: &[f64], days: &[f64]) -> Option<Self> {
        if windows.len() < LEAST_WINDOWS {
            return None;
        }
        let recent = median(windows);
        let scaled: Vec<f64> = windows.iter().map(|count| stable(*count)).collect();
        let middle = median(&scaled);
        let deviations: Vec<f64> = scaled.iter().map(|value| (value - middle).abs()).collect();
        let weight = if days.len() < LEAST_DAYS { 0.0 } else { days.len() as f64 / (days.len() as f64 + 3.0) };
        let level = (1.0 - weight) * recent + weight * if weight > 0.0 { median(days) } else { 0.0 };
        let spread = (MAD_TO_DEVIATION * median(&deviations)).max(1.0) * (level + SHIFT).sqrt();
        Some(Self { level, spread, windows: windows.len(), days: if weight > 0.0 { days.len() } else { 0 } })
    }

    /// How many usual deviations `count` lies above the level.
    pub fn score(&self, count: f64) -> f64 {
        let deviation = self.spread / (self.level + SHIFT).sqrt();
        (stable(count) - stable(self.level)) / deviation
    }
}

/// A count on the scale on which chance moves all counts alike.
fn stable(count: f64) -> f64 {
    2.0 * (count + SHIFT).sqrt()
}

/// The baseline of `window` for the posts of `class`, of one source or of all.
pub fn baseline(history: &History, window: TimeRange, class: Class, source: Option<&str>) -> Option<Baseline> {
    let minutes = &history.minutes;
    let length = window.length();
    // What was before the first post says nothing about it.
    let first = minutes.first(source)?.max(window.start() - DAY);
    let end = window.start().floor(minutes.width());
    let windows = minutes.windows(TimeRange::new(first, end)?, length, (class, source));
    Baseline::of(&windows, &same_hours(history, window, class, source))
}

fn same_hours(history: &History, window: TimeRange, class: Class, source: Option<&str>) -> Vec<f64> {
    let Some(quarters) = &history.quarters else { return Vec::new() };
    let Some(first) = quarters.first(source) else { return Vec::new() };
    let length = window.length();
    let hour = length.max(HOUR);
    let middle = window.start() + length / 2;
    let around = |day: u32| {
        let start = (middle - DAY * day - hour / 2).floor(quarters.width());
        TimeRange::last(hour, start + hour)
    };
    let scale = length.as_secs_f64() / hour.as_secs_f64();
    let known = (1..=DAYS).map(around).filter(|range| range.start() >= first);
    known.map(|range| quarters.sum(range, source).of(class) as f64 * scale).collect()
}

/// Of values of which there is one at least.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Emotion, Sentiment, Timestamp};
    use crate::rules::series::{BucketCount, Series};

    /// Posts in each five minutes of a day of a place with a quiet night, as recorded from a run of the program.
    const RECORDED: [i64; 48] = [
        4, 6, 3, 5, 2, 4, 3, 1, 2, 0, 3, 2, 5, 4, 7, 9, 12, 14, 11, 16, 18, 22, 19, 25, 24, 28, 23, 26, 30, 27, 25, 22,
        24, 21, 26, 28, 31, 29, 33, 30, 27, 24, 20, 18, 15, 12, 9, 7,
    ];

    #[test]
    fn the_level_is_the_median_and_outliers_do_not_move_the_spread() {
        let counts: Vec<f64> = RECORDED.iter().map(|&count| count as f64).collect();
        let calm = Baseline::of(&counts, &[]).unwrap();
        assert_eq!((calm.level, calm.windows, calm.days), (17.0, 48, 0));
        assert!((13.0..15.0).contains(&calm.spread), "{calm:?}");
        let mut stormy = counts;
        stormy[40] = 900.0;
        stormy[41] = 700.0;
        let stormy = Baseline::of(&stormy, &[]).unwrap();
        assert!((stormy.level - calm.level).abs() <= 1.0 && (stormy.spread - calm.spread).abs() < 2.0, "{stormy:?}");
        assert!(calm.score(33.0) < 2.0 && calm.score(200.0) > 5.0);
    }

    #[test]
    fn counts_that_hardly_vary_have_the_spread_of_chance() {
        let steady = Baseline::of(&[100.0; 20], &[]).unwrap();
        assert_eq!((steady.level, steady.spread.round(), (steady.score(130.0) * 10.0).round()), (100.0, 10.0, 28.0));
        // As rare as each other by chance, once in about 10,000 windows: 21 posts where 8 are usual, 140 where 100 are.
        let quiet = Baseline::of(&[8.0; 20], &[]).unwrap();
        assert!((quiet.score(21.0) - steady.score(140.0)).abs() < 0.25);
        assert!(Baseline::of(&[0.0; 20], &[]).unwrap().score(3.0) < 3.0);
        assert_eq!(Baseline::of(&[100.0; 5], &[]), None);
    }

    #[test]
    fn days_are_blended_in_by_their_number() {
        let level = |days: &[f64]| Baseline::of(&[10.0; 20], days).unwrap().level;
        assert_eq!(level(&[40.0; 2]), 10.0);
        assert_eq!(level(&[40.0; 3]), 25.0);
        assert!((level(&[40.0; 7]) - 31.0).abs() < 1e-9);
    }

    #[test]
    fn the_daily_peak_is_no_spike_once_there_are_days_to_compare_with() {
        // Each recorded count is of half an hour; eight days of it.
        let start = Timestamp::from_unix(1_767_225_600).unwrap();
        let half = Duration::from_secs(1_800);
        let day = |day: u32| (0_u32..).zip(RECORDED).map(move |(index, count)| (day * 48 + index, count));
        let counts = |from: u32| -> Vec<BucketCount> {
            let all = (from..8).flat_map(day);
            all.map(|(index, count)| {
                (start + half * index, "x".to_owned(), Sentiment::Neutral, Emotion::Neutral, count * 20)
            })
            .collect()
        };
        let end = start + DAY * 8;
        let range = TimeRange::new(start, end).unwrap();
        let history = |from: u32| History {
            minutes: Series::new(range, Duration::from_secs(60), counts(from)),
            quarters: Some(Series::new(range, Duration::from_secs(900), counts(from))),
        };
        // 20 o'clock on the last day: 33 of them, in a window of an hour 63.
        let window = TimeRange::last(HOUR, start + DAY * 7 + Duration::from_secs(20 * 3_600));
        let of = |history: &History| baseline(history, window, Class::Posts, None).unwrap();
        let (short, long) = (of(&history(7)), of(&history(0)));
        assert_eq!((short.days, long.days), (0, 7));
        let count = history(0).minutes.sum(window, None).total() as f64;
        assert!(long.score(count) < short.score(count), "{long:?} {short:?}");
        assert!(long.score(count) < 3.0, "{long:?}");
        assert!(long.score(count * 5.0) > 4.0, "{long:?}");
        assert_eq!(baseline(&history(0), window, Class::Posts, Some("y")), None);
    }
}
