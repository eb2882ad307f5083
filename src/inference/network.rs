//! The network of a model: the fastest implementation that fits it.

use super::Precision;
use super::reference::ReferenceEncoder;
use super::spec::ModelSpec;
use super::weights::Weights;

/// A loaded encoder with its heads.
pub struct Network {
    encoder: Encoder,
    precision: Precision,
}

enum Encoder {
    Reference(ReferenceEncoder),
}

/// Memory that a thread reuses from batch to batch.
#[derive(Default)]
pub struct Scratch {}

impl Network {
    /// Builds the network in `precision`.
    ///
    /// # Errors
    /// When a weight is missing, or nothing computes this model in that precision.
    pub fn load(spec: &ModelSpec, weights: &Weights<'_>, precision: Precision) -> Result<Self, String> {
        let precision = match precision {
            Precision::Auto | Precision::Int8 => Precision::F32,
            other => other,
        };
        Ok(Self { encoder: Encoder::Reference(ReferenceEncoder::load(spec, weights, precision)?), precision })
    }

    /// The number format in use, never `Auto`.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The outputs of all heads for each text, side by side, text after text.
    ///
    /// # Errors
    /// When the computation fails.
    pub fn logits(&self, texts: &[&[u32]], _scratch: &mut Scratch) -> Result<Vec<f32>, String> {
        match &self.encoder {
            Encoder::Reference(encoder) => encoder.logits(texts).map_err(|e| e.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
