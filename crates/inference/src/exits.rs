//! Early exits: their thresholds, the saved work, and the fit of thresholds.

mod fit;

use std::collections::BTreeMap;

use serde::Serialize;

use sentistream_core::domain::Analysis;

use super::ModelInfo;
use super::eval::{EmotionReport, Prediction, SentimentReport, emotion_report, sentiment_report};

pub use fit::{ExitFit, ExitTrace, FitGoal, TextTrace, TracedRecord, fit, trace};

/// The amount of computation for texts. Layers are counted per token, because an exit and the last layer compute only
/// the first token of a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DepthReport {
    /// The mean number of layers per token.
    pub layers_per_token: f64,
    /// The mean number of layers per token if no text stops early.
    pub all_layers_per_token: f64,
    /// The share of texts that stopped after each layer, including the last layer, in [0, 1].
    pub leaving: BTreeMap<u32, f64>,
    /// The share of texts with the same sentiment as with all layers, in [0, 1].
    pub same_sentiment: f64,
    /// The share of texts with the same emotion as with all layers, in [0, 1].
    pub same_emotion: f64,
    /// The quality of sentiment with all layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_layers_sentiment: Option<SentimentReport>,
    /// The quality of emotion with all layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_layers_emotion: Option<EmotionReport>,
}

impl DepthReport {
    /// Compares analyses with exits and analyses with all layers of the same records. `None` if the model has no exits
    /// or there are no records.
    pub fn new<'a>(info: &ModelInfo, predictions: &[Prediction<'a>], full: &'a [Analysis]) -> Option<Self> {
        if info.exits.is_empty() || predictions.is_empty() {
            return None;
        }
        let share = |count: usize| count as f64 / predictions.len() as f64;
        let pairs = || predictions.iter().zip(full).map(|(by_exits, full)| (by_exits.analysis, full));
        let mut leaving: BTreeMap<u32, usize> = info.exits.iter().chain([&info.layers]).map(|&l| (l, 0)).collect();
        let mut cost = Cost::default();
        let mut all = Cost::default();
        for (by_exits, full) in pairs() {
            let layers = by_exits.layers.unwrap_or(info.layers);
            *leaving.entry(layers).or_default() += 1;
            cost.add(full.tokens, (layers, first_only(info, layers)));
            all.add(full.tokens, (info.layers, 1));
        }
        let of_full = |(prediction, analysis): (&Prediction<'a>, &'a Analysis)| Prediction { analysis, ..*prediction };
        let all_layers: Vec<_> = predictions.iter().zip(full).map(of_full).collect();
        Some(Self {
            layers_per_token: cost.per_token(),
            all_layers_per_token: all.per_token(),
            leaving: leaving.into_iter().map(|(layer, count)| (layer, share(count))).collect(),
            same_sentiment: share(pairs().filter(|(a, b)| a.sentiment == b.sentiment).count()),
            same_emotion: share(pairs().filter(|(a, b)| a.emotion == b.emotion).count()),
            all_layers_sentiment: sentiment_report(&all_layers),
            all_layers_emotion: emotion_report(&all_layers),
        })
    }
}

/// The amount of computation. The unit is one layer of one token.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    work: f64,
    tokens: f64,
}

impl Cost {
    /// Adds a text that was computed with `layers` layers. `first_only` of these layers computed only its first token.
    fn add(&mut self, tokens: u32, (layers, first_only): (u32, usize)) {
        self.work += f64::from(layers.saturating_sub(1)) * f64::from(tokens) + first_only as f64;
        self.tokens += f64::from(tokens);
    }

    fn per_token(self) -> f64 {
        self.work / self.tokens.max(1.0)
    }
}

/// The number of layers that compute only the first token of a text that stops after `layers`.
fn first_only(info: &ModelInfo, layers: u32) -> usize {
    info.exits.iter().filter(|exit| **exit <= layers).count() + usize::from(layers == info.layers)
}

#[cfg(test)]
mod tests;
