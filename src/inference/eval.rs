//! Evaluates a classifier against human labels.

pub mod intervals;
pub mod targets;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{Analysis, Emotion, Sentiment};

use super::ModelInfo;

/// An emotion counts as present above this score.
pub const EMOTION_THRESHOLD: f32 = 0.35;
/// The number of confidence bins of the calibration error.
const BINS: usize = 15;

/// A text with human labels.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Labelled {
    /// The text, which posts call `content`.
    #[serde(alias = "content")]
    pub text: String,
    /// Its language, if known.
    #[serde(default)]
    pub lang: Option<String>,
    /// Its sentiment, if labelled.
    pub sentiment: Option<Sentiment>,
    /// Its emotions, if labelled: one or several.
    pub emotions: Option<Vec<Emotion>>,
    /// What the sentiment is about, as written in the text; the whole text if not given.
    #[serde(default)]
    pub target: Option<String>,
    /// The index of the target's first character in the text, if the text mentions it several times.
    #[serde(default)]
    pub start: Option<usize>,
}

/// Why labelled records cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A line is not a labelled record.
    #[error("line {line}: {reason}; a line is {{\"text\": …, \"sentiment\": …, \"emotions\": […]}}")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// Why it is not a record.
        reason: String,
    },
    /// Reading failed.
    #[error("cannot read the records: {0}")]
    Io(#[from] std::io::Error),
}

/// Reads NDJSON records; blank lines are skipped.
///
/// # Errors
/// At the first invalid line, with its number.
pub fn read_labelled(lines: impl BufRead) -> Result<Vec<Labelled>, EvalError> {
    let mut records = Vec::new();
    for (index, line) in lines.lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let fail = |e: serde_json::Error| EvalError::Line { line: index + 1, reason: e.to_string() };
        records.push(serde_json::from_str(&line).map_err(fail)?);
    }
    Ok(records)
}

/// The report of `eval`. Shares are in [0, 1].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The model's name.
    pub model: String,
    /// Properties of the model that make its sentiments misleading for some texts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Its number format.
    pub precision: String,
    /// The number of records.
    pub posts: usize,
    /// The number of records classified per second.
    pub posts_per_second: f64,
    /// The quality over the records with a sentiment; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<SentimentReport>,
    /// The quality of the sentiment towards targets, over the records with a target; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<targets::TargetReport>,
    /// The quality over the records with emotions; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emotion: Option<EmotionReport>,
}

/// The quality of the sentiment labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SentimentReport {
    /// The share of correct labels.
    pub accuracy: f64,
    /// The mean recall of the labelled classes.
    pub macro_recall: f64,
    /// The mean F1 of the labelled classes.
    pub macro_f1: f64,
    /// The expected calibration error: the mean difference between confidence and accuracy.
    pub ece: f64,
    /// Each class.
    pub per_class: BTreeMap<&'static str, ClassReport>,
    /// Counts by label and by prediction.
    pub confusion: BTreeMap<&'static str, BTreeMap<&'static str, usize>>,
}

/// The quality of the emotion labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EmotionReport {
    /// The mean F1 of the labelled classes. A class is predicted if its score is above `threshold`.
    pub macro_f1: f64,
    /// See [`EMOTION_THRESHOLD`].
    pub threshold: f64,
    /// The share of records whose top emotion is among the labels.
    pub top1: f64,
    /// The expected calibration error of the scores of all classes.
    pub ece: f64,
    /// Each class.
    pub per_class: BTreeMap<&'static str, ClassReport>,
}

/// The quality of one class.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClassReport {
    /// The share of its predictions that are correct.
    pub precision: f64,
    /// The share of its records that are predicted as such.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
    /// The number of records with this label.
    pub support: usize,
}

