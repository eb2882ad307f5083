//! A classifier that looks for words in texts.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sentistream::domain::{Analysis, Scores};
use sentistream::inference::{Classifier, InferenceError, ModelInfo, SharedClassifier};

/// A text with `love` is positive and joyful, a text with `hate` is negative and angry, and all others are neutral. A
/// text with `explode` causes an error, and a text with `endless` takes too long.
struct ByWords(ModelInfo);

impl Default for ByWords {
    fn default() -> Self {
        Self(ModelInfo {
            name: "by-words".to_owned(),
            architecture: "words".to_owned(),
            precision: "f32".to_owned(),
            max_tokens: 16,
            parameters: 2,
            layers: 0,
            exits: Vec::new(),
            int8_agreement: None,
            languages: Vec::new(),
            warnings: Vec::new(),
            load_ms: 0,
        })
    }
}

impl Classifier for ByWords {
    fn classify(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        Box::pin(async move { texts.iter().map(|text| analysis_of(text, &self.0.name)).collect() })
    }

    fn info(&self) -> &ModelInfo {
        &self.0
    }
}

fn analysis_of(text: &str, model: &str) -> Result<Analysis, InferenceError> {
    if text.contains("explode") {
        return Err(InferenceError::Failed("the text exploded".to_owned()));
    }
    if text.contains("endless") {
        return Err(InferenceError::TooSlow(Duration::from_secs(60)));
    }
    // Sentiment: negative, neutral, positive. Emotion: anger, disgust, fear, joy, neutral, sadness, surprise.
    let scores = if text.contains("love") {
        Scores { sentiment: [0.05, 0.05, 0.9], emotion: [0.0, 0.0, 0.0, 0.8, 0.1, 0.0, 0.2] }
    } else if text.contains("hate") {
        Scores { sentiment: [0.75, 0.2, 0.05], emotion: [0.7, 0.3, 0.0, 0.0, 0.1, 0.0, 0.0] }
    } else {
        Scores { sentiment: [0.2, 0.6, 0.2], emotion: [0.0, 0.0, 0.0, 0.1, 0.9, 0.0, 0.0] }
    };
    let words = text.split_whitespace().count();
    Ok(Analysis::from_scores(model.into(), scores, words.min(16) as u32, words > 16))
}

/// Creates a classifier that looks for words in texts.
pub fn by_words() -> SharedClassifier {
    Arc::new(ByWords::default())
}

/// Creates the same classifier as [`by_words`], with another name.
pub fn by_words_named(name: &str) -> SharedClassifier {
    let ByWords(info) = ByWords::default();
    Arc::new(ByWords(ModelInfo { name: name.to_owned(), ..info }))
}

/// Creates the same classifier as [`by_words`], but it declares English as its only language.
pub fn english_by_words() -> SharedClassifier {
    let ByWords(info) = ByWords::default();
    Arc::new(ByWords(ModelInfo { languages: vec!["en".to_owned()], ..info }))
}
