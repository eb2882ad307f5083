//! Rules over simulated counts of which it is known when an incident happened.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sentistream::domain::alert::{Class, RuleSpec};
use sentistream::domain::{Emotion, PostLabels, Sentiment, TimeRange, Timestamp};
use sentistream::rules::backtest::{Firing, Recording, run, windows_to_read};
use sentistream::rules::copies::PostText;
use sentistream::rules::history::{Gaps, LateCount};
use sentistream::rules::series::{BucketCount, Tally};
use sentistream::rules::{DAY, History};

/// The rules of the default settings, as the API takes them.
pub const RULES: [Named; 3] = [
    Named {
        name: "negative_share",
        rule: r#"{"name": "share", "kind": "share", "threshold": 0.5, "significance": 0.0001,
            "recovery_threshold": 0.4, "keep_firing_for": "10min", "group_by": "source_and_total",
            "distinct": "texts", "min_authors": 3}"#,
    },
    Named {
        name: "negative_ratio",
        rule: r#"{"name": "ratio", "kind": "ratio", "threshold": 2, "significance": 0.0001,
            "recovery_threshold": 1.6, "keep_firing_for": "10min", "distinct": "texts", "min_authors": 3}"#,
    },
    Named {
        name: "negative_spike",
        rule: r#"{"name": "spike", "kind": "spike", "of": "sentiment:negative", "threshold": 5,
            "recovery_threshold": 4, "keep_firing_for": "10min", "group_by": "source_and_total",
            "distinct": "texts", "min_authors": 3}"#,
    },
];

/// A rule with the name that the table shows.
#[derive(Clone, Copy)]
pub struct Named {
    pub name: &'static str,
    pub rule: &'static str,
}

/// What is difficult about a simulated world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Constant rates.
    Steady,
    /// Twice as many posts by day as on average, few at night, fewer at weekends; moods follow the hour too.
    Cycles,
    /// Half of the sources post from Monday to Friday between 8 and 18 o'clock alone.
    Sleeping,
    /// The machine runs ten hours a day.
    TenHours,
    /// The program is down three times a day, for one minute to half an hour.
    Downtime,
    /// Two sources are polled every 30 minutes and every two hours.
    LateFeeds,
    /// Four times a day one author posts a negative text 60 to 200 times within five minutes.
    Copies,
    /// A topic that no post mentions outside of incidents.
    NewTopic,
    /// The posts become 5 % more every day, and more of them negative: 20 % at first, 35 % three weeks later.
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
}

/// A source: its part of all posts, and the part of its posts that is negative.
struct Place {
    name: &'static str,
    part: f64,
    negative: f64,
}

const PLACES: [Place; 6] = [
    Place { name: "news", part: 0.28, negative: 0.33 },
    Place { name: "web", part: 0.22, negative: 0.22 },
    Place { name: "twitter", part: 0.18, negative: 0.30 },
    Place { name: "reddit", part: 0.14, negative: 0.28 },
    Place { name: "bluesky", part: 0.10, negative: 0.22 },
    Place { name: "forum", part: 0.08, negative: 0.25 },
];

/// The sources that sleep, and those that are polled with their intervals.
const SLEEPERS: [usize; 3] = [1, 3, 5];
const POLLED: [(usize, u32); 2] = [(0, 30), (5, 120)];
/// The posts of an incident are negative this often, and so are the others of its source meanwhile.
const INCIDENT_NEGATIVE: f64 = 0.9;
const STRUCK_NEGATIVE: f64 = 0.7;
/// An incident draws as many posts again as its source has by day, and at least this part of all posts.
const LEAST_DRAWN: f64 = 0.1;
/// Slow noise of rates and of the odds of negative posts: standard deviation and time of correlation, in minutes.
const NOISE: f64 = 0.15;
const CORRELATION: f64 = 60.0;
const INCIDENTS_PER_DAY: u32 = 6;
const MINUTE: Duration = Duration::from_secs(60);
/// The days before the first evaluation, for baselines.
pub const WARM_UP: u32 = 14;

/// A time in which the mood turned.
struct Incident {
    start: Timestamp,
    end: Timestamp,
    /// `None`: all of them.
    place: Option<usize>,
}

impl Incident {
    fn strikes(&self, place: usize, at: Timestamp) -> bool {
        at >= self.start && at < self.end && self.place.is_none_or(|struck| struck == place)
    }
}

/// A text that one author repeats.
struct Burst {
    place: usize,
    range: TimeRange,
    /// Posts a minute.
    rate: i64,
}

/// Weeks of posts in which it is known what happened.
pub struct World {
    recording: Recording,
    range: TimeRange,
    incidents: Vec<Incident>,
    bursts: Vec<Burst>,
    scenario: Scenario,
}

