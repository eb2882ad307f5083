//! The network of a model: the fastest implementation that fits it.

use candle_core::Device;
use sentistream_kernels::{Form, Isa};

use super::fused::{self, FusedEncoder};
use super::options::Compute;
use super::reference::ReferenceEncoder;
use super::spec::ModelSpec;
use super::weights::Weights;
use super::{Place, Precision};

/// A loaded encoder with its heads.
pub struct Network {
    encoder: Encoder,
    precision: Precision,
}

enum Encoder {
    Fused(Box<FusedEncoder>),
    Reference(ReferenceEncoder),
}

/// Memory that a thread reuses from batch to batch.
pub type Scratch = fused::Scratch;

impl Network {
    /// Builds the network as `compute` says.
    ///
    /// # Errors
    /// When a weight is missing, or nothing computes this model so.
    pub fn load(spec: &ModelSpec, weights: &Weights, compute: impl Into<Compute>) -> Result<Self, String> {
        let compute = compute.into();
        if let Some(device) = graphics_card(compute.place)? {
            let precision = match compute.precision {
                Precision::Auto => Precision::F16,
                Precision::Int8 => return Err("precision int8 is for CPUs; set inference.device to cpu".to_owned()),
                other => other,
            };
            let encoder = Encoder::Reference(ReferenceEncoder::load_on(&device, spec, weights, precision)?);
            return Ok(Self { encoder, precision });
        }
        let isa = Isa::best();
        let fits = FusedEncoder::fits(&spec.shape);
        let precision = match compute.precision {
            Precision::Auto if fits && isa.is_fast() => Precision::Int8,
            Precision::Auto => Precision::F32,
            other => other,
        };
        let form = match precision {
            Precision::Int8 if !fits => {
                return Err("precision int8 needs heads and layers of a width that is a multiple of 16; \
                            set inference.precision to auto or f32"
                    .to_owned());
            }
            Precision::Int8 => Some(Form::Int8),
            Precision::F32 if isa.is_fast() => Some(Form::F32),
            Precision::Bf16 if isa.is_fast() => Some(Form::Bf16),
            _ => None,
        };
        let encoder = match form {
            Some(form) if fits => Encoder::Fused(Box::new(FusedEncoder::load(spec, weights, (isa, form))?)),
            _ => Encoder::Reference(ReferenceEncoder::load(spec, weights, precision)?),
        };
        Ok(Self { encoder, precision })
    }

    /// The number format in use, never `Auto`.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether it computes on a graphics card.
    pub fn on_graphics_card(&self) -> bool {
        matches!(&self.encoder, Encoder::Reference(encoder) if encoder.is_on_card())
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

/// The graphics card that `place` means; `None` for the CPU.
fn graphics_card(place: Place) -> Result<Option<Device>, String> {
    let card = |number| Device::new_cuda(number).map_err(|e| format!("inference.device cuda:{number}: {e}"));
    match place {
        Place::Cpu => Ok(None),
        Place::Auto if cfg!(feature = "cuda") => Ok(card(0).ok()),
        Place::Auto => Ok(None),
        Place::Cuda(number) if cfg!(feature = "cuda") => card(number).map(Some),
        Place::Cuda(number) => Err(format!(
            "inference.device is cuda:{number}, but this build cannot use graphics cards; \
             build it with `--features cuda`, or set inference.device to cpu"
        )),
    }
}

#[cfg(test)]
mod tests;