impl Report {
    /// Compares each record with its analysis; all of them took `elapsed`.
    pub fn new(info: &ModelInfo, judged: &[(Labelled, Analysis)], elapsed: Duration) -> Self {
        let pairs: Vec<_> = judged.iter().map(|(record, analysis)| (record, analysis)).collect();
        Self {
            model: info.name.clone(),
            warnings: info.warnings.clone(),
            precision: info.precision.clone(),
            posts: judged.len(),
            posts_per_second: judged.len() as f64 / elapsed.as_secs_f64().max(1e-9),
            sentiment: sentiment_report(&pairs),
            targets: None,
            emotion: emotion_report(&pairs),
        }
    }
}

/// The quality of sentiment over the records with one; `None` without.
pub(super) fn sentiment_report(judged: &[(&Labelled, &Analysis)]) -> Option<SentimentReport> {
    let labelled = || judged.iter().filter_map(|(record, analysis)| Some((record.sentiment?, *analysis)));
    let total = labelled().count();
    if total == 0 {
        return None;
    }
    let mut tallies = [Tally::default(); 3];
    let mut confusion: BTreeMap<&str, BTreeMap<&str, usize>> = Sentiment::ALL
        .into_iter()
        .map(|label| (label.as_str(), Sentiment::ALL.into_iter().map(|other| (other.as_str(), 0)).collect()))
        .collect();
    let mut right = 0;
    for (label, analysis) in labelled() {
        for class in Sentiment::ALL {
            tallies[class.index()].add(label == class, analysis.sentiment == class);
        }
        *confusion.entry(label.as_str()).or_default().entry(analysis.sentiment.as_str()).or_default() += 1;
        right += usize::from(label == analysis.sentiment);
    }
    let per_class: BTreeMap<_, _> =
        Sentiment::ALL.into_iter().map(|class| (class.as_str(), tallies[class.index()].report())).collect();
    Some(SentimentReport {
        accuracy: share(right, total),
        macro_recall: macro_mean(&per_class, |class| class.recall),
        macro_f1: macro_mean(&per_class, |class| class.f1),
        ece: calibration_error(labelled().map(|(label, analysis)| (analysis.confidence, label == analysis.sentiment))),
        per_class,
        confusion,
    })
}

/// The expected calibration error: the mean difference between confidence and accuracy over
/// fifteen equal bins of confidence (Naeini et al., 2015).
pub fn calibration_error(judged: impl Iterator<Item = (f64, bool)>) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    let mut total = 0.0;
    for (confidence, right) in judged {
        let bin = ((confidence * BINS as f64) as usize).min(BINS - 1);
        bins[bin].0 += confidence;
        bins[bin].1 += f64::from(u8::from(right));
        total += 1.0;
    }
    if total == 0.0 {
        0.0
    } else {
        bins.iter().map(|(confidence, right)| (confidence - right).abs()).sum::<f64>() / total
    }
}

/// The quality of emotions over the records with some; `None` without.
pub(super) fn emotion_report(judged: &[(&Labelled, &Analysis)]) -> Option<EmotionReport> {
    let labelled = || judged.iter().filter_map(|(record, analysis)| Some((record.emotions.as_ref()?, *analysis)));
    let total = labelled().count();
    if total == 0 {
        return None;
    }
    let mut tallies = [Tally::default(); 7];
    let mut top = 0;
    for (labels, analysis) in labelled() {
        for class in Emotion::ALL {
            let present = analysis.scores.emotion[class.index()] > EMOTION_THRESHOLD;
            tallies[class.index()].add(labels.contains(&class), present);
        }
        top += usize::from(labels.contains(&analysis.emotion));
    }
    let per_class: BTreeMap<_, _> =
        Emotion::ALL.into_iter().map(|class| (class.as_str(), tallies[class.index()].report())).collect();
    Some(EmotionReport {
        macro_f1: macro_mean(&per_class, |class| class.f1),
        threshold: (f64::from(EMOTION_THRESHOLD) * 1e6).round() / 1e6,
        top1: share(top, total),
        ece: calibration_error(labelled().flat_map(|(labels, analysis)| {
            let scores = analysis.scores.emotion;
            Emotion::ALL.map(|class| (f64::from(scores[class.index()]), labels.contains(&class)))
        })),
        per_class,
    })
}

