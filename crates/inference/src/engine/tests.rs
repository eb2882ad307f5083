use super::*;
use crate::error::ClassifyError;
use crate::fused::tests::{SMALL_CONFIG, small_weights};
use crate::network::Scratch;
use crate::panel::Encoded;
use crate::{ExitPolicy, Precision};
use sentistream_core::domain::{Emotion, Sentiment};

fn options() -> InferenceOptions {
    // The wait is long because other tests may use all cores for minutes.
    let max_wait = Duration::from_secs(600);
    InferenceOptions { threads: Some(2), precision: Precision::F32, max_wait, ..InferenceOptions::default() }
}

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|&text| text.to_owned()).collect()
}

#[tokio::test]
async fn classify_returns_analyses_in_order() {
    let engine = Engine::load(&options()).unwrap();
    assert_eq!(engine.info().name, "sentistream-mini");
    assert_eq!(engine.info().max_tokens, 512);
    let long = "the weather is what it is ".repeat(250);
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
    assert!(analyses[2].tokens > 512 && !analyses[2].truncated, "{:?}", analyses[2]);
    assert!(!analyses[0].truncated);
    assert_eq!(engine.classify(Vec::new()).await.unwrap(), Vec::new());
}

#[tokio::test]
async fn text_longer_than_all_windows_is_truncated() {
    // The neutral tokens do not fit into one window. Together with the angry tokens they fit into two windows.
    let text = "the meeting is on tuesday at noon ".repeat(110) + &"I hate this terrible thing! ".repeat(30);
    let analyses = async |max_windows| {
        let options = InferenceOptions { max_windows, max_wait: Duration::from_secs(300), ..options() };
        Engine::load(&options).unwrap().classify(vec![text.clone()]).await.unwrap().remove(0)
    };
    let (whole, beginning) = (analyses(2).await, analyses(1).await);
    assert_eq!((beginning.tokens, beginning.truncated, beginning.sentiment), (512, true, Sentiment::Neutral));
    assert!(whole.tokens > 512 && !whole.truncated, "{whole:?}");
    let negative = |analysis: &Analysis| analysis.scores.sentiment[0];
    assert!(
        negative(&whole) > negative(&beginning) + 0.2,
        "the end of a long text must count: {whole:?} {beginning:?}"
    );
}

#[tokio::test]
async fn text_longer_than_a_post_is_truncated_and_reported() {
    let engine = Engine::load(&options()).unwrap();
    // Each of these texts is a single word, and therefore a single token.
    let analyses = engine.classify(vec!["a".repeat(99_999), "a".repeat(150_000)]).await.unwrap();
    assert_eq!(analyses.iter().map(|analysis| analysis.truncated).collect::<Vec<_>>(), [false, true]);
}

/// A faulty model: it panics if a text contains a certain word.
struct Faulty(Panel);

impl BatchClassifier for Faulty {
    fn encode(&self, text: &str) -> Result<Encoded, ClassifyError> {
        assert!(!text.contains("unreadable"), "cannot read this");
        self.0.encode(text)
    }

    fn classify(&self, texts: &[&Encoded], scratch: &mut Scratch) -> Result<Vec<Analysis>, ClassifyError> {
        let poison = self.0.encode("poison")?;
        assert!(!texts.contains(&&poison), "poisoned");
        self.0.classify(texts, scratch)
    }
}

