//! Detects the languages of a batch, and provides the analysis for posts in languages that the model does not support.

use std::sync::Arc;

use crate::domain::language::code;
use crate::domain::{Analysis, Emotion, Op, Post, Scores, Sentiment};
use crate::language::{self, LanguagePolicy};

use super::task::Task;

/// The stored model name for posts that no model analysed.
const UNCLASSIFIED: &str = "unjudged";

/// Detects the languages of posts whose source did not set them. Runs on a blocking thread, because it is
/// computationally expensive.
pub async fn detect(policy: &LanguagePolicy, tasks: &mut [Task]) {
    let mute = |task: &Task| task.op.post().filter(|post| post.lang.is_none()).map(|post| post.content.clone());
    let texts: Vec<Option<String>> = tasks.iter().map(mute).collect();
    if !policy.detect || texts.iter().all(Option::is_none) {
        return;
    }
    let look =
        move || -> Vec<_> { texts.into_iter().map(|text| text.and_then(|text| language::detect(&text))).collect() };
    // If the detection panics, the posts are processed without a language.
    let found = tokio::task::spawn_blocking(look).await.unwrap_or_default();
    for (task, lang) in tasks.iter_mut().zip(found) {
        if let (Op::Post(post) | Op::Replace { post, .. }, Some(lang)) = (&mut task.op, lang) {
            post.lang = Some(lang.to_owned());
        }
    }
}

/// Counts a stored post by its language.
pub fn count(post: &Post) {
    // Sources may send any text as the language. Only known codes are used, so that the number of metric series stays
    // limited.
    let lang = post.lang.as_deref().and_then(code);
    let lang = lang.unwrap_or_else(|| if post.lang.is_some() { "other" } else { "unknown" }.to_owned());
    metrics::counter!("sentistream_languages_total", "lang" => lang).increment(1);
}

/// The analysis that is stored for a post that no model analysed: the post is neutral, and all sentiments have the same
/// score.
pub fn unclassified() -> Analysis {
    Analysis {
        model_name: Arc::from(UNCLASSIFIED),
        sentiment: Sentiment::Neutral,
        confidence: 1.0 / 3.0,
        emotion: Emotion::Neutral,
        scores: Scores { sentiment: [1.0 / 3.0; 3], emotion: [0.0; 7] },
        tokens: 0,
        truncated: false,
        layers: None,
    }
}
