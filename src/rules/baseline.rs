//! The baseline of a spike: the usual counts and their usual variation.
//!
//! **Level.** A [`Profile`] holds the expected rate for every quarter of an hour in the week, from up to four weeks of
//! history. A rate from few observations is unreliable, so each rate is shrunk towards the rate of a larger group, its
//! parent. The parent of a quarter of the week is the same quarter on all workdays, or on all weekend days. The parent
//! of that rate is the same quarter on all days. The last parent is the mean of all quarters. A rate with `n`
//! observations has the weight `n / (n + 1)`, and its parent has the weight `1 / (n + 1)`. Counts far above the
//! expected count are clipped before the rates are computed, so that an incident does not raise the level of the
//! following days. The profile is multiplied by the ratio of the counts of the last three hours to the expected counts,
//! so that it follows growth and unusual days. Time without posts counts as zero; downtime is left out.
//!
//! **Spread.** Counts are compared on the scale of Anscombe's transform, 2√(count + 3/8) (Biometrika 35, 1948), on
//! which the counts of a Poisson process have the standard deviation 1 at every level. Two estimates of the spread are
//! computed on this scale, and the larger estimate is used. The first is 1.4826 times the median absolute deviation of
//! the residuals of those windows of the last day that are as long as the evaluated window; it is increased if the time
//! of day was observed on few days. The second follows from the relative error of the profile in the hours of the last
//! two weeks; this error is assumed to be large while there are few days of history. Both estimates are at least the
//! spread of a Poisson process.
//!
//! The score of a count is its distance from the level on this scale, divided by the spread.

use std::time::Duration;

use super::history::{History, MINUTE, QUARTER};
use super::profile::{DAY_CELLS, LEVELS, Profile, ProfileKey};
use super::series::Selection;
use super::{DAY, PROFILE};
use crate::domain::{TimeRange, Timestamp};

/// The minimum number of observed windows that a baseline needs.
pub const LEAST_WINDOWS: u32 = 6;
/// The period before a window whose counts scale the profile. The scale is called the recent factor.
const RECENT: Duration = Duration::from_secs(3 * 3_600);
/// The weight of the prior of the recent factor: this number of posts is added to both the counted and the expected
/// posts.
const RECENT_PRIOR: f64 = 5.0;
/// The minimum and the maximum of the recent factor.
const RECENT_FACTOR: (f64, f64) = (0.5, 4.0);
/// Recent counts are clipped at a limit that depends on the relative error of the profile. The limit is computed with
/// at least this error.
const RECENT_ERROR: f64 = 0.2;
/// The factor from the median absolute deviation to the standard deviation of a normal distribution.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// The constant of Anscombe's transform.
const SHIFT: f64 = 0.375;
/// Past counts are clipped at this number of standard deviations above the expected count.
const CLIP: f64 = 3.0;
/// The relative error of a profile at a time of day without observations, and the minimum error with observations.
const UNSEEN_ERROR: f64 = 0.6;
const LEAST_ERROR: f64 = 0.05;
/// The minimum observed part of a bucket. Buckets with more downtime are left out.
const LEAST_OBSERVED: f64 = 0.5;
/// The minimum number of residuals for an estimate of the spread.
const LEAST_RESIDUALS: usize = 12;
/// The period whose hours are compared with the profile to estimate its relative error.
const CHECKED: Duration = Duration::from_secs(14 * 86_400);
/// Quarters of an hour in a week.
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
    /// The number of earlier days that were observed at this time of day: workdays for a window on a workday, otherwise
    /// weekend days.
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

