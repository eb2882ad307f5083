//! The scenarios of the simulated worlds.

use std::f64::consts::TAU;

use sentistream::domain::{TimeRange, Timestamp};
use sentistream::rules::DAY;

/// How posts behave in a simulated world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Constant rates.
    Steady,
    /// Many posts by day, few at night, fewer at weekends. The share of negative posts also depends on the hour.
    Cycles,
    /// Half of the sources post only from Monday to Friday between 8:00 and 18:00.
    Sleeping,
    /// The program runs ten hours a day.
    TenHours,
    /// The program is down three times a day, for one minute to half an hour.
    Downtime,
    /// One source is polled every 30 minutes, another one every two hours.
    LateFeeds,
    /// Four times a day one author posts a negative text 60 to 200 times within five minutes.
    Copies,
    /// The posts are about a topic that is mentioned only during incidents.
    NewTopic,
    /// The number of posts grows by 5 % per day. The share of negative posts grows from 20 % to 35 %.
    Drift,
}

impl Scenario {
    pub const ALL: [Self; 9] = [
        Self::Steady,
        Self::Cycles,
        Self::Sleeping,
        Self::TenHours,
        Self::Downtime,
        Self::LateFeeds,
        Self::Copies,
        Self::NewTopic,
        Self::Drift,
    ];

    /// The name that is printed in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Cycles => "daily and weekly cycles",
            Self::Sleeping => "sources that sleep",
            Self::TenHours => "ten hours a day",
            Self::Downtime => "downtime",
            Self::LateFeeds => "late feeds",
            Self::Copies => "bursts of copies",
            Self::NewTopic => "new topic",
            Self::Drift => "slow drift",
        }
    }

    /// The number of posts of a source at a time, relative to its mean.
    pub fn activity(self, place: usize, at: Timestamp, start: Timestamp) -> f64 {
        let day = at.as_seconds().div_euclid(86_400) + 3;
        let hour = at.as_seconds().rem_euclid(86_400) as f64 / 3_600.0;
        let weekend = day.rem_euclid(7) >= 5;
        match self {
            Self::Cycles => {
                let wave = 1.0 - 0.85 * ((hour - 3.0) / 24.0 * TAU).cos();
                wave * if weekend { 0.6 } else { 1.0 }
            }
            Self::Sleeping if SLEEPERS.contains(&place) => {
                if weekend || !(8.0..18.0).contains(&hour) {
                    0.0
                } else {
                    2.0
                }
            }
            Self::NewTopic => 0.0,
            Self::Drift => 1.05_f64.powf(at.since(start).as_secs_f64() / DAY.as_secs_f64() - 10.0),
            _ => 1.0,
        }
    }

    /// The share of negative posts of a source at a time.
    pub fn negative(self, usual: f64, at: Timestamp, whole: TimeRange) -> f64 {
        let hour = at.as_seconds().rem_euclid(86_400) as f64 / 3_600.0;
        match self {
            Self::Cycles => usual * (1.0 + 0.2 * (hour / 24.0 * TAU).cos()),
            Self::Drift => 0.20 + 0.15 * at.since(whole.start()).as_secs_f64() / whole.length().as_secs_f64(),
            _ => usual,
        }
    }
}

/// A source: its share of all posts, and the share of its posts that are negative.
pub struct Place {
    pub name: &'static str,
    pub part: f64,
    pub negative: f64,
}

/// All sources.
pub const PLACES: [Place; 6] = [
    Place { name: "news", part: 0.28, negative: 0.33 },
    Place { name: "web", part: 0.22, negative: 0.22 },
    Place { name: "twitter", part: 0.18, negative: 0.30 },
    Place { name: "reddit", part: 0.14, negative: 0.28 },
    Place { name: "bluesky", part: 0.10, negative: 0.22 },
    Place { name: "forum", part: 0.08, negative: 0.25 },
];

/// The indices of the sources that do not post at night and on weekends in [`Scenario::Sleeping`].
pub const SLEEPERS: [usize; 3] = [1, 3, 5];
/// The indices of the polled sources, and their intervals in minutes.
pub const POLLED: [(usize, u32); 2] = [(0, 30), (5, 120)];
