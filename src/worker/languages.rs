//! Languages of a batch: detection, and the analysis of posts that the model cannot judge.

use std::sync::Arc;

use crate::domain::language::code;
use crate::domain::{Analysis, Emotion, Op, Post, Scores, Sentiment};
use crate::language::{self, JudgedLanguages, LanguagePolicy};
use crate::store::settle::Settled;

use super::task::Task;

/// The model name of posts that no model has judged.
const UNJUDGED: &str = "unjudged";

/// Detects the language of posts whose source did not set it. Runs off the async runtime, since it computes.
pub async fn detect(policy: &LanguagePolicy, tasks: &mut [Task]) {
    let mute = |task: &Task| task.op.post().filter(|post| post.lang.is_none()).map(|post| post.content.clone());
    let texts: Vec<Option<String>> = tasks.iter().map(mute).collect();
    if !policy.detect || texts.iter().all(Option::is_none) {
        return;
    }
    let look =
        move || -> Vec<_> { texts.into_iter().map(|text| text.and_then(|text| language::detect(&text))).collect() };
    // A text that makes the detection panic has no language, which is harmless.
    let found = tokio::task::spawn_blocking(look).await.unwrap_or_default();
    for (task, lang) in tasks.iter_mut().zip(found) {
        if let (Op::Post(post) | Op::Replace { post, .. }, Some(lang)) = (&mut task.op, lang) {
            post.lang = Some(lang.to_owned());
        }
    }
}

/// Counts a stored post by its language.
pub fn count(post: &Post) {
    // Sources may send any text; the number of series must stay bounded.
    let lang = post.lang.as_deref().and_then(code);
    let lang = lang.unwrap_or_else(|| if post.lang.is_some() { "other" } else { "unknown" }.to_owned());
    metrics::counter!("sentistream_languages_total", "lang" => lang).increment(1);
}

/// Counts settled posts in languages that the model does not know, by handling.
pub fn count_others(tasks: &[Task], settled: &[Settled], languages: JudgedLanguages<'_>) {
    for (task, settled) in tasks.iter().zip(settled) {
        let Some(post) = task.op.post().filter(|_| settled.outcome.is_some()) else { continue };
        let lang = post.lang.as_deref();
        if languages.is_other(lang) {
            let handling = languages.handling(lang).as_str();
            metrics::counter!("sentistream_other_languages_total", "handling" => handling).increment(1);
        }
    }
}

/// The analysis of an unjudged post: all classes are equally likely.
pub fn unjudged() -> Analysis {
    Analysis {
        model_name: Arc::from(UNJUDGED),
        sentiment: Sentiment::Neutral,
        confidence: 1.0 / 3.0,
        emotion: Emotion::Neutral,
        scores: Scores { sentiment: [1.0 / 3.0; 3], emotion: [0.0; 7] },
        tokens: 0,
        truncated: false,
        layers: None,
    }
}
