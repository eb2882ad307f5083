//! Fitting the thresholds of exits.
//!
//! The search starts with thresholds of 1, at which no text stops early. Each step lowers one threshold to the next
//! value of a grid: the threshold that saves most work per text whose labels change. Of all visited thresholds, the
//! result is the one with the least work that meets the goal. The search continues after a step that misses the goal,
//! because later steps may meet it again. One half of the texts is used for the search, the other half for measuring.

use std::collections::BTreeMap;
use std::num::NonZero;

use serde::Serialize;

use crate::domain::Analysis;
use crate::inference::error::JudgeError;
use crate::inference::eval::{Labelled, emotion_report, sentiment_report};
use crate::inference::network::Scratch;
use crate::inference::panel::{Encoded, Judge, Panel};
use crate::inference::{InferenceError, InferenceOptions, ModelInfo};

use super::{Cost, first_only};

/// The number of steps of the grid from 1 to 0.5.
const STEPS: u32 = 50;
/// The number of texts that a thread computes at once.
const CHUNK: usize = 32;
/// The minimum number of texts for a reliable fit.
const MIN_TEXTS: usize = 400;

/// The agreement with all layers at which a fit to quality ends.
const MIN_AGREEMENT: f64 = 0.9;

/// The condition that fitted thresholds must meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FitGoal {
    /// At least this share of texts gets the same labels as from all layers, in [0, 1]. Needs no labelled texts.
    Agreement(f64),
    /// The quality on labelled texts is at least that of all layers.
    Quality,
}

/// The results of a text at every exit and after all layers.
#[derive(Clone, Debug, PartialEq)]
pub struct TextTrace {
    /// The gate value and the analysis of each exit, in the order of the layers.
    pub exits: Vec<(f32, Analysis)>,
    /// The analysis with all layers.
    pub last: Analysis,
}

/// Fitted thresholds and their effect on texts that they were not fitted on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExitFit {
    /// The threshold of each exit, by its layer.
    pub thresholds: BTreeMap<u32, f32>,
    /// The number of texts that the thresholds were fitted on.
    pub fitted_on: usize,
    /// The number of held-out texts that the following values were measured on.
    pub measured_on: usize,
    /// The share of texts with the same sentiment and emotion as with all layers, in [0, 1].
    pub agreement: f64,
    /// Mean layers of a token.
    pub layers_per_token: f64,
    /// The mean of sentiment macro recall and emotion macro F1; absent without labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<f64>,
    /// The same for all layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_layers_quality: Option<f64>,
}

/// Computes texts with all layers and every exit. It blocks, and uses all cores.
///
/// # Errors
/// When the model cannot be loaded, has no exits, or fails.
pub fn trace(options: &InferenceOptions, texts: &[String]) -> Result<(ModelInfo, Vec<TextTrace>), InferenceError> {
    let panel = Panel::load(options)?;
    let threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get));
    let share = texts.len().div_ceil(threads.max(1)).max(1);
    let of_part = |texts: &[String]| -> Result<Vec<TextTrace>, JudgeError> {
        let mut scratch = Scratch::default();
        let mut traces = Vec::with_capacity(texts.len());
        for chunk in texts.chunks(CHUNK) {
            let encoded: Vec<Encoded> = chunk.iter().map(|text| panel.encode(text)).collect::<Result<_, _>>()?;
            let found = panel.trace(&encoded.iter().collect::<Vec<_>>(), &mut scratch)?;
            traces.extend(encoded.iter().zip(found).map(|(text, trace)| TextTrace {
                exits: trace.exits.iter().map(|exit| (exit.gate, panel.analysis(text, exit.scores))).collect(),
                last: panel.analysis(text, trace.last),
            }));
        }
        Ok(traces)
    };
    let parts = std::thread::scope(|scope| {
        let running: Vec<_> = texts.chunks(share).map(|texts| scope.spawn(move || of_part(texts))).collect();
        let panicked = || Err(JudgeError::Panicked("a thread panicked".to_owned()));
        running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| panicked())).collect::<Result<Vec<_>, _>>()
    });
    Ok((panel.info(), parts?.into_iter().flatten().collect()))
}

/// Fits thresholds on every second text and measures them on the others.
///
/// # Errors
/// When there are too few texts, or labels are needed and missing.
pub fn fit(info: &ModelInfo, texts: &[(Labelled, TextTrace)], goal: FitGoal) -> Result<ExitFit, FitError> {
    if texts.len() < MIN_TEXTS {
        return Err(FitError::TooFew { found: texts.len() });
    }
    let half = |first: usize| Half { info, texts: texts.iter().skip(first).step_by(2).collect() };
    let (fitted, held_out) = (half(0), half(1));
    let full = vec![STEPS; info.exits.len()];
    let full_quality = fitted.outcome(&full).quality;
    if goal == FitGoal::Quality && full_quality.is_none() {
        return Err(FitError::NoLabels);
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
pub enum FitError {
    /// There are too few texts.
    #[error("there are {found} texts; thresholds need at least {MIN_TEXTS}")]
    TooFew {
        /// The number of texts.
        found: usize,
    },
    /// No text has a label.
    #[error("no text has a label; fit to an agreement with all layers instead (--fit-exits 0.97)")]
    NoLabels,
}

/// One half of the texts.
struct Half<'a> {
    info: &'a ModelInfo,
    texts: Vec<&'a (Labelled, TextTrace)>,
}

/// The effect of thresholds.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    work: f64,
    agreement: f64,
    quality: Option<f64>,
}

impl Half<'_> {
    /// The next lower threshold of an exit that changes a result, with its outcome.
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
        let mut judged = Vec::with_capacity(self.texts.len());
        for (record, trace) in self.texts.iter().copied() {
            let leaves = trace.exits.iter().zip(steps).position(|((gate, _), &step)| *gate > threshold(step));
            let (analysis, layers) = match leaves {
                Some(exit) => (&trace.exits[exit].1, self.info.exits[exit]),
                None => (&trace.last, self.info.layers),
            };
            cost.add(trace.last.tokens, (layers, first_only(self.info, layers)));
            same += usize::from((analysis.sentiment, analysis.emotion) == (trace.last.sentiment, trace.last.emotion));
            judged.push((record, analysis));
        }
        let parts = [
            sentiment_report(&judged).map(|report| report.macro_recall),
            emotion_report(&judged).map(|report| report.macro_f1),
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
    // The threshold is rounded as in the output, so that the measured value is the one that will be used.
    (f64::from(100 - (STEPS - step)) / 100.0) as f32
}
