//! Evaluates a classifier with texts that people have labelled.

pub mod intervals;
pub mod targets;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use sentistream_core::domain::{Analysis, Emotion, Sentiment};

use super::ModelInfo;

/// The score above which an emotion counts as present.
pub const EMOTION_THRESHOLD: f32 = 0.35;
/// The number of confidence bins from which the calibration error is computed.
const BINS: usize = 15;

/// A text with human labels.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Labelled {
    /// The text. The name `content` is accepted too.
    #[serde(alias = "content")]
    pub text: String,
    /// The language of the text; `None` if it is not known.
    #[serde(default)]
    pub lang: Option<String>,
    /// The correct sentiment; `None` if it is not labelled.
    pub sentiment: Option<Sentiment>,
    /// The correct emotions, one or several; `None` if they are not labelled.
    pub emotions: Option<Vec<Emotion>>,
    /// The target of the sentiment, as written in the text; `None` if the sentiment is that of the whole text.
    #[serde(default)]
    pub target: Option<String>,
    /// The index of the target's first character in the text. Needed only if the text mentions the target several
    /// times.
    #[serde(default)]
    pub start: Option<usize>,
}

/// A record and the analysis of its text.
#[derive(Clone, Copy, Debug)]
pub struct Prediction<'a> {
    /// The record.
    pub record: &'a Labelled,
    /// The prediction of a model for the text.
    pub analysis: &'a Analysis,
}

impl<'a> Prediction<'a> {
    /// Joins each record with the analysis at the same index.
    pub fn all(records: &'a [Labelled], analyses: &'a [Analysis]) -> Vec<Self> {
        records.iter().zip(analyses).map(|(record, analysis)| Self { record, analysis }).collect()
    }
}

/// Why labelled records cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A line is not a labelled record.
    #[error("line {line}: {reason}; expected {{\"text\": …, \"sentiment\": …, \"emotions\": […]}}")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// Why the line is not a record.
        reason: String,
    },
    /// Reading failed.
    #[error("cannot read the records: {0}")]
    Io(#[from] std::io::Error),
}

/// Reads NDJSON records; blank lines are skipped.
///
/// # Errors
/// The first invalid line, with its number.
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
    /// The name of the model.
    pub model: String,
    /// Properties of the model that make its sentiments misleading for some texts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The number format of the model's weights.
    pub precision: String,
    /// The number of records.
    pub posts: usize,
    /// The number of records classified per second.
    pub posts_per_second: f64,
    /// The quality of sentiment over the records with a sentiment; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<SentimentReport>,
    /// The quality of the sentiment towards targets, over the records with a target; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<targets::TargetReport>,
    /// The quality of emotion over the records with emotions; absent if there are none.
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
    /// The quality of each class.
    pub per_class: BTreeMap<&'static str, ClassReport>,
    /// The confusion matrix: for each correct label, the number of records by predicted label.
    pub confusion: BTreeMap<&'static str, BTreeMap<&'static str, usize>>,
}

/// The quality of the emotion labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EmotionReport {
    /// The mean F1 of the labelled classes. A class is predicted if its score is above `threshold`.
    pub macro_f1: f64,
    /// The value of [`EMOTION_THRESHOLD`].
    pub threshold: f64,
    /// The share of records whose top emotion is among the labels.
    pub top1: f64,
    /// The expected calibration error of the scores of all classes.
    pub ece: f64,
    /// The quality of each class.
    pub per_class: BTreeMap<&'static str, ClassReport>,
}

/// The quality of one class.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClassReport {
    /// The share of the predictions of this class that are correct.
    pub precision: f64,
    /// The share of the records of this class that are predicted as this class.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// The number of records with this label.
    pub support: usize,
}

impl Report {
    /// Compares each record with its analysis. `elapsed` is the time of all analyses.
    pub fn new(info: &ModelInfo, predictions: &[Prediction<'_>], elapsed: Duration) -> Self {
        Self {
            model: info.name.clone(),
            warnings: info.warnings.clone(),
            precision: info.precision.clone(),
            posts: predictions.len(),
            posts_per_second: predictions.len() as f64 / elapsed.as_secs_f64().max(1e-9),
            sentiment: sentiment_report(predictions),
            targets: None,
            emotion: emotion_report(predictions),
        }
    }
}

/// The quality of sentiment over the records with a sentiment; `None` if there are none.
pub(super) fn sentiment_report(predictions: &[Prediction<'_>]) -> Option<SentimentReport> {
    let labelled = || predictions.iter().filter_map(|of| Some((of.record.sentiment?, of.analysis)));
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
pub fn calibration_error(predictions: impl Iterator<Item = (f64, bool)>) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    let mut total = 0.0;
    for (confidence, right) in predictions {
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

/// The quality of emotions over the records with emotions; `None` if there are none.
pub(super) fn emotion_report(predictions: &[Prediction<'_>]) -> Option<EmotionReport> {
    let labelled = || predictions.iter().filter_map(|of| Some((of.record.emotions.as_ref()?, of.analysis)));
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
    predicted: usize,
}

impl Tally {
    fn add(&mut self, labelled: bool, predicted: bool) {
        self.both += usize::from(labelled && predicted);
        self.labelled += usize::from(labelled);
        self.predicted += usize::from(predicted);
    }

    fn report(self) -> ClassReport {
        ClassReport {
            precision: share(self.both, self.predicted),
            recall: share(self.both, self.labelled),
            f1: share(2 * self.both, self.labelled + self.predicted),
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
    use sentistream_core::domain::Scores;

    fn analysis(sentiment: [f32; 3], emotion: [f32; 7]) -> Analysis {
        Analysis::from_scores("m".into(), Scores { sentiment, emotion }, 3, false)
    }

    #[test]
    fn report_counts_correct_labels_per_class() {
        let joy = [0.0, 0.0, 0.0, 0.9, 0.1, 0.0, 0.0];
        let lines = r#"{"text": "a", "sentiment": "positive", "emotions": ["joy"]}
            {"text": "b", "sentiment": "positive", "emotions": ["sadness", "joy"]}
            {"text": "c", "sentiment": "negative"}
            {"text": "d", "emotions": ["anger"]}"#;
        let records = read_labelled(lines.as_bytes()).unwrap();
        let analyses = [
            analysis([0.1, 0.1, 0.8], joy),
            analysis([0.6, 0.2, 0.2], joy),
            analysis([0.6, 0.2, 0.2], joy),
            analysis([0.0, 1.0, 0.0], [0.36, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0]),
        ];
        let all = Prediction::all(&records, &analyses);
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
        // The only record with a confidence of 0.8 is correct. Of the two records with 0.6, one is correct.
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
