//! The baseline of a spike: which counts are usual.
//!
//! **Level.** A [`Profile`] holds the expected rate of every quarter of an hour of the week, from up to four weeks of
//! history. The rate of each quarter of the week is shrunk towards the same quarter of the day on workdays or weekends,
//! which is shrunk towards the same quarter of any day, which is shrunk towards the mean of all: with `n` observations
//! a cell has the weight `n / (n + 1)` against its parent. Counts far above their expectation are clipped before the
//! rates are computed, so that an incident does not raise the level of the following days. The profile is scaled by the
//! ratio of the last three hours to it, so that it follows growth and unusual days. Time without posts counts as zero;
//! time that was not observed is left out.
//!
//! **Spread.** Counts are compared on the scale of Anscombe's transform, 2√(count + 3/8) (Biometrika 35, 1948), on
//! which the counts of a Poisson process have the standard deviation 1 at every level. Two estimates of the spread are
//! made on this scale, and the larger one is used: 1.4826 times the median absolute deviation of the residuals of the
//! last day's windows of the same length; and the deviation that follows from the error of the profile for the hours of
//! the last two weeks, which is assumed to be large while there are few days of history. Both are at least the spread
//! of a Poisson process.
//!
//! The score of a count is its distance from the level on this scale, divided by the spread.

use std::time::Duration;

use super::history::{History, MINUTE, ProfileKey, QUARTER};
use super::series::Selection;
use super::{DAY, PROFILE};
use crate::domain::{TimeRange, Timestamp};

/// The least number of observed windows that a baseline needs.
pub const LEAST_WINDOWS: u32 = 6;
/// The time whose counts scale the profile.
const RECENT: Duration = Duration::from_secs(3 * 3_600);
/// The weight of the prior of the recent factor: so many posts are added to the counted and to the expected ones.
const RECENT_PRIOR: f64 = 5.0;
/// Bounds of the recent factor.
const RECENT_FACTOR: (f64, f64) = (0.5, 4.0);
/// The least relative error that limits how far recent counts may exceed the profile before they are clipped.
const RECENT_ERROR: f64 = 0.2;
/// The factor from the median absolute deviation to the standard deviation of a normal distribution.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// The constant of Anscombe's transform.
const SHIFT: f64 = 0.375;
/// Past counts are clipped at this many deviations.
const CLIP: f64 = 3.0;
/// The relative error of a profile that has no observation of this time of day, and the least error of one that has.
const UNSEEN_ERROR: f64 = 0.6;
const LEAST_ERROR: f64 = 0.05;
/// Buckets with a smaller observed part are left out.
const LEAST_OBSERVED: f64 = 0.5;
/// The least number of residuals for an estimate of the spread.
const LEAST_RESIDUALS: usize = 12;
/// The time whose hours are compared with the profile.
const CHECKED: Duration = Duration::from_secs(14 * 86_400);
/// The number of powers of two for which the spread is estimated separately.
const LEVELS: usize = 24;
/// Quarters of an hour in a day and in a week.
const DAY_CELLS: usize = 96;
const WEEK_CELLS: usize = 7 * DAY_CELLS;

/// The usual counts for a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// The usual number of posts.
    pub level: f64,
    /// The usual deviation from the level: one standard deviation, in posts.
    pub spread: f64,
    /// The number of observed windows of the last day.
    pub windows: usize,
    /// The number of earlier days that were observed at this time of day.
    pub days: usize,
}

impl Baseline {
    /// The distance of `count` from the level, in standard deviations.
    pub fn score(&self, count: f64) -> f64 {
        let deviation = self.spread / (self.level + SHIFT).sqrt();
        (stable(count) - stable(self.level)) / deviation
    }
}

/// Transforms a count to the scale on which random variation is the same at every level.
fn stable(count: f64) -> f64 {
    2.0 * (count.max(0.0) + SHIFT).sqrt()
}

