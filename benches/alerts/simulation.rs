//! Simulated counts of posts with known incidents, over which rules are evaluated.

#[path = "simulation/draw.rs"]
mod draw;
#[path = "simulation/evaluate.rs"]
mod evaluate;
#[path = "simulation/pages.rs"]
mod pages;
#[path = "simulation/rules.rs"]
mod rules;
#[path = "simulation/scenario.rs"]
mod scenario;
#[path = "simulation/score.rs"]
mod score;

use std::collections::BTreeMap;
use std::time::Duration;

use draw::{gauss, letters, poisson};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sentistream::domain::alert::{Class, RuleSpec};
use sentistream::domain::{Emotion, PostLabels, Sentiment, TimeRange, Timestamp};
use sentistream::rules::backtest::{Recording, windows_to_read};
use sentistream::rules::copies::PostText;
use sentistream::rules::history::{Gaps, LateCount};
use sentistream::rules::series::{BucketCount, Tally};
use sentistream::rules::{DAY, History};

pub use rules::{Named, RULES};
pub use scenario::Scenario;
use scenario::{PLACES, POLLED, Place};
pub use score::Score;

/// The share of negative posts among the additional posts of an incident.
const INCIDENT_NEGATIVE: f64 = 0.9;
/// The share of negative posts among the usual posts of an affected source during an incident.
const AFFECTED_NEGATIVE: f64 = 0.7;
/// The minimum rate of the posts that an incident adds, as a share of the mean rate of all posts. An incident adds
/// posts at the mean rate of its source if that is higher.
const MIN_ADDED: f64 = 0.1;
/// The standard deviation of the slow noise in the rates and in the odds of negative posts.
const NOISE: f64 = 0.15;
/// The correlation time of the noise, in minutes.
const CORRELATION: f64 = 60.0;
const INCIDENTS_PER_DAY: u32 = 6;
const MINUTE: Duration = Duration::from_secs(60);
/// The number of days before the first evaluation, from which rules compute baselines.
pub const WARM_UP: u32 = 14;

/// A period with more negative posts.
struct Incident {
    start: Timestamp,
    end: Timestamp,
    /// The affected source; `None` for all sources.
    place: Option<usize>,
}

impl Incident {
    fn affects(&self, place: usize, at: Timestamp) -> bool {
        at >= self.start && at < self.end && self.place.is_none_or(|affected| affected == place)
    }
}

/// A negative text that one author repeats.
struct Burst {
    place: usize,
    range: TimeRange,
    /// Posts per minute.
    rate: i64,
}

/// Simulated counts of posts with known incidents.
pub struct World {
    recording: Recording,
    range: TimeRange,
    incidents: Vec<Incident>,
    bursts: Vec<Burst>,
    scenario: Scenario,
}

impl World {
    /// Simulates `days` after the warm-up with `rate` posts per second on average. Each seed produces a different
    /// world.
    pub fn new(scenario: Scenario, rate: f64, days: u32, seed: u64) -> Self {
        // Monday, 5 January 2026, 0:00 UTC.
        let start = Timestamp::from_unix(1_767_571_200).expect("the time is not valid");
        let range =
            TimeRange::new(start + DAY * WARM_UP, start + DAY * (WARM_UP + days)).expect("the range is not valid");
        let whole = TimeRange::new(start, range.end()).expect("the range is not valid");
        let mut random = StdRng::seed_from_u64(seed ^ 0x7369_6d75);
        let mut world = Self {
            recording: Recording::new(History::of_counts(whole, &[])),
            range,
            incidents: Vec::new(),
            bursts: Vec::new(),
            scenario,
        };
        world.plan(whole, &mut random);
        let gaps = world.gaps(whole, &mut random);
        let (counts, late) = world.posts(whole, rate, (&gaps, &mut random));
        let mut history = History::of_counts(whole, &counts);
        history.since = Some(start);
        history.gaps = gaps;
        history.late = late;
        world.recording = Recording::new(history);
        if scenario == Scenario::LateFeeds {
            // The engine measures the delay as the time within which 95 % of the posts arrive.
            let delay = |minutes: u32| MINUTE * (minutes * 95 / 100 + 1);
            let by_source = POLLED.map(|(place, every)| (PLACES[place].name.to_owned(), delay(every)));
            world.recording.delays.by_source = BTreeMap::from(by_source);
            world.recording.delays.together = delay(120);
        }
        world
    }