#[tokio::test]
async fn panicking_text_fails_only_its_request() {
    let panel = Panel::load(&options()).unwrap();
    let info = panel.info();
    let classifier: Arc<dyn BatchClassifier> = Arc::new(Faulty(panel));
    let engine = Engine::start(&classifier, info, &options()).unwrap();
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

/// A model that blocks at a text with a certain word until the test releases it.
struct Stuck {
    panel: Panel,
    released: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
}

impl BatchClassifier for Stuck {
    fn encode(&self, text: &str) -> Result<Encoded, ClassifyError> {
        self.panel.encode(text)
    }

    fn classify(&self, texts: &[&Encoded], scratch: &mut Scratch) -> Result<Vec<Analysis>, ClassifyError> {
        if texts.contains(&&self.panel.encode("endless")?) {
            // `recv` returns when the test drops the sender.
            let _ = self.released.lock().unwrap().recv();
        }
        self.panel.classify(texts, scratch)
    }
}

#[tokio::test]
async fn text_computed_beyond_max_wait_is_too_slow() {
    let panel = Panel::load(&options()).unwrap();
    let info = panel.info();
    let (release, released) = std::sync::mpsc::sync_channel(0);
    let classifier: Arc<dyn BatchClassifier> = Arc::new(Stuck { panel, released: released.into() });
    let options = InferenceOptions { threads: Some(1), max_wait: Duration::from_secs(2), ..options() };
    let engine = Engine::start(&classifier, info, &options).unwrap();
    let slow = engine.classify(texts(&["endless"])).await;
    assert!(matches!(slow, Err(InferenceError::TooSlow(_))), "{slow:?}");
    // A text that waits behind the blocked text gets the error of a busy engine.
    let waiting = engine.classify(texts(&["a fine day"])).await;
    assert!(matches!(waiting, Err(InferenceError::Unavailable(_))), "{waiting:?}");
    drop(release);
}

#[tokio::test]
async fn full_queue_delays_callers_without_errors() {
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

/// Texts of various lengths, so that many stop at each exit.
fn varied(count: usize) -> Vec<String> {
    let parts =
        ["I love this phone", "the bus was late again", "why would anyone", "so happy!!", "it is what it is", "ugh"];
    (0..count)
        .map(|n| (0..1 + n % 7).map(|word| parts[(n * 5 + word * n) % parts.len()]).collect::<Vec<_>>().join(" "))
        .collect()
}

#[tokio::test]
async fn disabled_exits_give_the_same_analyses_as_full_depth() {
    for precision in [Precision::F32, Precision::Int8] {
        let options = InferenceOptions { precision, ..options() };
        let adaptive = Engine::load(&options).unwrap();
        assert_eq!((adaptive.info().layers, adaptive.info().exits.as_slice()), (6, [2, 3, 4, 5].as_slice()));
        let off = Engine::load(&InferenceOptions { exits: ExitPolicy::Off, ..options.clone() }).unwrap();
        assert!(off.info().exits.is_empty());
        let texts = varied(60);
        let full = adaptive.classify_with(texts.clone(), LayerDepth::Full).await.unwrap();
        assert_eq!(full, off.classify(texts.clone()).await.unwrap(), "{precision}");
        assert!(full.iter().all(|analysis| analysis.layers == Some(6)));
        let some = adaptive.classify(texts).await.unwrap();
        assert!(some.iter().any(|analysis| analysis.layers < Some(5)), "{precision}");
        assert!(adaptive.speed().unwrap().mean_layers.unwrap() < 6.0);
    }
}

#[tokio::test]
async fn analysis_is_independent_of_its_batch_and_of_the_cache() {
    for precision in [Precision::F32, Precision::Int8] {
        let options = InferenceOptions { precision, max_batch_tokens: 4_096, ..options() };
        let engine = Engine::load(&options).unwrap();
        let uncached =
            Engine::load(&InferenceOptions { answer_cache_bytes: 0, max_batch_tokens: 16, ..options }).unwrap();
        let texts = varied(200);
        let together = engine.classify(texts.clone()).await.unwrap();
        let small = uncached.classify(texts.clone()).await.unwrap();
        assert_eq!(together, small, "{precision}");
        assert_eq!(together, engine.classify(texts.clone()).await.unwrap(), "{precision}, from the cache");
        let speed = engine.speed().unwrap();
        assert!(speed.cached > 0.4, "{speed:?}");
        // Links and mentions are replaced before tokenising, so these texts have the same tokens.
        let copies = ["so happy!! https://a.example/1 @ada", "so happy!! https://b.example/2 @bob"];
        let both = engine.classify(copies.map(str::to_owned).to_vec()).await.unwrap();
        assert_eq!(both[0], both[1]);
    }
}

#[test]
fn exit_threshold_of_unknown_layer_is_a_setting_error() {
    let options = InferenceOptions { exit_thresholds: [(1, 0.9)].into(), ..options() };
    let error = Engine::load(&options).err().unwrap();
    assert!(matches!(&error, InferenceError::Setting { reason, .. } if reason.contains("2, 3, 4, 5")), "{error}");
}

#[test]
fn empty_model_folder_error_names_path() {
    let folder = tempfile::tempdir().unwrap();
    let options = InferenceOptions { model: folder.path().to_string_lossy().parse().unwrap(), ..options() };
    let error = Engine::load(&options).err().unwrap().to_string();
    assert!(error.contains("config.json") && error.contains(&*folder.path().to_string_lossy()), "{error}");
}

/// A tokenizer whose vocabulary contains a few words.
const SMALL_TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
    "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "fine": 1, "bad": 2, "day": 3}, "unk_token": "[UNK]"}}"#;

#[tokio::test]
async fn two_class_model_uses_builtin_for_emotion() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), SMALL_CONFIG).unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), SMALL_TOKENIZER).unwrap();
    std::fs::write(folder.path().join("model.safetensors"), small_weights(3)).unwrap();
    let model: crate::ModelSource = folder.path().to_string_lossy().parse().unwrap();
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
    // A model without an emotion head cannot be the emotion model.
    let options = InferenceOptions { emotion_model: Some(model), ..options() };
    let error = Engine::load(&options).err().unwrap().to_string();
    assert!(error.contains("not emotions"), "{error}");
}
