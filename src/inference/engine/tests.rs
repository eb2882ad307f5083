use super::*;
use crate::domain::{Emotion, Sentiment};
use crate::inference::Precision;
use crate::inference::fused::tests::{SMALL_CONFIG, small_weights};
use crate::inference::network::Scratch;
use crate::inference::panel::Encoded;

fn options() -> InferenceOptions {
    // A machine that is busy with other tests takes its time.
    let max_wait = Duration::from_secs(600);
    InferenceOptions { threads: Some(2), precision: Precision::F32, max_wait, ..InferenceOptions::default() }
}

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|&text| text.to_owned()).collect()
}

#[tokio::test]
async fn texts_are_judged_in_order_for_sentiment_and_emotion() {
    let engine = Engine::load(&options()).unwrap();
    assert_eq!(engine.info().name, "sentistream-mini");
    assert_eq!(engine.info().max_tokens, 512);
    let long = "the weather is what it is ".repeat(100);
    let asked = texts(&[
        "I love this, so happy!",
        "My boss is a liar and I am furious about it",
        &long,
        "I love this, so happy!",
    ]);
    let analyses = engine.classify(asked).await.unwrap();
    let labels: Vec<_> = analyses.iter().map(|analysis| (analysis.sentiment, analysis.emotion)).collect();
    assert_eq!(labels[0], (Sentiment::Positive, Emotion::Joy));
    assert_eq!(labels[1], (Sentiment::Negative, Emotion::Anger));
    assert_eq!(analyses[0], analyses[3]);
    assert_eq!((analyses[2].tokens, analyses[2].truncated), (602, false));
    assert!(!analyses[0].truncated);
    assert_eq!(engine.classify(Vec::new()).await.unwrap(), Vec::new());
}

#[tokio::test]
async fn a_long_text_is_read_to_its_end_and_what_lies_beyond_the_windows_is_truncated() {
    // 511 tokens about nothing, of which one window holds 510, and then 88 in anger.
    let text = "the meeting is on tuesday at noon ".repeat(73) + &"I hate this terrible thing! ".repeat(13);
    let judged = async |max_windows| {
        let options = InferenceOptions { max_windows, max_wait: Duration::from_secs(300), ..options() };
        Engine::load(&options).unwrap().classify(vec![text.clone()]).await.unwrap().remove(0)
    };
    let (whole, beginning) = (judged(2).await, judged(1).await);
    assert_eq!((beginning.tokens, beginning.truncated, beginning.sentiment), (512, true, Sentiment::Neutral));
    assert!(whole.tokens > 590 && !whole.truncated, "{whole:?}");
    let negative = |analysis: &Analysis| analysis.scores.sentiment[0];
    assert!(negative(&whole) > negative(&beginning) + 0.2, "the end of a long text counts: {whole:?} {beginning:?}");
}

/// Breaks off at a certain word, as a faulty model would.
struct Faulty(Panel);

impl Judge for Faulty {
    fn encode(&self, text: &str) -> Result<Encoded, String> {
        assert!(!text.contains("unreadable"), "cannot read this");
        self.0.encode(text)
    }

    fn judge(&self, texts: &[&Encoded], scratch: &mut Scratch) -> Result<Vec<Analysis>, String> {
        let poison = self.0.encode("poison")?;
        assert!(!texts.contains(&&poison), "poisoned");
        self.0.judge(texts, scratch)
    }
}

#[tokio::test]
async fn a_text_that_breaks_the_model_fails_its_own_request_alone() {
    let panel = Panel::load(&options()).unwrap();
    let info = panel.info();
    let judge: Arc<dyn Judge> = Arc::new(Faulty(panel));
    let engine = Engine::start(&judge, info, &options()).unwrap();
    for _ in 0..10 {
        let (good, bad, unreadable, other) = tokio::join!(
            engine.classify(texts(&["a fine day", "a bad day"])),
            engine.classify(texts(&["hello", "poison"])),
            engine.classify(texts(&["unreadable"])),
            engine.classify(texts(&["one more"])),
        );
        assert_eq!(good.unwrap().len(), 2);
        assert_eq!(other.unwrap().len(), 1);
        assert!(matches!(bad, Err(InferenceError::Failed(reason)) if reason.contains("poisoned")));
        assert!(matches!(unreadable, Err(InferenceError::Failed(reason)) if reason.contains("cannot read this")));
    }
}

#[tokio::test]
async fn more_texts_than_the_queue_holds_wait_their_turn() {
    let options = InferenceOptions { max_queued_texts: 3, max_batch_tokens: 16, ..options() };
    let engine = Engine::load(&options).unwrap();
    let callers = (0..8).map(|caller| {
        let asked = (0..5).map(|text| format!("text {text} of caller {caller}")).collect();
        engine.classify(asked)
    });
    for analyses in futures_util::future::join_all(callers).await {
        assert_eq!(analyses.unwrap().len(), 5);
    }
}

#[test]
fn a_folder_without_a_model_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let options = InferenceOptions { model: folder.path().to_string_lossy().parse().unwrap(), ..options() };
    let error = Engine::load(&options).err().unwrap().to_string();
    assert!(error.contains("config.json") && error.contains(&*folder.path().to_string_lossy()), "{error}");
}

/// A tokenizer that knows a few words by heart.
const SMALL_TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
    "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "fine": 1, "bad": 2, "day": 3}, "unk_token": "[UNK]"}}"#;

#[tokio::test]
async fn a_folder_with_a_model_of_two_classes_works_beside_the_builtin_one_for_emotion() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), SMALL_CONFIG).unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), SMALL_TOKENIZER).unwrap();
    std::fs::write(folder.path().join("model.safetensors"), small_weights(3)).unwrap();
    let model: crate::inference::ModelSource = folder.path().to_string_lossy().parse().unwrap();
    for precision in [Precision::F32, Precision::Int8, Precision::F16] {
        let options = InferenceOptions { model: model.clone(), precision, ..options() };
        let engine = Engine::load(&options).unwrap();
        assert!(engine.info().name.ends_with("+sentistream-mini"), "{}", engine.info().name);
        assert_eq!(engine.info().precision, precision.as_str());
        let analyses = engine.classify(texts(&["fine day", "I love this, so happy!"])).await.unwrap();
        assert_eq!(analyses[0].tokens, 2);
        assert_eq!(analyses[1].emotion, Emotion::Joy);
        let sum: f32 = analyses[0].scores.sentiment.iter().sum();
        assert!((sum - 1.0).abs() < 1e-5);
    }
    // Of itself it judges no emotion.
    let options = InferenceOptions { emotion_model: Some(model), ..options() };
    let error = Engine::load(&options).err().unwrap().to_string();
    assert!(error.contains("no emotions"), "{error}");
}