/// The inverse of [`stable`].
fn unstable(value: f64) -> f64 {
    (value / 2.0).powi(2) - SHIFT
}

/// The baseline of `window`. `incident` is the time at which the series began to alert; later counts are left out.
///
/// `None`: fewer than [`LEAST_WINDOWS`] windows were observed.
pub fn baseline(
    history: &History,
    window: TimeRange,
    selection: Selection<'_>,
    incident: Option<Timestamp>,
) -> Option<Baseline> {
    let length = window.length();
    // An incident that lasts for longer than a day becomes part of the baseline.
    let before = incident.map_or(window.start(), |at| at.clamp(window.start() - DAY, window.start()));
    let first = history.first(selection.source)?;
    let step = if before.since(first) < DAY { QUARTER } else { QUARTER * 4 };
    let until = before.floor(step).max(first.floor(QUARTER));
    let key = ProfileKey { class: selection.class, source: selection.source.map(str::to_owned), length, until };
    let profile = history.profiles.get(key, || Profile::build(history, first, until, length, selection));
    let observed = observed_time(history, TimeRange::new(first, before)?);
    if observed < length * LEAST_WINDOWS {
        return None;
    }
    let recent = TimeRange::last(RECENT.min(before.since(first)), before.floor(MINUTE));
    let Some(profile) = profile else {
        // There is less than a quarter of an hour of history before the window.
        let level = history.minutes.sum(TimeRange::new(first, before)?, selection.source).of(selection.class) as f64
            * (length.as_secs_f64() / observed.as_secs_f64());
        let spread = Profile::relative_spread(level, UNSEEN_ERROR) * (level + SHIFT).sqrt();
        return Some(Baseline { level, spread, windows: windows_in(observed, length), days: 0 });
    };
    let expected = profile.expected(window);
    let level = expected * profile.recent_factor(history, recent, selection);
    let days = profile.days(window.start());
    let chance = profile.chance(expected) * (1.0 + length.as_secs_f64() / QUARTER.as_secs_f64() / (days + 1.0)).sqrt();
    let spread = chance.max(Profile::relative_spread(level, profile.error(days))) * (level + SHIFT).sqrt();
    Some(Baseline { level, spread, windows: windows_in(observed.min(DAY), length), days: days as usize })
}

fn windows_in(observed: Duration, length: Duration) -> usize {
    (observed.as_secs() / length.as_secs().max(1)) as usize
}

fn observed_time(history: &History, range: TimeRange) -> Duration {
    range.length().mul_f64((1.0 - history.gaps.share_of(range)).clamp(0.0, 1.0))
}

/// The expected rate at each time of the week.
#[derive(Debug)]
pub struct Profile {
    /// Posts per second, by quarter of an hour of the week.
    rates: Vec<f64>,
    /// How often each quarter of an hour was observed, on workdays and on weekends.
    seen: [[f64; DAY_CELLS]; 2],
    /// The spread of the last day's windows, by the power of two of the expected count; at least that of a Poisson
    /// process.
    chance: [f64; LEVELS],
    /// The relative error of the profile for whole hours.
    error: f64,
}

#[derive(Clone, Copy, Debug)]
struct Residual {
    expected: f64,
    /// The difference on the scale of [`stable`].
    difference: f64,
}

/// The count of one earlier bucket.
struct Observation {
    cell: usize,
    count: f64,
    /// The part of the bucket that was observed.
    exposure: f64,
}