/// The baseline of `window`. `incident` is the time at which the series began to alert; counts after it are left out,
/// for at most a day.
///
/// Returns `None` if there are no earlier posts, or fewer than [`LEAST_WINDOWS`] windows were observed.
pub fn baseline(
    history: &History,
    window: TimeRange,
    selection: Selection<'_>,
    incident: Option<Timestamp>,
) -> Option<Baseline> {
    let length = window.length();
    // The counts of an incident are left out for at most a day. A longer incident becomes part of the baseline.
    let before = incident.map_or(window.start(), |at| at.clamp(window.start() - DAY, window.start()));
    let first = history.first(selection.source)?;
    let step = if before.since(first) < DAY { QUARTER } else { QUARTER * 4 };
    let until = before.floor(step).max(first.floor(QUARTER));
    let key = ProfileKey { class: selection.class, source: selection.source.map(str::to_owned), length, until };
    let profile = history.profiles.get(key, || Profile::build(history, Windows { first, until, length }, selection));
    let observed = observed_time(history, TimeRange::new(first, before)?);
    if observed < length * LEAST_WINDOWS {
        return None;
    }
    let recent = TimeRange::last(RECENT.min(before.since(first)), before.floor(MINUTE));
    let Some(profile) = profile else {
        // Without an observed quarter of an hour there is no profile, so the mean rate is used.
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

#[derive(Clone, Copy, Debug)]
struct Residual {
    expected: f64,
    /// The counted minus the expected posts, on the scale of [`stable`].
    difference: f64,
}

/// The count of one earlier bucket.
struct Observation {
    cell: usize,
    count: f64,
    /// The part of the bucket that was observed.
    exposure: f64,
}

/// The windows for which a profile is built.
#[derive(Clone, Copy)]
struct Windows {
    /// The start of the counts.
    first: Timestamp,
    /// The end of the counts, exclusive.
    until: Timestamp,
    /// The length of a window.
    length: Duration,
}

impl Profile {
    fn build(history: &History, of: Windows, selection: Selection<'_>) -> Option<Self> {
        let Windows { first, until, length } = of;
        let range = TimeRange::new(first.max(until - PROFILE).ceil(QUARTER), until)?;
        let windows = history.windows(range, QUARTER, selection);
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
        let residual = |window: super::series::WindowCount| {
            let range = TimeRange::last(length, window.start + length);
            let exposure = 1.0 - history.gaps.share_of(range);
            let expected = self.expected(range) * exposure;
            (exposure >= LEAST_OBSERVED)
                .then(|| Residual { expected, difference: stable(window.count) - stable(expected) })
        };
        let first = history.first(selection.source).unwrap_or(range.start()).max(range.start());
        let Some(range) = TimeRange::new(first, range.end()) else { return Vec::new() };
        let windows = if length < QUARTER * 4 {
            history.minutes.windows(range, length, selection)
        } else {
            history.windows(range, length, selection)
        };
        windows.into_iter().filter_map(residual).collect()
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

    /// The recent factor: the ratio of the counts in `recent` to the counts that the profile expects.
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

    /// The random part of the spread at this expected count.
    fn chance(&self, expected: f64) -> f64 {
        self.chance[level(expected)]
    }

    /// The number of days of the same type (workday or weekend) on which the time of day of `at` was observed.
    fn days(&self, at: Timestamp) -> f64 {
        let cell = cell(at);
        self.seen[day_type(cell)][cell % DAY_CELLS]
    }

    /// The relative error of the profile at a time of day that was observed on `days` days.
    fn error(&self, days: f64) -> f64 {
        ((UNSEEN_ERROR.powi(2) + self.error.powi(2) * days) / (1.0 + days)).sqrt()
    }

    /// Converts a relative error at this level into a spread on the scale of [`stable`], which includes random
    /// variation.
    fn relative_spread(level: f64, error: f64) -> f64 {
        (1.0 + error * error * level).sqrt()
    }
}

/// The rounded-down binary logarithm of a count, limited to the levels of a profile.
fn level(count: f64) -> usize {
    (count.max(1.0).log2() as usize).min(LEVELS - 1)
}

/// The spread of the residuals by level; at least the spread of a Poisson process.
fn chance(residuals: &[Residual]) -> [f64; LEVELS] {
    std::array::from_fn(|power| {
        let alike = |residual: &&Residual| residual.expected >= 0.5 && level(residual.expected).abs_diff(power) <= 1;
        let mut differences: Vec<f64> = residuals.iter().filter(alike).map(|one| one.difference).collect();
        if differences.len() < LEAST_RESIDUALS { 1.0 } else { deviation(&mut differences).max(1.0) }
    })
}

/// The relative error of the profile: the part of the residuals of hours that exceeds random variation.
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

/// The expected count for every quarter of an hour in the week. Each count is shrunk towards its parent (see the module
/// documentation).
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
        /// The mean of the observations, shrunk towards `parent`, which has the weight of one observation.
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

/// The index of the quarter of an hour in the week, counted from Monday 00:00 UTC.
fn cell(at: Timestamp) -> usize {
    // The Unix epoch was a Thursday, the fourth day of the week.
    let quarters = at.as_seconds().div_euclid(QUARTER.as_secs() as i64) + 3 * DAY_CELLS as i64;
    quarters.rem_euclid(WEEK_CELLS as i64) as usize
}

/// The type of the day: 0 from Monday to Friday, 1 on Saturday and Sunday.
fn day_type(cell: usize) -> usize {
    usize::from(cell >= 5 * DAY_CELLS)
}

/// The robust standard deviation of `values`, which must not be empty.
fn deviation(values: &mut [f64]) -> f64 {
    let middle = median(values);
    let mut distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    MAD_TO_DEVIATION * median(&mut distances)
}

/// The median of `values`, which must not be empty.
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