    fn plan(&mut self, whole: TimeRange, random: &mut StdRng) {
        let days = (whole.length().as_secs() / DAY.as_secs()) as u32;
        for day in 0..days {
            for number in 0..INCIDENTS_PER_DAY {
                let slot = 24 * 60 / INCIDENTS_PER_DAY;
                let minute = number * slot + random.random_range(30..slot - 60);
                let start = whole.start() + DAY * day + MINUTE * minute;
                let place = random.random_bool(5.0 / 6.0).then(|| random.random_range(0..PLACES.len()));
                let end = start + MINUTE * random.random_range(4..=10);
                let incident = Incident { start, end, place };
                if self.is_observed(&incident) {
                    self.incidents.push(incident);
                }
            }
            for number in 0..if self.scenario == Scenario::Copies { 4 } else { 0 } {
                let start = whole.start() + DAY * day + MINUTE * (number * 360 + random.random_range(0..350));
                let rate = random.random_range(12..40);
                let range = TimeRange::new(start, start + MINUTE * 5).expect("the range is not valid");
                self.bursts.push(Burst { place: random.random_range(0..PLACES.len()), range, rate });
            }
        }
    }

    /// Whether the simulated program is running when the incident starts.
    fn is_observed(&self, incident: &Incident) -> bool {
        let hour = incident.start.as_seconds().rem_euclid(86_400) / 3_600;
        self.scenario != Scenario::TenHours || (8..17).contains(&hour)
    }

    fn gaps(&mut self, whole: TimeRange, random: &mut StdRng) -> Gaps {
        let days = (whole.length().as_secs() / DAY.as_secs()) as u32;
        let mut gaps = Vec::new();
        for day in 0..days {
            let at = |minute: u32| whole.start() + DAY * day + MINUTE * minute;
            match self.scenario {
                Scenario::TenHours => {
                    gaps.extend(TimeRange::new(at(0), at(8 * 60)));
                    gaps.extend(TimeRange::new(at(18 * 60), at(24 * 60)));
                }
                Scenario::Downtime => {
                    for number in 0..3 {
                        let start = number * 480 + random.random_range(0..440);
                        gaps.extend(TimeRange::new(at(start), at(start + random.random_range(1..30))));
                    }
                }
                _ => {}
            }
        }
        let is_hidden = |incident: &Incident| {
            gaps.iter().any(|gap| incident.start < gap.end() + MINUTE * 2 && incident.end + MINUTE * 5 > gap.start())
        };
        // An incident that overlaps a downtime is not counted.
        self.incidents.retain(|incident| !is_hidden(incident));
        Gaps::new(gaps)
    }

