//! Fits the thresholds of early exits.
//!
//! The search starts with thresholds of 1, at which no text stops early. Each step lowers one threshold to the next
//! value of a grid at which more texts stop early. The search selects the threshold that saves the most computation per
//! text whose labels change. Among all visited combinations of thresholds that meet the goal, the result is the one
//! with the least computation. The search continues after a step that misses the goal, because later steps may meet it
//! again. One half of the texts is used for the search, and the other half for the measurement.

use std::collections::BTreeMap;
use std::num::NonZero;

use serde::Serialize;

use crate::error::ClassifyError;
use crate::eval::{Labelled, Prediction, emotion_report, sentiment_report};
use crate::network::Scratch;
use crate::panel::{BatchClassifier, Encoded, Panel};
use crate::{InferenceError, InferenceOptions, ModelInfo};
use sentistream_core::domain::Analysis;

use super::{Cost, first_only};

/// The number of steps of the grid from 1 to 0.5.
const STEPS: u32 = 50;
/// The number of texts that a thread computes at once.
const CHUNK: usize = 32;
/// The minimum number of texts for a fit.
const MIN_TEXTS: usize = 400;

/// The search for [`FitGoal::Quality`] ends when the agreement with all layers falls below this share.
const MIN_AGREEMENT: f64 = 0.9;

/// The condition that fitted thresholds must meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FitGoal {
    /// At least this share of texts, in [0, 1], must get the same labels as with all layers. Needs no labelled texts.
    Agreement(f64),
    /// The quality on labelled texts must be at least the quality with all layers.
    Quality,
}

/// The results of a text at every exit and after all layers.
#[derive(Clone, Debug, PartialEq)]
pub struct TextTrace {
    /// The result at each exit, in the order of the layers.
    pub exits: Vec<ExitTrace>,
    /// The analysis with all layers.
    pub last: Analysis,
}

/// The result of a text at an exit.
#[derive(Clone, Debug, PartialEq)]
pub struct ExitTrace {
    /// The exit's estimate of the probability that the last layer gives the same labels, in [0, 1]. The text stops at
    /// this exit if the value is above the threshold.
    pub gate: f32,
    /// The analysis of the text if it stops at this exit.
    pub analysis: Analysis,
}

/// A record with the results of its text at all exits.
#[derive(Clone, Debug)]
pub struct TracedRecord {
    /// The record.
    pub record: Labelled,
    /// The results of the record's text at all exits.
    pub trace: TextTrace,
}

/// Fitted thresholds, and their effect on held-out texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExitFit {
    /// The threshold of each exit, by its layer.
    pub thresholds: BTreeMap<u32, f32>,
    /// The number of texts to which the thresholds were fitted.
    pub fitted_on: usize,
    /// The number of held-out texts on which the following values were measured.
    pub measured_on: usize,
    /// The share of texts with the same sentiment and emotion as with all layers, in [0, 1].
    pub agreement: f64,
    /// The mean number of layers per token.
    pub layers_per_token: f64,
    /// The mean of sentiment macro recall and emotion macro F1; absent without labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<f64>,
    /// The mean of sentiment macro recall and emotion macro F1 if all layers are computed; absent without labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_layers_quality: Option<f64>,
}

/// Computes texts with all layers and every exit. This blocks, and uses `options.threads` threads or one thread per
/// core.
///
/// # Errors
/// When the model cannot be loaded, has no exits, or fails.
pub fn trace(options: &InferenceOptions, texts: &[String]) -> Result<(ModelInfo, Vec<TextTrace>), InferenceError> {
    let panel = Panel::load(options)?;
    let threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get));
    let share = texts.len().div_ceil(threads.max(1)).max(1);
    let of_part = |texts: &[String]| -> Result<Vec<TextTrace>, ClassifyError> {
        let mut scratch = Scratch::default();
        let mut traces = Vec::with_capacity(texts.len());
        for chunk in texts.chunks(CHUNK) {
            let encoded: Vec<Encoded> = chunk.iter().map(|text| panel.encode(text)).collect::<Result<_, _>>()?;
            let found = panel.trace(&encoded.iter().collect::<Vec<_>>(), &mut scratch)?;
            traces.extend(encoded.iter().zip(found).map(|(text, trace)| {
                TextTrace {
                    exits: (trace.exits.iter())
                        .map(|exit| ExitTrace { gate: exit.gate, analysis: panel.analysis(text, exit.scores) })
                        .collect(),
                    last: panel.analysis(text, trace.last),
                }
            }));
        }
        Ok(traces)
    };
    let parts = std::thread::scope(|scope| {
        let running: Vec<_> = texts.chunks(share).map(|texts| scope.spawn(move || of_part(texts))).collect();
        let panicked = || Err(ClassifyError::Panicked("a thread panicked".to_owned()));
        running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| panicked())).collect::<Result<Vec<_>, _>>()
    });
    Ok((panel.info(), parts?.into_iter().flatten().collect()))
}