#[derive(Clone, Copy, Default)]
struct Tally {
    both: usize,
    labelled: usize,
    judged: usize,
}

impl Tally {
    fn add(&mut self, labelled: bool, judged: bool) {
        self.both += usize::from(labelled && judged);
        self.labelled += usize::from(labelled);
        self.judged += usize::from(judged);
    }

    fn report(self) -> ClassReport {
        ClassReport {
            precision: share(self.both, self.judged),
            recall: share(self.both, self.labelled),
            f1: share(2 * self.both, self.labelled + self.judged),
            support: self.labelled,
        }
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The mean over the classes that occur in the records.
fn macro_mean(per_class: &BTreeMap<&'static str, ClassReport>, of: fn(&ClassReport) -> f64) -> f64 {
    let present: Vec<f64> = per_class.values().filter(|class| class.support > 0).map(of).collect();
    if present.is_empty() { 0.0 } else { present.iter().sum::<f64>() / present.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Scores;

    fn judged(line: &str, sentiment: [f32; 3], emotion: [f32; 7]) -> (Labelled, Analysis) {
        let record = read_labelled(line.as_bytes()).unwrap().remove(0);
        (record, Analysis::from_scores("m".into(), Scores { sentiment, emotion }, 3, false))
    }

    #[test]
    fn report_counts_correct_labels_per_class() {
        let joy = [0.0, 0.0, 0.0, 0.9, 0.1, 0.0, 0.0];
        let all = [
            judged(r#"{"text": "a", "sentiment": "positive", "emotions": ["joy"]}"#, [0.1, 0.1, 0.8], joy),
            judged(r#"{"text": "b", "sentiment": "positive", "emotions": ["sadness", "joy"]}"#, [0.6, 0.2, 0.2], joy),
            judged(r#"{"text": "c", "sentiment": "negative"}"#, [0.6, 0.2, 0.2], joy),
            judged(r#"{"text": "d", "emotions": ["anger"]}"#, [0.0, 1.0, 0.0], [0.36, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0]),
        ];
        let info = ModelInfo {
            name: "m".into(),
            architecture: "distilbert".into(),
            precision: "f32".into(),
            max_tokens: 8,
            parameters: 1,
            layers: 0,
            exits: Vec::new(),
            int8_agreement: None,
            languages: Vec::new(),
            warnings: Vec::new(),
            load_ms: 1,
        };
        let report = serde_json::to_value(Report::new(&info, &all, Duration::from_secs(2))).unwrap();
        assert_eq!(report["posts_per_second"], 2.0);
        let sentiment = &report["sentiment"];
        assert!((sentiment["accuracy"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9);
        assert!((sentiment["macro_recall"].as_f64().unwrap() - 0.75).abs() < 1e-9);
        assert_eq!(sentiment["confusion"]["positive"]["negative"], 1);
        // One record with confidence 0.8 is correct; of two with 0.6 one is correct.
        assert!((sentiment["ece"].as_f64().unwrap() - 0.4 / 3.0).abs() < 1e-6, "{sentiment}");
        let emotion = &report["emotion"];
        assert_eq!(emotion["threshold"], 0.35);
        assert!((emotion["top1"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9);
        assert!((emotion["macro_f1"].as_f64().unwrap() - (1.0 + 1.0 + 0.0) / 3.0).abs() < 1e-9, "{emotion}");
    }

    #[test]
    fn invalid_record_error_names_line() {
        let error = read_labelled("{\"text\": \"a\"}\n\n{\"text\": \"b\", \"sentiment\": \"good\"}".as_bytes());
        assert!(error.unwrap_err().to_string().starts_with("line 3: "));
    }
}
