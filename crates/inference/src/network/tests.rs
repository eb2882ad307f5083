//! Compares outputs with those of the reference library (Transformers) for the same weights.

mod architectures;

use serde::Deserialize;

use super::*;
use crate::fused::tests::{SMALL_CONFIG, small_weights};
use crate::source;
use crate::tokens::TextTokenizer;
use crate::{HubOptions, ModelSource};

/// A text with its outputs in the reference library.
#[derive(Deserialize)]
struct Expected {
    text: String,
    ids: Vec<u32>,
    sentiment_logits: Vec<f32>,
    emotion_logits: Vec<f32>,
    /// The outputs by layer: sentiment, emotion, gate.
    exit_logits: std::collections::BTreeMap<String, Vec<f32>>,
}

/// The texts as inputs that are computed with all layers.
fn all_layers(texts: &[Expected]) -> Vec<Input<'_>> {
    texts.iter().map(|text| Input { ids: &text.ids, may_exit: false }).collect()
}

struct Loaded {
    tokenizer: TextTokenizer,
    network: Network,
    spec: ModelSpec,
}

fn builtin(precision: Precision) -> Loaded {
    let files = source::find(&ModelSource::Builtin, &HubOptions::default()).unwrap();
    let spec = ModelSpec::parse(&files.read("config.json").unwrap()).unwrap();
    let tokenizer =
        TextTokenizer::parse(&files.read("tokenizer.json").unwrap(), spec.max_tokens(), spec.shape.vocab_size);
    let weights = Weights::read(&files).unwrap();
    let network = Network::load(&spec, &weights, precision).unwrap();
    Loaded { tokenizer: tokenizer.unwrap(), network, spec }
}

fn expected() -> Vec<Expected> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/reference.ndjson");
    let lines = std::fs::read_to_string(path).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The largest difference between an output and the reference. All texts are in one batch.
fn largest_difference(loaded: &Loaded, expected: &[Expected]) -> f32 {
    let logits = loaded.network.run(&all_layers(expected), &mut Scratch::default()).unwrap().logits;
    // The heads are sorted by name: emotion, then sentiment.
    let wanted = expected.iter().flat_map(|text| text.emotion_logits.iter().chain(&text.sentiment_logits));
    assert_eq!(logits.len(), expected.len() * 10);
    logits.iter().zip(wanted).map(|(got, wanted)| (got - wanted).abs()).fold(0.0, f32::max)
}

#[test]
fn builtin_tokenizer_equals_reference() {
    let loaded = builtin(Precision::F32);
    for text in expected() {
        let tokens = loaded.tokenizer.encode(&text.text, 1).unwrap();
        assert_eq!(tokens.windows[0], text.ids, "{}", text.text);
    }
}

#[test]
fn f32_outputs_equal_reference() {
    let difference = largest_difference(&builtin(Precision::F32), &expected());
    assert!(difference < 1e-3, "{difference}");
}

#[test]
fn half_precision_outputs_are_near_reference() {
    for (precision, limit) in [(Precision::F16, 0.02), (Precision::Bf16, 0.15)] {
        let difference = largest_difference(&builtin(precision), &expected());
        assert!(difference < limit, "{precision}: {difference}");
    }
}

#[test]
fn int8_outputs_are_near_reference() {
    let loaded = builtin(Precision::Int8);
    let expected = expected();
    let difference = largest_difference(&loaded, &expected);
    assert!(difference < 0.6, "{difference}");
}

/// Outputs of exits must equal the reference, and each text must stop at the first exit whose gate accepts it.
#[test]
fn exit_outputs_equal_reference_and_gates_stop_texts() {
    let expected = expected();
    for (precision, limit) in [(Precision::F32, 1e-3), (Precision::Bf16, 0.3), (Precision::Int8, 1.2)] {
        let Loaded { network, spec, .. } = builtin(precision);
        let mut scratch = Scratch::default();
        let inputs: Vec<Input<'_>> = expected.iter().map(|text| Input { ids: &text.ids, may_exit: true }).collect();
        let (full, trace) = network.trace(&inputs, &mut scratch).unwrap();
        assert_eq!(full, network.run(&all_layers(&expected), &mut scratch).unwrap(), "a trace computes all layers");
        let adaptive = network.run(&inputs, &mut scratch).unwrap();
        let mut taken = Vec::new();
        for (index, (text, trace)) in expected.iter().zip(trace.chunks_exact(4 * 11)).enumerate() {
            let mut wanted = (&full.logits[index * 10..][..10], 6);
            for (exit, outputs) in spec.exits.iter().zip(trace.chunks_exact(11)).rev() {
                let reference = &text.exit_logits[&exit.layer.to_string()];
                let ordered = reference[3..10].iter().chain(&reference[..3]).chain(&reference[10..]);
                for (got, wanted) in outputs[..10].iter().zip(ordered) {
                    assert!(
                        (got - wanted).abs() < limit,
                        "{precision}, layer {}: got {got}, expected {wanted}",
                        exit.layer
                    );
                }
                let gate = 1.0 / (1.0 + (-f64::from(outputs[10])).exp());
                if gate > f64::from(exit.threshold) {
                    wanted = (&outputs[..10], exit.layer as u32);
                }
            }
            assert_eq!(&adaptive.logits[index * 10..][..10], wanted.0, "{precision}: {}", text.text);
            assert_eq!(adaptive.layers[index], wanted.1, "{precision}: {}", text.text);
            taken.push(wanted.1);
            // A text alone has the same outputs as in a batch.
            let alone = network.run(&inputs[index..=index], &mut scratch).unwrap();
            assert_eq!((alone.logits.as_slice(), alone.layers[0]), (wanted.0, wanted.1), "{precision}: {}", text.text);
        }
        assert!((2..=5).all(|layer| taken.contains(&layer)), "{precision}: {taken:?}");
    }
}

/// Candle is the fallback of the fused encoder, so it must return the same values.
#[test]
fn candle_outputs_equal_those_of_transformers() {
    let files = source::find(&ModelSource::Builtin, &HubOptions::default()).unwrap();
    let spec = ModelSpec::parse(&files.read("config.json").unwrap()).unwrap();
    let weights = Weights::read(&files).unwrap();
    let encoder = ReferenceEncoder::load(&spec, &weights, Precision::F32).unwrap();
    let expected = expected();
    let texts: Vec<&[u32]> = expected.iter().map(|text| text.ids.as_slice()).collect();
    let wanted = expected.iter().flat_map(|text| text.emotion_logits.iter().chain(&text.sentiment_logits));
    for (got, wanted) in encoder.logits(&texts).unwrap().iter().zip(wanted) {
        assert!((got - wanted).abs() < 1e-3, "got {got}, expected {wanted}");
    }
}

#[cfg(not(feature = "cuda"))]
#[test]
fn cuda_without_feature_is_an_error() {
    let spec = ModelSpec::parse(SMALL_CONFIG.as_bytes()).unwrap();
    let weights = Weights::open(small_weights(5).into()).unwrap();
    let compute = Compute { device: DeviceChoice::Cuda(1), ..Precision::Auto.into() };
    let error = Network::load(&spec, &weights, compute).err().unwrap().to_string();
    assert!(error.contains("cuda:1") && error.contains("--features cuda"), "{error}");
    let auto = Compute { device: DeviceChoice::Auto, ..Precision::Auto.into() };
    assert!(!Network::load(&spec, &weights, auto).unwrap().on_graphics_card());
}