/// Fits thresholds to every second text, and measures them on the other texts.
///
/// # Errors
/// When there are too few texts, or the goal needs labels and no text has any.
pub fn fit(info: &ModelInfo, texts: &[TracedRecord], goal: FitGoal) -> Result<ExitFit, ExitFitError> {
    if texts.len() < MIN_TEXTS {
        return Err(ExitFitError::TooFew { found: texts.len() });
    }
    let half = |first: usize| Half { info, texts: texts.iter().skip(first).step_by(2).collect() };
    let (fitted, held_out) = (half(0), half(1));
    let full = vec![STEPS; info.exits.len()];
    let full_quality = fitted.outcome(&full).quality;
    if goal == FitGoal::Quality && full_quality.is_none() {
        return Err(ExitFitError::NoLabels);
    }
    let meets = |outcome: &Outcome| match goal {
        FitGoal::Agreement(wanted) => outcome.agreement >= wanted,
        FitGoal::Quality => outcome.quality >= full_quality,
    };
    let least_agreement = match goal {
        FitGoal::Agreement(wanted) => wanted,
        FitGoal::Quality => MIN_AGREEMENT,
    };
    let mut steps = full.clone();
    let mut path = full.clone();
    let mut now = fitted.outcome(&path);
    loop {
        let lower = (0..path.len()).filter_map(|exit| fitted.lowered(&path, exit, &now));
        let gain = |(_, outcome): &(Vec<u32>, Outcome)| {
            (now.work - outcome.work) / (now.agreement - outcome.agreement).max(1e-9)
        };
        let allowed = lower.filter(|(_, outcome)| outcome.agreement >= least_agreement);
        let Some(found) = allowed.max_by(|a, b| gain(a).total_cmp(&gain(b))) else { break };
        (path, now) = found;
        if meets(&now) {
            steps.clone_from(&path);
        }
    }
    let measured = held_out.outcome(&steps);
    Ok(ExitFit {
        thresholds: info.exits.iter().copied().zip(steps.iter().map(|&step| threshold(step))).collect(),
        fitted_on: fitted.texts.len(),
        measured_on: held_out.texts.len(),
        agreement: measured.agreement,
        layers_per_token: measured.work,
        quality: measured.quality,
        all_layers_quality: held_out.outcome(&full).quality,
    })
}

/// Why no thresholds can be fitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExitFitError {
    /// There are too few texts.
    #[error("there are {found} texts, but thresholds need at least {MIN_TEXTS}: add texts")]
    TooFew {
        /// The number of texts.
        found: usize,
    },
    /// No text has a label.
    #[error("no text has a label: add labels, or fit to an agreement with all layers (--fit-exits 0.97)")]
    NoLabels,
}

/// One half of the texts, for the fit or for the measurement.
struct Half<'a> {
    info: &'a ModelInfo,
    texts: Vec<&'a TracedRecord>,
}

/// The effect of a combination of thresholds.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    work: f64,
    agreement: f64,
    quality: Option<f64>,
}

impl Half<'_> {
    /// Lowers the threshold of `exit` until more texts stop early. Returns the thresholds and their effect; `None` if
    /// no lower threshold has an effect.
    fn lowered(&self, steps: &[u32], exit: usize, now: &Outcome) -> Option<(Vec<u32>, Outcome)> {
        let mut steps = steps.to_vec();
        while steps[exit] > 0 {
            steps[exit] -= 1;
            let outcome = self.outcome(&steps);
            if outcome.work < now.work {
                return Some((steps, outcome));
            }
        }
        None
    }

    fn outcome(&self, steps: &[u32]) -> Outcome {
        let mut cost = Cost::default();
        let mut same = 0;
        let mut predictions = Vec::with_capacity(self.texts.len());
        for TracedRecord { record, trace } in self.texts.iter().copied() {
            let leaves = trace.exits.iter().zip(steps).position(|(exit, &step)| exit.gate > threshold(step));
            let (analysis, layers) = match leaves {
                Some(exit) => (&trace.exits[exit].analysis, self.info.exits[exit]),
                None => (&trace.last, self.info.layers),
            };
            cost.add(trace.last.tokens, (layers, first_only(self.info, layers)));
            same += usize::from((analysis.sentiment, analysis.emotion) == (trace.last.sentiment, trace.last.emotion));
            predictions.push(Prediction { record, analysis });
        }
        let parts = [
            sentiment_report(&predictions).map(|report| report.macro_recall),
            emotion_report(&predictions).map(|report| report.macro_f1),
        ];
        let known: Vec<f64> = parts.into_iter().flatten().collect();
        Outcome {
            work: cost.per_token(),
            agreement: same as f64 / self.texts.len().max(1) as f64,
            quality: (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64),
        }
    }
}

fn threshold(step: u32) -> f32 {
    // The threshold is rounded as in the output, so that the measurement applies to the reported value.
    (f64::from(100 - (STEPS - step)) / 100.0) as f32
}