impl Profile {
    fn build(
        history: &History,
        first: Timestamp,
        until: Timestamp,
        length: Duration,
        selection: Selection<'_>,
    ) -> Option<Self> {
        let range = TimeRange::new(first.max(until - PROFILE).ceil(QUARTER), until)?;
        let windows = history.quarters.windows(range, QUARTER, selection);
        let observation = |window: &super::series::WindowCount| {
            let exposure = 1.0 - history.gaps.share_of(TimeRange::last(QUARTER, window.start + QUARTER));
            (exposure >= LEAST_OBSERVED).then(|| Observation {
                cell: cell(window.start),
                count: window.count,
                exposure,
            })
        };
        let mut observations: Vec<Observation> = windows.iter().filter_map(observation).collect();
        if observations.is_empty() {
            return None;
        }
        let mut seen = [[0.0; DAY_CELLS]; 2];
        for one in &observations {
            seen[day_type(one.cell)][one.cell % DAY_CELLS] += one.exposure;
        }
        let rough = rates(&observations);
        for one in &mut observations {
            let expected = rough[one.cell] * one.exposure;
            one.count = one.count.min(unstable(stable(expected) + CLIP));
        }
        let quarter = QUARTER.as_secs_f64();
        let rates = rates(&observations).into_iter().map(|rate| rate / quarter).collect();
        let mut profile = Self { rates, seen, chance: [1.0; LEVELS], error: LEAST_ERROR };
        profile.chance = chance(&profile.residuals(history, TimeRange::last(DAY, until), length, selection));
        let hours = TimeRange::new(range.start().max(until - CHECKED), until)?;
        profile.error = error_of(&profile.residuals(history, hours, QUARTER * 4, selection));
        Some(profile)
    }

    /// The residuals of the observed windows in `range`.
    fn residuals(
        &self,
        history: &History,
        range: TimeRange,
        length: Duration,
        selection: Selection<'_>,
    ) -> Vec<Residual> {
        let series = if length < QUARTER * 4 { &history.minutes } else { &history.quarters };
        let residual = |window: super::series::WindowCount| {
            let range = TimeRange::last(length, window.start + length);
            let exposure = 1.0 - history.gaps.share_of(range);
            let expected = self.expected(range) * exposure;
            (exposure >= LEAST_OBSERVED)
                .then(|| Residual { expected, difference: stable(window.count) - stable(expected) })
        };
        let first = history.first(selection.source).unwrap_or(range.start()).max(range.start());
        let Some(range) = TimeRange::new(first, range.end()) else { return Vec::new() };
        series.windows(range, length, selection).into_iter().filter_map(residual).collect()
    }

    /// The expected number of posts in `range`.
    fn expected(&self, range: TimeRange) -> f64 {
        let mut sum = 0.0;
        let mut at = range.start();
        while at < range.end() {
            let next = (at.floor(QUARTER) + QUARTER).min(range.end());
            sum += self.rates[cell(at)] * next.since(at).as_secs_f64();
            at = next;
        }
        sum
    }

    /// The ratio of the counts of `recent` to the profile.
    fn recent_factor(&self, history: &History, recent: TimeRange, selection: Selection<'_>) -> f64 {
        let (mut counted, mut expected) = (RECENT_PRIOR, RECENT_PRIOR);
        for window in history.minutes.windows(recent, QUARTER, selection) {
            let range = TimeRange::last(QUARTER, window.start + QUARTER);
            let exposure = 1.0 - history.gaps.share_of(range);
            if exposure < LEAST_OBSERVED {
                continue;
            }
            let usual = self.expected(range) * exposure;
            let most = unstable(stable(usual) + CLIP * Self::relative_spread(usual, self.error.max(RECENT_ERROR)));
            counted += window.count.min(most);
            expected += usual;
        }
        (counted / expected).clamp(RECENT_FACTOR.0, RECENT_FACTOR.1)
    }

    /// The random spread at this expected count.
    fn chance(&self, expected: f64) -> f64 {
        self.chance[level(expected)]
    }

    /// The number of days on which the time of day of `at` was observed.
    fn days(&self, at: Timestamp) -> f64 {
        let cell = cell(at);
        self.seen[day_type(cell)][cell % DAY_CELLS]
    }

    /// The relative error of the profile at a time of day with observations on `days` days.
    fn error(&self, days: f64) -> f64 {
        ((UNSEEN_ERROR.powi(2) + self.error.powi(2) * days) / (1.0 + days)).sqrt()
    }

