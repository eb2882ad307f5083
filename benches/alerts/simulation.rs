//! Rules over posts of which it is known when their mood turned.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sentistream::domain::alert::RuleSpec;
use sentistream::domain::{Emotion, Sentiment, TimeRange, Timestamp};
use sentistream::rules::backtest::{Firing, run};
use sentistream::rules::series::{BucketCount, Series};
use sentistream::rules::{DAY, History};
use sentistream::sources::SyntheticOptions;
use sentistream::sources::synthetic::outline::Outline;

/// The rules that are compared, as the API takes them: each watches all posts together and each source by itself.
pub const RULES: [(&str, &str); 3] = [
    (
        "share of negative > 0.35, p < 0.003",
        r#"{"name": "share", "kind": "share", "threshold": 0.35, "significance": 0.003, "recovery_threshold": 0.3,
            "keep_firing_for": "5min", "group_by": "source_and_total"}"#,
    ),
    (
        "spike of negative > 3.5 deviations",
        r#"{"name": "spike", "kind": "spike", "of": "sentiment:negative", "threshold": 3.5, "recovery_threshold": 2,
            "keep_firing_for": "5min", "group_by": "source_and_total"}"#,
    ),
    (
        "shift of negative > 0.2, p < 0.0001",
        r#"{"name": "shift", "kind": "shift", "threshold": 0.2, "recovery_threshold": 0.1,
            "keep_firing_for": "5min", "group_by": "source_and_total"}"#,
    ),
];

/// The time from one incident to the next.
const EVERY: Duration = Duration::from_secs(2 * 3_600);
/// As often a model is wrong.
const MISJUDGED: f64 = 0.15;
const MINUTE: Duration = Duration::from_secs(60);
/// The day before the first evaluation, for baselines.
const WARM_UP: Duration = DAY;

/// A time in which the mood turned.
struct Incident {
    start: Timestamp,
    end: Timestamp,
    source: Option<String>,
}

/// Some days of posts, after one more that makes the baselines.
pub struct Week {
    history: History,
    range: TimeRange,
    incidents: Vec<Incident>,
}

impl Week {
    /// `days` of posts, `rate` a second; another week for another seed.
    pub fn new(rate: f64, days: u32, seed: u64) -> Self {
        let start = Timestamp::from_unix(1_767_225_600).expect("a time");
        let range = TimeRange::new(start + WARM_UP, start + WARM_UP + DAY * days).expect("a range");
        let whole = TimeRange::new(start, range.end()).expect("a range");
        let limit = (whole.length().as_secs_f64() * rate) as u64;
        let options = SyntheticOptions { rate, seed: Some(seed), limit: Some(limit), incident_every: Some(EVERY) };
        let mut judge = StdRng::seed_from_u64(seed ^ 0x6a75_6467);
        let mut counts: BTreeMap<(Timestamp, String, Sentiment, Emotion), i64> = BTreeMap::new();
        let mut incidents: BTreeMap<u64, Incident> = BTreeMap::new();
        for post in Outline::new(&options) {
            let at = start + Duration::from_secs_f64(post.seconds);
            if let Some(incident) = post.incident {
                let source = incident.source.map(|source| source.as_str().to_owned());
                incidents.entry(incident.number).or_insert(Incident { start: at, end: at, source }).end = at;
            }
            let (mut sentiment, mut emotion) = (post.sentiment, post.emotion);
            if judge.random_bool(MISJUDGED) {
                sentiment = Sentiment::ALL[judge.random_range(0..Sentiment::ALL.len())];
                emotion = Emotion::ALL[judge.random_range(0..Emotion::ALL.len())];
            }
            *counts.entry((at.floor(MINUTE), post.source.as_str().to_owned(), sentiment, emotion)).or_default() += 1;
        }
        let counts: Vec<BucketCount> = counts
            .into_iter()
            .map(|((at, source, sentiment, emotion), count)| (at, source, sentiment, emotion, count))
            .collect();
        let history = History {
            minutes: Series::new(whole, MINUTE, counts.clone()),
            quarters: Some(Series::new(whole, Duration::from_secs(900), counts)),
        };
        let incidents = incidents.into_values().filter(|incident| incident.start >= range.start()).collect();
        Self { history, range, incidents }
    }

    /// How well `rule` finds the incidents.
    pub fn score(&self, rule: &str) -> Score {
        let rule = serde_json::from_str(rule).expect("JSON");
        let spec = RuleSpec::parse(rule).unwrap_or_else(|errors| panic!("{errors:?}"));
        let firings = run(&spec, &self.history, self.range).firings;
        let right = |firing: &&Firing| self.incidents.iter().any(|incident| is_of(&spec, incident, firing));
        let found: Vec<Duration> = self
            .incidents
            .iter()
            .filter_map(|incident| {
                let first =
                    firings.iter().filter(|firing| is_of(&spec, incident, firing)).map(|firing| firing.fired_at).min();
                first.map(|fired_at| fired_at.since(incident.start))
            })
            .collect();
        Score {
            incidents: self.incidents.len(),
            found: found.len(),
            alerts: firings.len(),
            right: firings.iter().filter(right).count(),
            delays: found.iter().sum(),
            days: self.range.length().as_secs_f64() / DAY.as_secs_f64(),
        }
    }
}

/// Whether a firing is about an incident: it begins while the incident's posts are in the window, of its source or of all.
fn is_of(spec: &RuleSpec, incident: &Incident, firing: &Firing) -> bool {
    let of_source = |source: &String| firing.scope == format!("source:{source}");
    let about = firing.scope == "all" || incident.source.as_ref().is_none_or(of_source);
    about && firing.fired_at >= incident.start && firing.fired_at <= incident.end + spec.window + MINUTE
}

/// What a rule found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    pub incidents: usize,
    pub found: usize,
    pub alerts: usize,
    /// Alerts that are about an incident.
    pub right: usize,
    /// From the start of each incident that was found to the first alert.
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

    /// Alerts a day that are about nothing.
    pub fn false_per_day(&self) -> f64 {
        (self.alerts - self.right) as f64 / self.days
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
        let (precision, recall, false_per_day) = (self.precision(), self.recall(), self.false_per_day());
        let delay = self.delay().as_secs();
        write!(
            f,
            "{incidents} | {found} | {alerts} | {right} | {precision:.3} | {recall:.3} | {false_per_day:.1} | {delay} s"
        )
    }
}
