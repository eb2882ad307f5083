//! Invented posts without their texts: where, when and in which mood, and whether it is an incident. A week of them takes
//! seconds, so that what watches posts can be measured against what really happened.

use super::SyntheticOptions;
use super::incident::Calendar;
use super::writer::{Plan, Writer};
use crate::domain::{Emotion, Sentiment, Source};

/// A post in outline.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlined {
    /// After the start.
    pub seconds: f64,
    pub source: Source,
    /// That of its mood: joy is positive, anger, disgust, fear and sadness are negative.
    pub sentiment: Sentiment,
    pub emotion: Emotion,
    /// The incident that goes on, whether or not the post is about it.
    pub incident: Option<Incident>,
}

/// A time in which the mood turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    pub number: u64,
    /// The source that it strikes; `None`: all of them.
    pub source: Option<Source>,
}

/// The posts of a synthetic source in outline, without end unless the options set a limit. Of the same seed it has other
/// moods than the source itself, which draws texts as well, but the same incidents.
pub struct Outline {
    writer: Writer,
    rate: f64,
    left: u64,
    index: u64,
}

impl Outline {
    /// Of a source with these options.
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

impl Iterator for Outline {
    type Item = Outlined;

    fn next(&mut self) -> Option<Outlined> {
        self.left = self.left.checked_sub(1)?;
        let seconds = self.index as f64 / self.rate;
        let Plan { place, mood, .. } = self.writer.plan(self.index, seconds);
        self.index += 1;
        let sentiment = match mood {
            Emotion::Joy => Sentiment::Positive,
            Emotion::Neutral | Emotion::Surprise => Sentiment::Neutral,
            Emotion::Anger | Emotion::Disgust | Emotion::Fear | Emotion::Sadness => Sentiment::Negative,
        };
        let incident = self.writer.incident();
        let incident = incident.map(|(number, source)| Incident { number, source: source.cloned() });
        Some(Outlined { seconds, source: self.writer.source(place).clone(), sentiment, emotion: mood, incident })
    }
}
