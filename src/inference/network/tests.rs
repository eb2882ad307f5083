use serde::Deserialize;

use super::*;
use crate::inference::ModelSource;
use crate::inference::files::ModelFiles;
use crate::inference::tokens::TextTokenizer;

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
    let files = ModelFiles::new(&ModelSource::Builtin);
    let spec = ModelSpec::parse(&files.read("config.json").unwrap()).unwrap();
    let shape = &spec.shape;
    let tokenizer =
        TextTokenizer::parse(&files.read("tokenizer.json").unwrap(), shape.max_position_embeddings, shape.vocab_size);
    let weights = Weights::open(files.read("model.safetensors").unwrap()).unwrap();
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
        let tokens = loaded.tokenizer.encode(&text.text).unwrap();
        assert_eq!(tokens.ids, text.ids, "{}", text.text);
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
fn a_text_alone_has_the_outputs_it_has_in_a_batch() {
    for precision in [Precision::F32, Precision::Auto] {
        let network = builtin(precision).network;
        let mut scratch = Scratch::default();
        let texts: Vec<Vec<u32>> = [1, 2, 3, 7, 15, 16, 17, 31, 33, 64, 65, 129, 511, 512]
            .into_iter()
            .map(|length: u32| (0..length).map(|i| 1_000 + (i * 7_919 + length * 31) % 20_000).collect())
            .collect();
        let batch: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let together = network.logits(&batch, &mut scratch).unwrap();
        for (text, together) in batch.iter().zip(together.chunks_exact(10)) {
            let alone = network.logits(&[text], &mut scratch).unwrap();
            let difference = alone.iter().zip(together).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(difference < 1e-3, "{} tokens: {difference}", text.len());
        }
        assert!(network.logits(&[], &mut scratch).unwrap().is_empty());
    }
}
