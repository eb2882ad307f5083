use std::collections::HashMap;

use candle_core::{Device, Tensor};
use sentistream_kernels::Isa;

use super::*;
use crate::Precision;
use crate::reference::ReferenceEncoder;
use crate::spec::ModelSpec;
use crate::weights::Weights;

/// A pseudo-random number generator with a fixed seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn floats(&mut self, count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|_| (self.next() as f32 / (1u64 << 30) as f32 - 1.0) * scale).collect()
    }
}

/// The config of a small model with two classes.
pub const SMALL_CONFIG: &str = r#"{"model_type": "distilbert", "vocab_size": 50, "max_position_embeddings": 512, "dim": 64,
        "n_layers": 3, "n_heads": 2, "hidden_dim": 112, "activation": "gelu",
        "id2label": {"0": "NEGATIVE", "1": "POSITIVE"}}"#;

/// Random weights for the model of [`SMALL_CONFIG`], in the format of a weights file.
pub fn small_weights(seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut tensors = HashMap::new();
    let mut add = |name: &str, shape: &[usize], scale: f32| {
        let values = numbers.floats(shape.iter().product(), scale);
        tensors.insert(name.to_owned(), Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
    };
    add("distilbert.embeddings.word_embeddings.weight", &[50, 64], 1.0);
    add("distilbert.embeddings.position_embeddings.weight", &[512, 64], 0.5);
    let mut norms = vec!["distilbert.embeddings.LayerNorm".to_owned()];
    let mut linears = vec![("pre_classifier".to_owned(), 64, 64), ("classifier".to_owned(), 2, 64)];
    for layer in 0..3 {
        let at = |name: &str| format!("distilbert.transformer.layer.{layer}.{name}");
        norms.extend([at("sa_layer_norm"), at("output_layer_norm")]);
        linears.extend(["q_lin", "k_lin", "v_lin", "out_lin"].map(|name| (at(&format!("attention.{name}")), 64, 64)));
        linears.extend([(at("ffn.lin1"), 112, 64), (at("ffn.lin2"), 64, 112)]);
    }
    for norm in norms {
        add(&format!("{norm}.weight"), &[64], 1.0);
        add(&format!("{norm}.bias"), &[64], 0.3);
    }
    for (linear, outputs, inputs) in linears {
        add(&format!("{linear}.weight"), &[outputs, inputs], 0.2);
        add(&format!("{linear}.bias"), &[outputs], 0.2);
    }
    safetensors::serialize(&tensors, None).unwrap()
}

#[test]
fn fused_encoder_equals_reference_at_any_length() {
    let spec = ModelSpec::parse(SMALL_CONFIG.as_bytes()).unwrap();
    let weights = Weights::open(small_weights(7).into()).unwrap();
    let reference = ReferenceEncoder::load(&spec, &weights, Precision::F32).unwrap();
    let mut numbers = Numbers(11);
    // There are more texts than the last layer computes at once.
    let lengths = [1, 2, 3, 15, 16, 17, 31, 47, 48, 49, 64, 95, 97, 200, 511, 512, 1, 5, 4, 3, 2, 6, 7, 8, 9, 1, 12];
    let texts: Vec<Vec<u32>> =
        lengths.iter().map(|&length| (0..length).map(|_| (numbers.next() % 50) as u32).collect()).collect();
    let batch: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let inputs: Vec<Input<'_>> = batch.iter().map(|ids| Input { ids, may_exit: true }).collect();
    let wanted = reference.logits(&batch).unwrap();
    for isa in Isa::available() {
        for (format, allowed) in [(Format::F32, 1e-4), (Format::Bf16, 0.03), (Format::Int8, 0.08)] {
            let encoder = FusedEncoder::load(&spec, &weights, (isa, format)).unwrap();
            let mut scratch = Scratch::default();
            assert!(encoder.run(&[], &mut scratch, None).logits.is_empty());
            let got = encoder.run(&inputs, &mut scratch, None).logits;
            assert_eq!(got.len(), wanted.len());
            for (index, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
                let length = lengths[index / 2];
                assert!(
                    (got - wanted).abs() < allowed,
                    "{isa:?} {format:?}, {length} tokens: got {got}, expected {wanted}"
                );
            }
            // A text alone has the same outputs, although a larger batch has used the same memory.
            for (text, all) in inputs.iter().zip(got.chunks_exact(2)) {
                let alone = encoder.run(&[*text], &mut scratch, None).logits;
                assert_eq!(alone, all, "{isa:?} {format:?}, {} tokens", text.ids.len());
            }
        }
    }
}

#[test]
fn scratch_memory_is_released_after_a_large_batch_only() {
    let spec = ModelSpec::parse(SMALL_CONFIG.as_bytes()).unwrap();
    let weights = Weights::open(small_weights(7).into()).unwrap();
    let encoder = FusedEncoder::load(&spec, &weights, (Isa::best(), Format::F32)).unwrap();
    let ids = vec![1; 512];
    let mut scratch = Scratch::default();
    let run = |texts: usize, scratch: &mut Scratch| {
        encoder.run(&vec![Input { ids: &ids, may_exit: true }; texts], scratch, None);
        scratch.shrink();
        scratch.tokens.capacity()
    };
    assert!(run(1, &mut scratch) > 0, "the memory of a usual batch is kept");
    assert_eq!(run(8, &mut scratch), 0, "the memory of a large batch is released");
    assert!(run(1, &mut scratch) > 0, "the next batch can be computed");
}
