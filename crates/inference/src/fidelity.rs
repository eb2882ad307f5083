//! Checks whether a model gives the same labels with int8 as with f32.
//!
//! Most models keep their quality with int8, but not all. With `precision = "auto"`, the int8 and f32 labels of sample
//! texts are compared when a model is loaded. If too few labels agree, the fastest other precision is used.

use sentistream_kernels::Isa;

use super::Precision;
use super::error::{ClassifyError, LoadError};
use super::labels::HeadMap;
use super::network::{Input, Network, Scratch};
use super::options::Compute;
use super::spec::ModelSpec;
use super::tokens::TextTokenizer;
use super::weights::Weights;

/// Posts of many kinds, one per line.
const SAMPLES: &str = include_str!("fidelity/samples.txt");
/// The minimum share of labels that must agree.
const MIN_AGREEMENT: f64 = 0.98;

/// A model whose precision is to be selected.
pub struct Candidate<'a> {
    /// The name of the model in the log.
    pub name: &'a str,
    /// The structure of the model, from its config.
    pub spec: &'a ModelSpec,
    /// The heads of the model, in the order of `spec.heads`.
    pub heads: &'a [HeadMap],
    /// The tokenizer of the model.
    pub tokenizer: &'a TextTokenizer,
    /// The weights, from which a network of another precision is loaded.
    pub weights: &'a Weights,
    /// The device and the instruction set of the networks. The field `precision` is not used.
    pub compute: Compute,
}

/// The selected network and the result of the check.
pub struct Checked {
    /// The network in the selected precision.
    pub network: Network,
    /// The share of sample texts that get the same labels with int8 as with f32.
    pub agreement: f64,
}

impl Candidate<'_> {
    /// Returns the network `int8` if its labels agree with f32, otherwise a network of the fastest other precision.
    ///
    /// # Errors
    /// When a network cannot be loaded or fails.
    pub fn check(&self, int8: Network) -> Result<Checked, LoadError> {
        let exact = self.load(Precision::F32)?;
        let agreement = self.agreement(&int8, &exact)?;
        let isa = self.compute.isa.unwrap_or_else(Isa::best);
        let network = match agreement >= MIN_AGREEMENT {
            true => int8,
            false if isa.has_halves() => self.load(Precision::Bf16)?,
            false => exact,
        };
        let (name, precision) = (self.name, network.precision().as_str());
        if agreement >= MIN_AGREEMENT {
            tracing::info!(model = name, agreement, precision, "int8 check passed");
        } else {
            tracing::warn!(model = name, agreement, precision, "int8 changes too many labels, using another precision");
        }
        Ok(Checked { network, agreement })
    }

    fn load(&self, precision: Precision) -> Result<Network, LoadError> {
        Network::load(self.spec, self.weights, Compute { precision, ..self.compute })
    }

    /// The share of sample texts for which all heads of both networks select the same class.
    fn agreement(&self, one: &Network, other: &Network) -> Result<f64, ClassifyError> {
        let tokens = SAMPLES.lines().map(|text| self.tokenizer.encode(text, 1)).collect::<Result<Vec<_>, _>>()?;
        let inputs: Vec<Input<'_>> =
            tokens.iter().map(|tokens| Input { ids: &tokens.windows[0], may_exit: true }).collect();
        let mut scratch = Scratch::default();
        let outputs = self.spec.outputs();
        let (one, other) = (one.run(&inputs, &mut scratch)?.logits, other.run(&inputs, &mut scratch)?.logits);
        let pairs = one.chunks_exact(outputs).zip(other.chunks_exact(outputs));
        let same = pairs.filter(|(one, other)| self.labels(one) == self.labels(other)).count();
        Ok(same as f64 / inputs.len() as f64)
    }

    /// The class of the largest score of each head.
    fn labels(&self, logits: &[f32]) -> Vec<usize> {
        let mut rest = logits;
        let label = |(head, classes): (&HeadMap, usize)| {
            let (own, others) = rest.split_at(classes);
            rest = others;
            head.top(own)
        };
        self.heads.iter().zip(self.spec.heads.iter().map(|head| head.classes.len())).map(label).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::fused::tests::{SMALL_CONFIG, small_weights};
    use crate::labels::Labelling;

    const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "the": 1, "I": 2, "is": 3, "a": 4,
        "and": 5, "in": 6, "to": 7, "my": 8, "was": 9, "it": 10, "The": 11, "not": 12, ".": 13, "!": 14, ",": 15}}}"#;

    #[test]
    fn int8_with_different_labels_is_replaced_by_another_precision() {
        let spec = ModelSpec::parse(SMALL_CONFIG.as_bytes()).unwrap();
        let tokenizer = TextTokenizer::parse(TOKENIZER.as_bytes(), 512, 50).unwrap();
        let heads =
            [HeadMap::new(&spec.heads[0], Labelling { labels: &BTreeMap::new(), neutral_margin: 0.0 }).unwrap()];
        let weights = Weights::open(small_weights(3).into()).unwrap();
        let compute = Compute::from(Precision::Auto);
        let candidate =
            Candidate { name: "small", spec: &spec, heads: &heads, tokenizer: &tokenizer, weights: &weights, compute };
        let int8 = |seed| {
            let weights = Weights::open(small_weights(seed).into()).unwrap();
            Network::load(&spec, &weights, Precision::Int8).unwrap()
        };
        let good = candidate.check(int8(3)).unwrap();
        assert_eq!((good.network.precision(), good.agreement >= MIN_AGREEMENT), (Precision::Int8, true));
        // A network with other weights simulates a network whose labels int8 changes too often.
        let bad: Vec<Checked> = (4..12).map(|seed| candidate.check(int8(seed)).unwrap()).collect();
        let lost: Vec<&Checked> = bad.iter().filter(|checked| checked.agreement < MIN_AGREEMENT).collect();
        assert!(!lost.is_empty());
        assert!(lost.iter().all(|checked| checked.network.precision() != Precision::Int8));
    }
}
