//! The names of the weights of each architecture, and the activation of its head.

use super::error::LoadError;
use super::spec::{Family, ModelSpec};
use super::weights::Weights;

/// The names of the weights of an architecture.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    family: Family,
}

/// A part of a layer that has weights.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// The queries of the attention.
    Query,
    /// The keys of the attention.
    Key,
    /// The values of the attention.
    Value,
    /// The output projection of the attention.
    Out,
    /// The normalisation after the attention.
    AttentionNorm,
    /// The first layer of the feed-forward part.
    Widen,
    /// The second layer of the feed-forward part.
    Narrow,
    /// The normalisation after the feed-forward part.
    OutputNorm,
}

/// The activation between the two linear layers of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadActivation {
    /// ReLU: the larger of the value and zero.
    Relu,
    /// The hyperbolic tangent.
    Tanh,
}

impl HeadActivation {
    /// Applies the activation to values in place.
    pub fn apply(self, values: &mut [f32]) {
        match self {
            Self::Relu => values.iter_mut().for_each(|value| *value = value.max(0.0)),
            Self::Tanh => values.iter_mut().for_each(|value| *value = value.tanh()),
        }
    }
}

/// The activation between the two linear layers of an exit.
pub const EXIT_ACTIVATION: HeadActivation = HeadActivation::Relu;

/// The names of the weights of early exits.
pub mod exit {
    /// The names of the two linear layers of the exit after `layer`, counted from 1.
    pub fn names(layer: usize) -> [String; 2] {
        ["pre_classifier", "classifier"].map(|name| format!("exits.{layer}.{name}"))
    }
}

impl Layout {
    /// The layout of an architecture.
    pub fn of(family: Family) -> Self {
        Self { family }
    }

    fn root(self) -> &'static str {
        match self.family {
            Family::DistilBert => "distilbert",
            Family::Bert => "bert",
            Family::Roberta => "roberta",
        }
    }

    /// The name of the word embeddings.
    pub fn words(self) -> String {
        format!("{}.embeddings.word_embeddings.weight", self.root())
    }

    /// The prefix of the names of the normalisation of the embeddings.
    pub fn embedding_norm(self) -> String {
        format!("{}.embeddings.LayerNorm", self.root())
    }

    /// The prefix of the names of a part of layer `index`.
    pub fn layer(self, index: usize, part: Part) -> String {
        let root = self.root();
        if self.family == Family::DistilBert {
            let name = match part {
                Part::Query => "attention.q_lin",
                Part::Key => "attention.k_lin",
                Part::Value => "attention.v_lin",
                Part::Out => "attention.out_lin",
                Part::AttentionNorm => "sa_layer_norm",
                Part::Widen => "ffn.lin1",
                Part::Narrow => "ffn.lin2",
                Part::OutputNorm => "output_layer_norm",
            };
            return format!("{root}.transformer.layer.{index}.{name}");
        }
        let name = match part {
            Part::Query => "attention.self.query",
            Part::Key => "attention.self.key",
            Part::Value => "attention.self.value",
            Part::Out => "attention.output.dense",
            Part::AttentionNorm => "attention.output.LayerNorm",
            Part::Widen => "intermediate.dense",
            Part::Narrow => "output.dense",
            Part::OutputNorm => "output.LayerNorm",
        };
        format!("{root}.encoder.layer.{index}.{name}")
    }

    /// The prefixes of the names of the two linear layers of a head. `prefix` is the prefix of the head.
    pub fn head(self, prefix: &str) -> [String; 2] {
        let [hidden, classes] = match self.family {
            Family::DistilBert => ["pre_classifier", "classifier"],
            Family::Bert => ["bert.pooler.dense", "classifier"],
            Family::Roberta => ["classifier.dense", "classifier.out_proj"],
        };
        [format!("{prefix}{hidden}"), format!("{prefix}{classes}")]
    }

    /// The activation between the two linear layers of a head.
    pub fn head_activation(self) -> HeadActivation {
        match self.family {
            Family::DistilBert => HeadActivation::Relu,
            Family::Bert | Family::Roberta => HeadActivation::Tanh,
        }
    }

    /// The vectors that are added to the word embeddings, one per position. A vector is the position embedding plus, if
    /// the architecture has token types, the embedding of the first token type.
    ///
    /// # Errors
    /// When a weight is missing, or has another shape or an unsupported type.
    pub fn positions(self, spec: &ModelSpec, weights: &Weights) -> Result<Vec<f32>, LoadError> {
        let dim = spec.shape.dim;
        let table = format!("{}.embeddings.position_embeddings.weight", self.root());
        let mut positions = weights.floats(&table, &[spec.shape.max_position_embeddings, dim])?;
        positions.drain(..spec.first_position * dim);
        if self.family != Family::DistilBert {
            let types = weights.rows(&format!("{}.embeddings.token_type_embeddings.weight", self.root()), dim)?;
            for position in positions.chunks_exact_mut(dim) {
                position.iter_mut().zip(&types).for_each(|(value, kind)| *value += kind);
            }
        }
        Ok(positions)
    }
}
