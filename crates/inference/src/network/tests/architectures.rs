//! Tests with small random models of every architecture and file format (`scripts/make-tiny-models`).

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::*;
use crate::fused::FusedEncoder;
use crate::source;
use crate::tokens::TextTokenizer;
use crate::vocabulary;
use crate::{HubOptions, ModelSource};

/// A text with its outputs in the reference library.
#[derive(Deserialize)]
struct Expected {
    text: String,
    ids: Vec<u32>,
    logits: Vec<f32>,
}

struct Loaded {
    spec: ModelSpec,
    tokenizer: TextTokenizer,
    weights: Weights,
    expected: Vec<Expected>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/models").join(name)
}

fn load(name: &str) -> Loaded {
    let files = source::find(&ModelSource::Directory(folder(name)), &HubOptions::default()).unwrap();
    let spec = ModelSpec::parse(&files.read("config.json").unwrap()).unwrap();
    let json = vocabulary::tokenizer(&files, spec.family).unwrap();
    let tokenizer = TextTokenizer::parse(&json, spec.max_tokens(), spec.shape.vocab_size).unwrap();
    let weights = Weights::read(&files).unwrap();
    let lines = std::fs::read_to_string(folder(name).join("expected.ndjson")).unwrap();
    let expected = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Loaded { spec, tokenizer, weights, expected }
}

/// The largest difference between an output and the reference. All texts are in one batch.
fn difference(loaded: &Loaded, logits: impl Fn(&[&[u32]]) -> Vec<f32>) -> f32 {
    let texts: Vec<&[u32]> = loaded.expected.iter().map(|text| text.ids.as_slice()).collect();
    let wanted: Vec<f32> = loaded.expected.iter().flat_map(|text| text.logits.iter().copied()).collect();
    let got = logits(&texts);
    assert_eq!(got.len(), wanted.len());
    got.iter().zip(&wanted).map(|(got, wanted)| (got - wanted).abs()).fold(0.0, f32::max)
}

fn inputs<'a>(texts: &[&'a [u32]]) -> Vec<Input<'a>> {
    texts.iter().map(|ids| Input { ids, may_exit: true }).collect()
}

fn by_network(loaded: &Loaded, precision: Precision) -> f32 {
    let network = Network::load(&loaded.spec, &loaded.weights, precision).unwrap();
    difference(loaded, |texts| network.run(&inputs(texts), &mut Scratch::default()).unwrap().logits)
}

#[test]
fn outputs_of_every_architecture_equal_the_reference() {
    for name in ["distilbert", "bert", "bert-old", "roberta", "xlm-roberta"] {
        let loaded = load(name);
        for text in &loaded.expected {
            let tokens = loaded.tokenizer.encode(&text.text, 1).unwrap();
            assert_eq!(tokens.windows[0], text.ids, "{name}: {}", text.text);
        }
        // The last text is longer than the maximum input of every model, so it was truncated to this input.
        assert_eq!(loaded.expected.last().unwrap().ids.len(), loaded.spec.max_tokens(), "{name}");
        let reference = ReferenceEncoder::load(&loaded.spec, &loaded.weights, Precision::F32).unwrap();
        let off = difference(&loaded, |texts| reference.logits(texts).unwrap());
        assert!(off < 1e-4, "{name}: {off}");
        let off = by_network(&loaded, Precision::F32);
        assert!(off < 1e-4, "{name}, as it runs: {off}");
        let off = by_network(&loaded, Precision::F16);
        assert!(off < 0.02, "{name} in f16: {off}");
    }
}

#[test]
fn fused_encoder_supports_widths_that_are_multiples_of_16() {
    for (name, fits) in [("bert", true), ("roberta", true), ("xlm-roberta", false)] {
        let loaded = load(name);
        assert_eq!(FusedEncoder::fits(&loaded.spec.shape), fits, "{name}");
        if !fits {
            let error = Network::load(&loaded.spec, &loaded.weights, Precision::Int8).err().unwrap().to_string();
            assert!(error.contains("inference.precision"), "{error}");
            continue;
        }
        for isa in Isa::available() {
            for (format, allowed) in [(Format::F32, 1e-4), (Format::Bf16, 0.1), (Format::Int8, 0.2)] {
                let encoder = FusedEncoder::load(&loaded.spec, &loaded.weights, (isa, format)).unwrap();
                let off =
                    difference(&loaded, |texts| encoder.run(&inputs(texts), &mut Scratch::default(), None).logits);
                assert!(off < allowed, "{name}, {isa:?}, {format:?}: {off}");
            }
        }
    }
}

#[test]
fn damaged_weights_error_names_file() {
    for (name, file) in
        [("distilbert", "model.safetensors"), ("xlm-roberta", "pytorch_model.bin"), ("bert-old", "pytorch_model.bin")]
    {
        let whole = std::fs::read(folder(name).join(file)).unwrap();
        let cuts = (0..whole.len()).step_by(whole.len() / 40).map(|length| whole[..length].to_vec());
        for damaged in cuts.chain([b"<html>not found</html>".to_vec()]) {
            let place = tempfile::tempdir().unwrap();
            std::fs::write(place.path().join(file), &damaged).unwrap();
            let source = ModelSource::Directory(place.path().to_owned());
            let files = source::find(&source, &HubOptions::default()).unwrap();
            let error = Weights::read(&files).err();
            let error = error.unwrap_or_else(|| panic!("{name}: {} of {} bytes are read", damaged.len(), whole.len()));
            assert!(error.to_string().starts_with(file), "{error}");
        }
    }
}

#[test]
fn incomplete_folder_error_names_missing_file() {
    let place = tempfile::tempdir().unwrap();
    let source = ModelSource::Directory(place.path().to_owned());
    let files = source::find(&source, &HubOptions::default()).unwrap();
    let error = Weights::read(&files).err().unwrap().to_string();
    assert!(error.contains("model.safetensors nor pytorch_model.bin"), "{error}");
    let error = vocabulary::tokenizer(&files, crate::spec::Family::Roberta).unwrap_err().to_string();
    assert!(error.contains("tokenizer.json nor vocab.json and merges.txt, or sentencepiece.bpe.model"), "{error}");
    // An index that names a file outside the folder of the model is rejected.
    let index = br#"{"weight_map": {"a": "../../secret"}}"#;
    std::fs::write(place.path().join("model.safetensors.index.json"), index).unwrap();
    let error = Weights::read(&files).err().unwrap().to_string();
    assert!(error.contains("`../../secret`, which is not a plain file name"), "{error}");
}
