//! Outputs against those that the reference library computes from the same weights.

mod architectures;

use serde::Deserialize;

use super::*;
use crate::inference::files::ModelFiles;
use crate::inference::fused::tests::{SMALL_CONFIG, small_weights};
use crate::inference::tokens::TextTokenizer;
use crate::inference::{HubOptions, ModelSource};

/// A text with what the reference library makes of it from the same weights.
#[derive(Deserialize)]
struct Expected {
    text: String,
    ids: Vec<u32>,
    sentiment_logits: Vec<f32>,
    emotion_logits: Vec<f32>,
}

struct Loaded {
    tokenizer: TextTokenizer,
    network: Network,
}

fn builtin(precision: Precision) -> Loaded {
    let files = ModelFiles::find(&ModelSource::Builtin, &HubOptions::default()).unwrap();
    let spec = ModelSpec::parse(&files.read("config.json").unwrap()).unwrap();
    let tokenizer =
        TextTokenizer::parse(&files.read("tokenizer.json").unwrap(), spec.max_tokens(), spec.shape.vocab_size);
    let weights = Weights::read(&files).unwrap();
    let network = Network::load(&spec, &weights, precision).unwrap();
    Loaded { tokenizer: tokenizer.unwrap(), network }
}

fn expected() -> Vec<Expected> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/reference.ndjson");
    let lines = std::fs::read_to_string(path).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The largest difference of an output from the reference, all texts in one batch.
fn largest_difference(loaded: &Loaded, expected: &[Expected]) -> f32 {
    let texts: Vec<&[u32]> = expected.iter().map(|text| text.ids.as_slice()).collect();
    let logits = loaded.network.logits(&texts, &mut Scratch::default()).unwrap();
    // Heads stand in the order of their names: emotion, sentiment.
    let wanted = expected.iter().flat_map(|text| text.emotion_logits.iter().chain(&text.sentiment_logits));
    assert_eq!(logits.len(), expected.len() * 10);
    logits.iter().zip(wanted).map(|(got, wanted)| (got - wanted).abs()).fold(0.0, f32::max)
}

#[test]
fn texts_have_the_ids_of_the_reference() {
    let loaded = builtin(Precision::F32);
    for text in expected() {
        let tokens = loaded.tokenizer.encode(&text.text, 1).unwrap();
        assert_eq!(tokens.windows[0], text.ids, "{}", text.text);
    }
}

#[test]
fn f32_outputs_equal_the_reference() {
    let difference = largest_difference(&builtin(Precision::F32), &expected());
    assert!(difference < 1e-3, "{difference}");
}

#[test]
fn half_precision_outputs_stay_near_the_reference() {
    for (precision, limit) in [(Precision::F16, 0.02), (Precision::Bf16, 0.15)] {
        let difference = largest_difference(&builtin(precision), &expected());
        assert!(difference < limit, "{precision}: {difference}");
    }
}

#[test]
fn int8_outputs_stay_near_the_reference() {
    let loaded = builtin(Precision::Int8);
    let expected = expected();
    let difference = largest_difference(&loaded, &expected);
    assert!(difference < 0.6, "{difference}");
}

/// Candle's path is what the fused one falls back to, so it is held to the same values.
#[test]
fn candle_outputs_equal_the_reference() {
    let files = ModelFiles::find(&ModelSource::Builtin, &HubOptions::default()).unwrap();
    let spec = ModelSpec::parse(&files.read("config.json").unwrap()).unwrap();
    let weights = Weights::read(&files).unwrap();
    let encoder = ReferenceEncoder::load(&spec, &weights, Precision::F32).unwrap();
    let expected = expected();
    let texts: Vec<&[u32]> = expected.iter().map(|text| text.ids.as_slice()).collect();
    let wanted = expected.iter().flat_map(|text| text.emotion_logits.iter().chain(&text.sentiment_logits));
    for (got, wanted) in encoder.logits(&texts).unwrap().iter().zip(wanted) {
        assert!((got - wanted).abs() < 1e-3, "{got} for {wanted}");
    }
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_graphics_card_that_this_build_cannot_use_is_refused_with_what_to_do() {
    let spec = ModelSpec::parse(SMALL_CONFIG.as_bytes()).unwrap();
    let weights = Weights::open(small_weights(5).into()).unwrap();
    let compute = Compute { precision: Precision::Auto, place: Place::Cuda(1) };
    let error = Network::load(&spec, &weights, compute).err().unwrap();
    assert!(error.contains("cuda:1") && error.contains("--features cuda"), "{error}");
    let auto = Compute { precision: Precision::Auto, place: Place::Auto };
    assert!(!Network::load(&spec, &weights, auto).unwrap().on_graphics_card());
}