    fn posts(
        &self,
        whole: TimeRange,
        rate: f64,
        (gaps, random): (&Gaps, &mut StdRng),
    ) -> (Vec<BucketCount>, Vec<LateCount>) {
        let mut noise = [[0.0_f64; 2]; PLACES.len()];
        let decay = (-1.0 / CORRELATION).exp();
        let innovation = NOISE * (1.0 - decay * decay).sqrt();
        let (mut counts, mut late) = (Vec::new(), Vec::new());
        let mut at = whole.start();
        while at < whole.end() {
            let minute = TimeRange::new(at, at + MINUTE).expect("the range is not valid");
            let active: Vec<&Incident> =
                self.incidents.iter().filter(|incident| at >= incident.start && at < incident.end).collect();
            for (place, Place { name, part, negative }) in PLACES.iter().enumerate() {
                for value in &mut noise[place] {
                    *value = *value * decay + gauss(random) * innovation;
                }
                if gaps.share_of(minute) > 0.5 {
                    continue;
                }
                let usual = rate * part * 60.0;
                let base = usual * self.scenario.activity(place, at, whole.start()) * noise[place][0].exp();
                let struck = active.iter().any(|incident| incident.affects(place, at));
                let negative = self.scenario.negative(*negative, at, whole);
                let odds = negative / (1.0 - negative) * noise[place][1].exp();
                let negative = if struck { AFFECTED_NEGATIVE } else { odds / (1.0 + odds) };
                let drawn = if struck { usual.max(rate * 60.0 * MIN_ADDED) } else { 0.0 };
                let bursts =
                    self.bursts.iter().filter(|burst| burst.place == place && minute.start() >= burst.range.start());
                let copies: i64 = bursts.filter(|burst| at < burst.range.end()).map(|burst| burst.rate).sum();
                let mut tally = Tally::default();
                for (sentiment, emotion, count) in [
                    (
                        Sentiment::Negative,
                        Emotion::Anger,
                        poisson(base * negative + drawn * INCIDENT_NEGATIVE, random) + copies,
                    ),
                    (
                        Sentiment::Neutral,
                        Emotion::Neutral,
                        poisson(base * (1.0 - negative) * 0.5 + drawn * 0.07, random),
                    ),
                    (Sentiment::Positive, Emotion::Joy, poisson(base * (1.0 - negative) * 0.5 + drawn * 0.03, random)),
                ] {
                    if count > 0 {
                        let labels = Some(PostLabels { sentiment, emotion });
                        tally.add(labels, count);
                        counts.push(BucketCount { at, source: (*name).to_owned(), labels, count });
                    }
                }
                let polled = POLLED.iter().find(|(polled, _)| *polled == place);
                if let (Scenario::LateFeeds, Some((_, every))) = (self.scenario, polled) {
                    let every = MINUTE * *every;
                    let stored_at = (at + MINUTE).ceil(every);
                    late.push(LateCount { written_at: at, stored_at, source: (*name).to_owned(), tally });
                }
            }
            at = at + MINUTE;
        }
        (counts, late)
    }

    /// Reads the texts of windows that contain copies and fulfil the condition of the rule. In other windows all texts
    /// and authors differ, so they need not be read.
    fn read_texts(&mut self, spec: &RuleSpec) {
        if self.scenario != Scenario::Copies {
            return;
        }
        for window in windows_to_read(spec, &self.recording, self.range) {
            let has_copies = self.bursts.iter().any(|burst| overlap(burst.range, window) > 0);
            if !has_copies || self.recording.texts.contains_key(&window) {
                continue;
            }
            let mut texts = Vec::new();
            for (place, Place { name, .. }) in PLACES.iter().enumerate() {
                let copies = self.bursts.iter().filter(|burst| burst.place == place);
                let copies: i64 = copies.map(|burst| burst.rate * overlap(burst.range, window)).sum();
                let tally = self.recording.history.minutes.sum(window, Some(name));
                for (sentiment, copies) in
                    [(Sentiment::Negative, copies), (Sentiment::Neutral, 0), (Sentiment::Positive, 0)]
                {
                    let count = tally.of(Class::Sentiment(sentiment));
                    let post = |author: String, content: String| PostText {
                        source: (*name).to_owned(),
                        author: Some(author),
                        labels: Some(PostLabels { sentiment, emotion: Emotion::Neutral }),
                        content,
                    };
                    let bot = || post("bot".to_owned(), "keep away from this fraud of a shop".to_owned());
                    texts.extend((0..copies.min(count)).map(|_| bot()));
                    texts.extend(
                        (copies..count).map(|n| post(format!("{sentiment}{n}"), format!("{sentiment} {}", letters(n)))),
                    );
                }
            }
            self.recording.texts.insert(window, texts);
        }
    }
}

/// The number of whole minutes in which two ranges overlap.
fn overlap(one: TimeRange, other: TimeRange) -> i64 {
    (one.end().min(other.end()).since(one.start().max(other.start())).as_secs() / 60) as i64
}
