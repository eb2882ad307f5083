//! The network of a model: the fastest implementation that fits it.

use super::Precision;
use super::fused::{self, FusedEncoder};
use super::reference::ReferenceEncoder;
use super::simd::Isa;
use super::spec::ModelSpec;
use super::weights::Weights;

/// A loaded encoder with its heads.
pub struct Network {
    encoder: Encoder,
    precision: Precision,
}

enum Encoder {
    Fused(FusedEncoder),
    Reference(ReferenceEncoder),
}

/// Memory that a thread reuses from batch to batch.
pub type Scratch = fused::Scratch;

impl Network {
    /// Builds the network in `precision`.
    ///
    /// # Errors
    /// When a weight is missing, or nothing computes this model in that precision.
    pub fn load(spec: &ModelSpec, weights: &Weights, precision: Precision) -> Result<Self, String> {
        let isa = Isa::best();
        let fits = FusedEncoder::fits(&spec.shape);
        let precision = match precision {
            Precision::Auto if fits && isa.is_fast() => Precision::Int8,
            Precision::Auto => Precision::F32,
            other => other,
        };
        let encoder = match precision {
            Precision::Int8 if fits => Encoder::Fused(FusedEncoder::load(spec, weights, (isa, true))?),
            Precision::Int8 => {
                return Err("precision int8 needs heads and layers of a width that is a multiple of 16; \
                            set inference.precision to auto or f32"
                    .to_owned());
            }
            Precision::F32 if fits && isa.is_fast() => Encoder::Fused(FusedEncoder::load(spec, weights, (isa, false))?),
            _ => Encoder::Reference(ReferenceEncoder::load(spec, weights, precision)?),
        };
        Ok(Self { encoder, precision })
    }

    /// The number format in use, never `Auto`.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The outputs of all heads for each text, side by side, text after text.
    ///
    /// # Errors
    /// When the computation fails.
    pub fn logits(&self, texts: &[&[u32]], scratch: &mut Scratch) -> Result<Vec<f32>, String> {
        match &self.encoder {
            Encoder::Fused(encoder) => Ok(encoder.logits(texts, scratch)),
            Encoder::Reference(encoder) => encoder.logits(texts).map_err(|e| e.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