    /// The random spread and a relative error combined, on the scale of [`stable`].
    fn relative_spread(level: f64, error: f64) -> f64 {
        (1.0 + error * error * level).sqrt()
    }
}

/// The rounded-down binary logarithm of a count.
fn level(count: f64) -> usize {
    (count.max(1.0).log2() as usize).min(LEVELS - 1)
}

/// The spread of the residuals by the power of two of their expected count; at least that of a Poisson process.
fn chance(residuals: &[Residual]) -> [f64; LEVELS] {
    std::array::from_fn(|power| {
        let alike = |residual: &&Residual| residual.expected >= 0.5 && level(residual.expected).abs_diff(power) <= 1;
        let mut differences: Vec<f64> = residuals.iter().filter(alike).map(|one| one.difference).collect();
        if differences.len() < LEAST_RESIDUALS { 1.0 } else { deviation(&mut differences).max(1.0) }
    })
}

/// The relative error of the residuals of hours that random variation does not explain.
fn error_of(hours: &[Residual]) -> f64 {
    let usable: Vec<&Residual> = hours.iter().filter(|hour| hour.expected >= 4.0).collect();
    if usable.len() < LEAST_RESIDUALS {
        return LEAST_ERROR;
    }
    let mut errors: Vec<f64> = usable.iter().map(|hour| hour.difference / hour.expected.sqrt()).collect();
    let mut chance: Vec<f64> = usable.iter().map(|hour| 1.0 / hour.expected).collect();
    let excess = deviation(&mut errors).powi(2) - median(&mut chance);
    excess.max(0.0).sqrt().clamp(LEAST_ERROR, UNSEEN_ERROR)
}

/// The expected count of every quarter of an hour of the week, each cell shrunk towards its parent.
fn rates(observations: &[Observation]) -> Vec<f64> {
    #[derive(Clone, Copy, Default)]
    struct Sum {
        count: f64,
        exposure: f64,
    }
    impl Sum {
        fn add(&mut self, one: &Observation) {
            self.count += one.count;
            self.exposure += one.exposure;
        }
        /// The mean, with the weight of one observation for `parent`.
        fn towards(self, parent: f64) -> f64 {
            (self.count + parent) / (self.exposure + 1.0)
        }
    }
    let mut all = Sum::default();
    let mut day = [Sum::default(); DAY_CELLS];
    let mut kind = [[Sum::default(); DAY_CELLS]; 2];
    let mut week = vec![Sum::default(); WEEK_CELLS];
    for one in observations {
        all.add(one);
        day[one.cell % DAY_CELLS].add(one);
        kind[day_type(one.cell)][one.cell % DAY_CELLS].add(one);
        week[one.cell].add(one);
    }
    let mean = if all.exposure > 0.0 { all.count / all.exposure } else { 0.0 };
    let rate = |(cell, sum): (usize, &Sum)| {
        let of_day = day[cell % DAY_CELLS].towards(mean);
        let of_kind = kind[day_type(cell)][cell % DAY_CELLS].towards(of_day);
        sum.towards(of_kind)
    };
    week.iter().enumerate().map(rate).collect()
}

/// The quarter of an hour of the week, in UTC, from Monday 00:00.
fn cell(at: Timestamp) -> usize {
    // The Unix epoch was a Thursday.
    let quarters = at.as_seconds().div_euclid(QUARTER.as_secs() as i64) + 3 * DAY_CELLS as i64;
    quarters.rem_euclid(WEEK_CELLS as i64) as usize
}

/// 0 from Monday to Friday, 1 on Saturday and Sunday.
fn day_type(cell: usize) -> usize {
    usize::from(cell >= 5 * DAY_CELLS)
}

/// The robust standard deviation of at least one value.
fn deviation(values: &mut [f64]) -> f64 {
    let middle = median(values);
    let mut distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    MAD_TO_DEVIATION * median(&mut distances)
}

/// The median of at least one value.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests;
