use super::*;
use crate::{Engine, InferenceOptions, Precision};
use sentistream_core::domain::{Emotion, Sentiment};

fn engine() -> Engine {
    // The wait is long because other tests may use all cores for minutes.
    let max_wait = std::time::Duration::from_secs(600);
    let options =
        InferenceOptions { threads: Some(1), precision: Precision::F32, max_wait, ..InferenceOptions::default() };
    Engine::load(&options).unwrap()
}

#[tokio::test]
async fn decisive_word_contributes_most() {
    let engine = engine();
    let text = "Été 😀: the new phone is terrible, honestly";
    let (analysis, explanation) = explain(&engine, text).await.unwrap();
    assert_eq!(analysis.sentiment, Sentiment::Negative);
    let top = explanation.words.iter().max_by(|a, b| a.sentiment.total_cmp(&b.sentiment)).unwrap();
    assert_eq!(top.text, "terrible");
    for word in &explanation.words {
        let found: String = text.chars().skip(word.start).take(word.end - word.start).collect();
        assert_eq!(found, word.text);
    }
    // Explanations compute all layers, so the comparison must too.
    let without = engine.classify_with(vec![text.replace("terrible", "")], LayerDepth::Full).await.unwrap().remove(0);
    let lost = analysis.scores.sentiment[0] - without.scores.sentiment[0];
    assert!((top.sentiment - f64::from(lost)).abs() < 1e-4, "{} against {lost}", top.sentiment);
}

#[tokio::test]
async fn text_of_one_word_is_explained() {
    let engine = engine();
    let (analysis, explanation) = explain(&engine, "furious").await.unwrap();
    assert_eq!(analysis.emotion, Emotion::Anger);
    assert_eq!(explanation.words.len(), 1);
    assert!(explanation.words[0].emotion > 0.1, "{explanation:?}");
    let (_, nothing) = explain(&engine, "...").await.unwrap();
    assert_eq!(nothing.words.len(), 1);
    let (_, nothing) = explain(&engine, ".").await.unwrap();
    assert!(nothing.words.is_empty());
}

#[test]
fn number_of_explained_parts_is_limited_at_any_length() {
    for chars in [0, 10, 1_000, 5_000, 100_000] {
        let parts = parts_for(chars);
        assert!((MIN_PARTS..=MAX_PARTS).contains(&parts), "{chars}: {parts}");
    }
    assert_eq!((parts_for(280), parts_for(100_000)), (MAX_PARTS, MIN_PARTS));
}