impl World {
    /// `days` of posts after the warm-up, `rate` a second on average; another world for another seed.
    pub fn new(scenario: Scenario, rate: f64, days: u32, seed: u64) -> Self {
        // A Monday.
        let start = Timestamp::from_unix(1_767_571_200).expect("a time");
        let range = TimeRange::new(start + DAY * WARM_UP, start + DAY * (WARM_UP + days)).expect("a range");
        let whole = TimeRange::new(start, range.end()).expect("a range");
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
            // As the engine measures them: within this time 95 % of the posts arrive.
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
                if self.is_awake(&incident) {
                    self.incidents.push(incident);
                }
            }
            for number in 0..if self.scenario == Scenario::Copies { 4 } else { 0 } {
                let start = whole.start() + DAY * day + MINUTE * (number * 360 + random.random_range(0..350));
                let rate = random.random_range(12..40);
                let range = TimeRange::new(start, start + MINUTE * 5).expect("a range");
                self.bursts.push(Burst { place: random.random_range(0..PLACES.len()), range, rate });
            }
        }
        // What the machine cannot see is no incident for it.
        self.incidents.retain(|incident| incident.start >= whole.start());
    }

    /// Whether the incident can be seen: people are there, and the machine runs.
    fn is_awake(&self, incident: &Incident) -> bool {
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
        // An incident while the program is down, or that it goes down in, is not counted.
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
            let minute = TimeRange::new(at, at + MINUTE).expect("a minute");
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
                let base = usual * self.activity(place, at, whole) * noise[place][0].exp();
                let struck = active.iter().any(|incident| incident.strikes(place, at));
                let negative = self.negative(*negative, at, whole);
                let odds = negative / (1.0 - negative) * noise[place][1].exp();
                let negative = if struck { STRUCK_NEGATIVE } else { odds / (1.0 + odds) };
                let drawn = if struck { usual.max(rate * 60.0 * LEAST_DRAWN) } else { 0.0 };
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

    /// How many posts a source has at a time, by its mean.
    fn activity(&self, place: usize, at: Timestamp, whole: TimeRange) -> f64 {
        let day = at.as_seconds().div_euclid(86_400) + 3;
        let hour = at.as_seconds().rem_euclid(86_400) as f64 / 3_600.0;
        let weekend = day.rem_euclid(7) >= 5;
        match self.scenario {
            Scenario::Cycles => {
                let wave = 1.0 - 0.85 * ((hour - 3.0) / 24.0 * std::f64::consts::TAU).cos();
                wave * if weekend { 0.6 } else { 1.0 }
            }
            Scenario::Sleeping if SLEEPERS.contains(&place) => {
                if weekend || !(8.0..18.0).contains(&hour) {
                    0.0
                } else {
                    2.0
                }
            }
            Scenario::NewTopic => 0.0,
            Scenario::Drift => 1.05_f64.powf(at.since(whole.start()).as_secs_f64() / DAY.as_secs_f64() - 10.0),
            _ => 1.0,
        }
    }

    /// How much of a source is negative at a time.
    fn negative(&self, usual: f64, at: Timestamp, whole: TimeRange) -> f64 {
        let hour = at.as_seconds().rem_euclid(86_400) as f64 / 3_600.0;
        match self.scenario {
            Scenario::Cycles => usual * (1.0 + 0.2 * (hour / 24.0 * std::f64::consts::TAU).cos()),
            Scenario::Drift => 0.20 + 0.15 * at.since(whole.start()).as_secs_f64() / whole.length().as_secs_f64(),
            _ => usual,
        }
    }

    /// How well `rules` find the incidents, each by itself and together.
    pub fn scores(&mut self, rules: &[Named]) -> Vec<Score> {
        let mut all = Vec::new();
        let mut scores: Vec<Score> = Vec::new();
        for named in rules {
            let rule = serde_json::from_str(named.rule).expect("JSON");
            let spec = RuleSpec::parse(rule).unwrap_or_else(|errors| panic!("{errors:?}"));
            self.read_texts(&spec);
            let firings = run(&spec, &self.recording, self.range).firings;
            scores.push(self.score(&spec, &firings));
            all.extend(firings.into_iter().map(|firing| (spec.clone(), firing)));
        }
        let mut together = scores.iter().fold(Score::default(), |sum, score| Score {
            alerts: sum.alerts + score.alerts,
            right: sum.right + score.right,
            ..sum
        });
        together.days = self.range.length().as_secs_f64() / DAY.as_secs_f64();
        for incident in self.counted() {
            together.incidents += 1;
            let of = all.iter().filter(|(spec, firing)| self.is_of(spec, incident, firing));
            if let Some(first) = of.map(|(_, firing)| firing.fired_at).min() {
                together.found += 1;
                together.delays += first.since(incident.start);
            }
        }
        scores.push(together);
        scores
    }

    fn counted(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().filter(|incident| incident.start >= self.range.start())
    }

    fn score(&self, spec: &RuleSpec, firings: &[Firing]) -> Score {
        let right = |firing: &&Firing| self.incidents.iter().any(|incident| self.is_of(spec, incident, firing));
        let found: Vec<Duration> = self
            .counted()
            .filter_map(|incident| {
                let of = firings.iter().filter(|firing| self.is_of(spec, incident, firing));
                of.map(|firing| firing.fired_at).min().map(|fired_at| fired_at.since(incident.start))
            })
            .collect();
        Score {
            incidents: self.counted().count(),
            found: found.len(),
            alerts: firings.len(),
            right: firings.iter().filter(right).count(),
            delays: found.iter().sum(),
            days: self.range.length().as_secs_f64() / DAY.as_secs_f64(),
        }
    }

    /// Whether a firing is about an incident: the incident's posts are in the window in which it began, and its source is
    /// watched.
    fn is_of(&self, spec: &RuleSpec, incident: &Incident, firing: &Firing) -> bool {
        let source = firing.scope.strip_prefix("source:");
        let place = |name: &str| PLACES.iter().position(|place| place.name == name);
        let about = source.is_none_or(|name| incident.place.is_none_or(|struck| place(name) == Some(struck)));
        let delay = self.recording.delays.of(spec, source);
        let (from, to) = (incident.start, incident.end + spec.window + delay + MINUTE * 2);
        about && firing.fired_at >= from && firing.fired_at <= to
    }

    /// The texts of the windows in which the condition holds: copies are the same, all others differ.
    fn read_texts(&mut self, spec: &RuleSpec) {
        if self.scenario != Scenario::Copies {
            return;
        }
        for window in windows_to_read(spec, &self.recording, self.range) {
            if self.recording.texts.contains_key(&window) {
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

/// The whole minutes in which two ranges overlap.
fn overlap(one: TimeRange, other: TimeRange) -> i64 {
    (one.end().min(other.end()).since(one.start().max(other.start())).as_secs() / 60) as i64
}

/// A word of its own for each number.
fn letters(mut number: i64) -> String {
    let mut word = String::from("x");
    loop {
        word.push((b'a' + (number % 26) as u8) as char);
        number /= 26;
        if number == 0 {
            return word;
        }
    }
}

fn poisson(mean: f64, random: &mut StdRng) -> i64 {
    if mean <= 0.0 {
        return 0;
    }
    if mean > 60.0 {
        return (mean + gauss(random) * mean.sqrt()).round().max(0.0) as i64;
    }
    let (limit, mut product, mut count) = ((-mean).exp(), 1.0, 0);
    loop {
        product *= random.random_range(0.0..1.0);
        if product <= limit {
            return count;
        }
        count += 1;
    }
}

/// A standard normal number, by Box and Muller's method.
fn gauss(random: &mut StdRng) -> f64 {
    let (one, other): (f64, f64) = (random.random_range(f64::MIN_POSITIVE..1.0), random.random_range(0.0..1.0));
    (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
}

/// What rules found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    pub incidents: usize,
    pub found: usize,
    pub alerts: usize,
    /// Alerts that are about an incident.
    pub right: usize,
    /// From the start of each incident that was found to its first alert.
    pub delays: Duration,
    /// How long it was watched.
    pub days: f64,
}

impl Score {
    /// The part of the alerts that are about an incident; 1 when there are none.
    pub fn precision(&self) -> f64 {
        if self.alerts == 0 { 1.0 } else { self.right as f64 / self.alerts as f64 }
    }

    /// The part of the incidents that were found.
    pub fn recall(&self) -> f64 {
        self.found as f64 / self.incidents.max(1) as f64
    }

    /// From the start of an incident to the first alert, on average.
    pub fn delay(&self) -> Duration {
        self.delays / u32::try_from(self.found.max(1)).unwrap_or(1)
    }

    /// Alerts a week that are about nothing.
    pub fn false_per_week(&self) -> f64 {
        (self.alerts - self.right) as f64 / self.days * 7.0
    }
}

impl std::iter::Sum for Score {
    fn sum<I: Iterator<Item = Self>>(scores: I) -> Self {
        scores.fold(Self::default(), |sum, score| Self {
            incidents: sum.incidents + score.incidents,
            found: sum.found + score.found,
            alerts: sum.alerts + score.alerts,
            right: sum.right + score.right,
            delays: sum.delays + score.delays,
            days: sum.days + score.days,
        })
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { incidents, found, alerts, right, .. } = self;
        let (precision, recall, false_per_week) = (self.precision(), self.recall(), self.false_per_week());
        let delay = self.delay().as_secs();
        write!(
            f,
            "{incidents} | {found} | {alerts} | {right} | {precision:.3} | {recall:.3} | {false_per_week:.1} | {delay} s"
        )
    }
}
