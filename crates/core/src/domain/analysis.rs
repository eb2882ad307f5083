//! The result of a classifier for one text.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Emotion, PostLabels, Sentiment};

/// The score of every class. Sentiment scores sum to 1 (softmax); emotion scores are independent
/// (sigmoid), so several may be high at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The sentiment scores, in the order of [`Sentiment::ALL`].
    pub sentiment: [f32; 3],
    /// The emotion scores, in the order of [`Emotion::ALL`].
    pub emotion: [f32; 7],
}

impl Scores {
    /// The sentiment with the largest score, and that score: its confidence.
    pub fn top_sentiment(&self) -> (Sentiment, f32) {
        let (index, score) = largest(&self.sentiment);
        (Sentiment::ALL[index], score)
    }

    /// The emotion with the largest score.
    pub fn top_emotion(&self) -> Emotion {
        Emotion::ALL[largest(&self.emotion).0]
    }
}

fn largest(scores: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, &score) in scores.iter().enumerate() {
        if score > best.1 {
            best = (index, score);
        }
    }
    best
}

/// The classification of one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// The model that classified the text.
    pub model_name: Arc<str>,
    /// The sentiment with the largest score.
    pub sentiment: Sentiment,
    /// The probability of `sentiment`, in [0, 1].
    pub confidence: f64,
    /// The emotion with the largest score.
    pub emotion: Emotion,
    /// All class scores.
    pub scores: Scores,
    /// The number of tokens that the model read, including special tokens.
    pub tokens: u32,
    /// Whether the text was longer than the model's limit.
    pub truncated: bool,
    /// The number of layers that a local model computed for the text; `None` for other models.
    pub layers: Option<u32>,
}

impl Analysis {
    /// The sentiment and the emotion of the text.
    pub fn labels(&self) -> PostLabels {
        PostLabels { sentiment: self.sentiment, emotion: self.emotion }
    }

    /// Derives the labels from `scores`.
    pub fn from_scores(model_name: Arc<str>, scores: Scores, tokens: u32, truncated: bool) -> Self {
        let (sentiment, confidence) = scores.top_sentiment();
        Self {
            model_name,
            sentiment,
            confidence: f64::from(confidence).clamp(0.0, 1.0),
            emotion: scores.top_emotion(),
            scores,
            tokens,
            truncated,
            layers: None,
        }
    }
}
