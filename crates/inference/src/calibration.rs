//! Calibration of confidences with a temperature per head.
//!
//! A temperature increases or reduces the differences between the scores of a head, so that of all posts with a
//! confidence of 0.8, about 80 % have the correct label (Guo et al., "On Calibration of Modern Neural Networks", 2017).
//! Labels do not change: the largest score remains the largest, and an emotion is above [`EMOTION_THRESHOLD`] after
//! the calibration if and only if it was above before.

mod fit;

use serde::{Deserialize, Serialize};

use super::error::LoadError;
use super::eval::EMOTION_THRESHOLD;
use super::files::ModelFiles;
use super::options::CalibrationSource;

pub use fit::{HeadFit, fit};

/// The name of the calibration file in the folder of a model.
pub const FILE: &str = "calibration.json";
/// The range of accepted temperatures.
const TEMPERATURES: std::ops::RangeInclusive<f64> = 0.05..=20.0;

/// The calibration of a model, as stored in the folder of the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The calibration of the sentiment head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<HeadFit>,
    /// The calibration of the emotion head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emotion: Option<HeadFit>,
}

impl Calibration {
    /// Reads the calibration of a model. Returns an empty calibration if calibration is off, or none is stored.
    ///
    /// # Errors
    /// When a file cannot be read or is invalid.
    pub fn of(files: &ModelFiles, source: &CalibrationSource) -> Result<Self, LoadError> {
        match source {
            CalibrationSource::Off => Ok(Self::default()),
            CalibrationSource::Stored if !files.has(FILE) => Ok(Self::default()),
            CalibrationSource::Stored => Self::parse(&files.read(FILE)?).map_err(|e| e.of_file(FILE)),
            CalibrationSource::File(path) => {
                let json = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
                Self::parse(&json).map_err(|e| e.of_file(&path.display().to_string()))
            }
        }
    }

    /// Parses a stored calibration.
    ///
    /// # Errors
    /// When the JSON is malformed or a temperature is out of range.
    pub fn parse(json: &[u8]) -> Result<Self, LoadError> {
        let calibration: Self = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        for fit in [&calibration.sentiment, &calibration.emotion].into_iter().flatten() {
            if !TEMPERATURES.contains(&fit.temperature) {
                return Err(LoadError::Files(format!(
                    "a temperature must be between 0.05 and 20, not {}",
                    fit.temperature
                )));
            }
        }
        Ok(calibration)
    }
}

/// Applies a temperature to probabilities that sum to 1: the result is the softmax of the logits divided by
/// `temperature`. The largest score remains the largest.
pub fn temper_shares(scores: &mut [f32; 3], temperature: f64) {
    let before = *scores;
    let logs = before.map(|score| f64::from(score).ln() / temperature);
    let largest = logs.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let powers = logs.map(|log| (log - largest).exp());
    let sum: f64 = powers.iter().sum();
    *scores = powers.map(|power| (power / sum) as f32);
    keep_first(&before, scores);
}

/// Applies a temperature to independent probabilities: their distances from [`EMOTION_THRESHOLD`], in logits, are
/// divided by `temperature`.
pub fn temper_independent(scores: &mut [f32; 7], temperature: f64) {
    let before = *scores;
    for score in scores.iter_mut() {
        let was_present = *score > EMOTION_THRESHOLD;
        let tempered = tempered_independent(f64::from(*score), temperature) as f32;
        *score = match was_present {
            true => tempered.max(EMOTION_THRESHOLD.next_up()),
            false => tempered.min(EMOTION_THRESHOLD),
        };
    }
    keep_first(&before, scores);
}

fn tempered_independent(score: f64, temperature: f64) -> f64 {
    let middle = logit(f64::from(EMOTION_THRESHOLD));
    let log_odds = middle + (logit(score) - middle) / temperature;
    1.0 / (1.0 + (-log_odds).exp())
}

fn logit(share: f64) -> f64 {
    (share / (1.0 - share)).ln()
}

/// Ensures that the largest score remains the largest, because rounding may make two different scores equal.
fn keep_first<const N: usize>(before: &[f32; N], scores: &mut [f32; N]) {
    let mut first = 0;
    for index in 1..N {
        if before[index] > before[first] {
            first = index;
        }
    }
    let largest = scores[first];
    for index in 0..N {
        if before[index] < before[first] && scores[index] >= largest {
            scores[index] = largest.next_down().max(0.0);
        }
    }
}

#[cfg(test)]
mod tests;
