//! Fits the temperature of a head to labelled texts.

use serde::{Deserialize, Serialize};

use super::{Calibration, TEMPERATURES, temper_independent, temper_shares, tempered_independent};
use crate::eval::{Prediction, calibration_error};
use sentistream_core::domain::{Analysis, Emotion, Sentiment};

/// The minimum number of labelled texts for a fit.
const MIN_TEXTS: usize = 200;
/// The inverse golden ratio: the part of the interval that remains after a step of the search.
const GOLDEN: f64 = 0.618_033_988_749_895;
/// The number of search steps, which reduce the interval to less than 10⁻⁸ of its length.
const STEPS: usize = 40;
/// The minimum probability of a label. It makes the loss of a wrong label finite.
const LEAST_SHARE: f64 = f32::MIN_POSITIVE as f64;
/// The minimum of an independent probability and of its complement.
const LEAST_SCORE: f64 = 1e-9;

/// The temperature of a head, and its effect on held-out texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadFit {
    /// The temperature. A value above 1 reduces the confidence, a value below 1 increases it. The value is 1 if the
    /// fitted value did not improve the loss on held-out texts.
    pub temperature: f64,
    /// The number of texts to which the temperature was fitted.
    pub fitted_on: usize,
    /// The number of held-out texts on which the errors and losses were measured.
    pub measured_on: usize,
    /// The expected calibration error without the temperature.
    pub ece_before: f64,
    /// The expected calibration error with the temperature.
    pub ece_after: f64,
    /// The mean negative log-likelihood of a text's labels without the temperature.
    pub nll_before: f64,
    /// The mean negative log-likelihood of a text's labels with the temperature.
    pub nll_after: f64,
}

/// Why no temperature can be fitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalibrationFitError {
    /// There are too few labels.
    #[error("there are {found} texts with a label for {head}, but a temperature needs at least {MIN_TEXTS}: add texts")]
    TooFew { head: &'static str, found: usize },
    /// No text has a label.
    #[error("no text has a label: a temperature needs texts with `sentiment` or `emotions`")]
    Nothing,
}

/// Fits a temperature for each head that has labels. Every second text is used for the fit, and the other texts for the
/// measurement. The analyses must come from the uncalibrated model.
///
/// # Errors
/// When there are too few labels.
pub fn fit(predictions: &[Prediction<'_>]) -> Result<Calibration, CalibrationFitError> {
    let sentiment: Vec<_> = predictions.iter().filter_map(|of| Some((of.record.sentiment?, of.analysis))).collect();
    let emotion: Vec<_> =
        predictions.iter().filter_map(|of| Some((of.record.emotions.as_deref()?, of.analysis))).collect();
    if sentiment.is_empty() && emotion.is_empty() {
        return Err(CalibrationFitError::Nothing);
    }
    let shares =
        |(label, analysis): &(Sentiment, &Analysis)| Shares { label: *label, scores: analysis.scores.sentiment };
    let independent = |(labels, analysis): &(&[Emotion], &Analysis)| IndependentScores {
        present: Emotion::ALL.map(|emotion| labels.contains(&emotion)),
        scores: analysis.scores.emotion,
    };
    Ok(Calibration {
        sentiment: head("sentiment", &sentiment.iter().map(shares).collect::<Vec<_>>())?,
        emotion: head("emotion", &emotion.iter().map(independent).collect::<Vec<_>>())?,
    })
}

/// A labelled text with the scores of one head.
trait Case: Clone {
    /// The negative log-likelihood of the label at a temperature.
    fn loss(&self, temperature: f64) -> f64;

    /// The confidences at a temperature. Each has a flag that says whether the label was correct.
    fn confidences(&self, temperature: f64) -> Vec<(f64, bool)>;
}

#[derive(Clone)]
struct Shares {
    label: Sentiment,
    scores: [f32; 3],
}

impl Case for Shares {
    fn loss(&self, temperature: f64) -> f64 {
        let logs = self.scores.map(|score| f64::from(score).max(LEAST_SHARE).ln() / temperature);
        let largest = logs.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logs.iter().map(|log| (log - largest).exp()).sum();
        largest + sum.ln() - logs[self.label.index()]
    }

    fn confidences(&self, temperature: f64) -> Vec<(f64, bool)> {
        let mut scores = self.scores;
        temper_shares(&mut scores, temperature);
        let top = (0..scores.len()).fold(0, |top, index| if scores[index] > scores[top] { index } else { top });
        vec![(f64::from(scores[top]), top == self.label.index())]
    }
}

#[derive(Clone)]
struct IndependentScores {
    present: [bool; 7],
    scores: [f32; 7],
}

impl Case for IndependentScores {
    fn loss(&self, temperature: f64) -> f64 {
        let losses = self.scores.iter().zip(self.present).map(|(&score, present)| {
            let score = tempered_independent(f64::from(score).clamp(LEAST_SCORE, 1.0 - LEAST_SCORE), temperature);
            -(if present { score } else { 1.0 - score }).max(LEAST_SCORE).ln()
        });
        losses.sum()
    }

    fn confidences(&self, temperature: f64) -> Vec<(f64, bool)> {
        let mut scores = self.scores;
        temper_independent(&mut scores, temperature);
        scores.into_iter().map(f64::from).zip(self.present).collect()
    }
}

fn head(name: &'static str, cases: &[impl Case]) -> Result<Option<HeadFit>, CalibrationFitError> {
    match cases.len() {
        0 => return Ok(None),
        found @ 1..MIN_TEXTS => return Err(CalibrationFitError::TooFew { head: name, found }),
        _ => {}
    }
    let every_other = |first: usize| cases.iter().skip(first).step_by(2).cloned().collect::<Vec<_>>();
    let (learnt, unseen) = (every_other(0), every_other(1));
    // The temperature is rounded as in the file, so that the measurement applies to the stored value.
    let found = (best(&learnt) * 1e4).round() / 1e4;
    // A temperature that does not reduce the loss of held-out texts is overfitted, so it is discarded.
    let temperature = if loss(&unseen, found) < loss(&unseen, 1.0) { found } else { 1.0 };
    let error = |temperature: f64| calibration_error(unseen.iter().flat_map(|case| case.confidences(temperature)));
    let shown = |value: f64| (value * 1e6).round() / 1e6;
    Ok(Some(HeadFit {
        temperature,
        fitted_on: learnt.len(),
        measured_on: unseen.len(),
        ece_before: shown(error(1.0)),
        ece_after: shown(error(temperature)),
        nll_before: shown(loss(&unseen, 1.0)),
        nll_after: shown(loss(&unseen, temperature)),
    }))
}

fn loss(cases: &[impl Case], temperature: f64) -> f64 {
    cases.iter().map(|case| case.loss(temperature)).sum::<f64>() / cases.len() as f64
}

/// The temperature with the smallest loss. The loss is convex in the inverse of the temperature, so it has a single
/// minimum, which a golden-section search finds.
fn best(cases: &[impl Case]) -> f64 {
    let (mut low, mut high) = (TEMPERATURES.start().ln(), TEMPERATURES.end().ln());
    for _ in 0..STEPS {
        let (left, right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        if loss(cases, left.exp()) < loss(cases, right.exp()) {
            high = right;
        } else {
            low = left;
        }
    }
    f64::midpoint(low, high).exp()
}
