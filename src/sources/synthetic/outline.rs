//! Generated posts without texts: source, time, sentiment, and the active incident. A week of them is generated in
//! seconds, so that alert rules can be measured against known incidents.

use super::SyntheticOptions;
use super::incident::Calendar;
use super::writer::{Plan, Writer};
use crate::domain::{Emotion, Sentiment, Source};

/// A post without its text.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedPost {
    /// Seconds after the start.
    pub seconds: f64,
    pub source: Source,
    /// The sentiment that follows from the emotion: joy is positive; anger, disgust, fear and sadness are negative.
    pub sentiment: Sentiment,
    pub emotion: Emotion,
    /// The active incident, even if the post is not about it.
    pub incident: Option<Incident>,
}

/// A period in which posts about one topic turn negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    pub number: u64,
    /// The affected source; `None`: all sources.
    pub source: Option<Source>,
}

/// The posts of a synthetic source without their texts. They do not end unless the options set a limit. With the same
/// seed the incidents are those of the source, but the emotions differ, because the source also draws random numbers
/// for texts.
pub struct PlannedPosts {
    writer: Writer,
    rate: f64,
    left: u64,
    index: u64,
}

impl PlannedPosts {
    /// The posts of a source with these options.
    pub fn new(options: &SyntheticOptions) -> Self {
        let calendar = Calendar::new(options.incident_every.map(|every| every.as_secs_f64()));
        Self {
            writer: Writer::new(options.seed.unwrap_or_default(), calendar),
            rate: options.rate,
            left: options.limit.unwrap_or(u64::MAX),
            index: 0,
        }
    }
}

impl Iterator for PlannedPosts {
    type Item = PlannedPost;

    fn next(&mut self) -> Option<PlannedPost> {
        self.left = self.left.checked_sub(1)?;
        let seconds = self.index as f64 / self.rate;
        let Plan { place, emotion, .. } = self.writer.plan(self.index, seconds);
        self.index += 1;
        let sentiment = match emotion {
            Emotion::Joy => Sentiment::Positive,
            Emotion::Neutral | Emotion::Surprise => Sentiment::Neutral,
            Emotion::Anger | Emotion::Disgust | Emotion::Fear | Emotion::Sadness => Sentiment::Negative,
        };
        let incident = self.writer.incident();
        let incident = incident.map(|(number, source)| Incident { number, source: source.cloned() });
        Some(PlannedPost { seconds, source: self.writer.source(place).clone(), sentiment, emotion, incident })
    }
}
