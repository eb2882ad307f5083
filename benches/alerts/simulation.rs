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

/// The rules that are compared, as the API takes them.
pub const RULES: [(&str, &str); 3] = [
    (
        "share of negative > 0.5",
        r#"{"name": "share", "kind": "share", "threshold": 0.5, "window": "5min", "group_by": "source_and_total"}"#,
    ),
    (
        "spike of negative > 6 deviations",
        r#"{"name": "spike", "kind": "spike", "of": "sentiment:negative", "threshold": 6, "window": "5min",
            "group_by": "source_and_total"}"#,
    ),
    (
        "shift of negative > 0.2, p < 0.001",
        r#"{"name": "shift", "kind": "shift", "threshold": 0.2, "significance": 0.001, "window": "5min",
            "group_by": "source_and_total"}"#,
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
    /// `days` of posts, `rate` a second.
    pub fn new(rate: f64, days: u32) -> Self {
        let start = Timestamp::from_unix(1_767_225_600).expect("a time");
        let range = TimeRange::new(start + WARM_UP, start + WARM_UP + DAY * days).expect("a range");
        let whole = TimeRange::new(start, range.end()).expect("a range");
        let limit = (whole.length().as_secs_f64() * rate) as u64;
        let options = SyntheticOptions { rate, seed: Some(11), limit: Some(limit), incident_every: Some(EVERY) };
        let mut judge = StdRng::seed_from_u64(12);
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
            firings: firings.len(),
            right: firings.iter().filter(right).count(),
            delay: found.iter().sum::<Duration>() / u32::try_from(found.len().max(1)).unwrap_or(1),
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
#[derive(Clone, Copy, Debug)]
pub struct Score {
    pub incidents: usize,
    pub found: usize,
    pub firings: usize,
    /// Firings that are about an incident.
    pub right: usize,
    /// From the start of an incident to the first firing, on average.
    pub delay: Duration,
}

impl Score {
    /// The part of the firings that are about an incident; 1 when there are none.
    pub fn precision(&self) -> f64 {
        if self.firings == 0 { 1.0 } else { self.right as f64 / self.firings as f64 }
    }

    /// The part of the incidents that were found.
    pub fn recall(&self) -> f64 {
        self.found as f64 / self.incidents.max(1) as f64
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { incidents, found, firings, right, delay } = self;
        let (precision, recall) = (self.precision(), self.recall());
        write!(f, "{incidents} | {found} | {firings} | {right} | {precision:.3} | {recall:.3} | {} s", delay.as_secs())
    }
}
