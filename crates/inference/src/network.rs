//! The network of a model. Selects the fastest implementation that supports the model.

use candle_core::Device;
use sentistream_kernels::{Format, Isa};

use super::error::{ClassifyError, LoadError};
use super::fused::{self, FusedEncoder};
use super::options::Compute;
use super::reference::ReferenceEncoder;
use super::spec::ModelSpec;
use super::weights::Weights;
use super::{DeviceChoice, Precision};

/// A loaded encoder with its heads.
pub struct Network {
    encoder: Encoder,
    precision: Precision,
}

enum Encoder {
    Fused(Box<FusedEncoder>),
    Reference(ReferenceEncoder),
}

/// Buffers that a thread reuses between batches.
pub type Scratch = fused::Scratch;

pub use fused::{Input, Outputs, Trace};

impl Network {
    /// Builds the network for the device and the precision in `compute`.
    ///
    /// # Errors
    /// When a weight is missing, or no implementation supports the device and the precision.
    pub fn load(spec: &ModelSpec, weights: &Weights, compute: impl Into<Compute>) -> Result<Self, LoadError> {
        let compute = compute.into();
        if let Some(device) = graphics_card(compute.device)? {
            let precision = match compute.precision {
                Precision::Auto => Precision::F16,
                Precision::Int8 => {
                    let reason = "precision int8 runs only on CPUs; set inference.device to cpu";
                    return Err(LoadError::Setting(reason.to_owned()));
                }
                other => other,
            };
            let encoder = Encoder::Reference(ReferenceEncoder::load_on(&device, spec, weights, precision)?);
            return Ok(Self { encoder, precision });
        }
        let isa = compute.isa.unwrap_or_else(Isa::best);
        let fits = FusedEncoder::fits(&spec.shape);
        let precision = match compute.precision {
            Precision::Auto if fits && isa.is_fast() => Precision::Int8,
            Precision::Auto => Precision::F32,
            other => other,
        };
        let format = match precision {
            Precision::Int8 if !fits => {
                let reason = "precision int8 needs heads and layers of a width that is a multiple of 16; \
                              set inference.precision to auto or f32";
                return Err(LoadError::Setting(reason.to_owned()));
            }
            Precision::Int8 => Some(Format::Int8),
            Precision::F32 if isa.is_fast() => Some(Format::F32),
            Precision::Bf16 if isa.is_fast() => Some(Format::Bf16),
            _ => None,
        };
        let encoder = match format {
            Some(format) if fits => Encoder::Fused(Box::new(FusedEncoder::load(spec, weights, (isa, format))?)),
            _ => Encoder::Reference(ReferenceEncoder::load(spec, weights, precision)?),
        };
        Ok(Self { encoder, precision })
    }

    /// The number format in use, never `Auto`.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether the network computes on a GPU.
    pub fn on_graphics_card(&self) -> bool {
        matches!(&self.encoder, Encoder::Reference(encoder) if encoder.is_on_card())
    }

    /// Whether the network has early exits. Only the fused encoder supports them.
    pub fn has_exits(&self) -> bool {
        matches!(&self.encoder, Encoder::Fused(encoder) if encoder.exits() > 0)
    }

    /// Computes the outputs of texts.
    ///
    /// # Errors
    /// When the computation fails.
    pub fn run(&self, texts: &[Input<'_>], scratch: &mut Scratch) -> Result<Outputs, ClassifyError> {
        match &self.encoder {
            Encoder::Fused(encoder) => Ok(encoder.run(texts, scratch, None)),
            Encoder::Reference(encoder) => {
                let ids: Vec<&[u32]> = texts.iter().map(|text| text.ids).collect();
                let logits = encoder.logits(&ids).map_err(|e| ClassifyError::Computation(e.to_string()))?;
                Ok(Outputs { logits, layers: vec![encoder.layers(); texts.len()] })
            }
        }
    }

    /// Computes the outputs of texts with all layers, and the outputs of all exits.
    ///
    /// # Errors
    /// When the network has no exits, or the computation fails.
    pub fn trace(&self, texts: &[Input<'_>], scratch: &mut Scratch) -> Result<(Outputs, Trace), ClassifyError> {
        match &self.encoder {
            Encoder::Fused(encoder) if encoder.exits() > 0 => {
                let mut trace = Trace::new();
                let outputs = encoder.run(texts, scratch, Some(&mut trace));
                Ok((outputs, trace))
            }
            _ => Err(ClassifyError::NoExits),
        }
    }
}

/// The GPU that `device` selects; `None` for the CPU.
fn graphics_card(device: DeviceChoice) -> Result<Option<Device>, LoadError> {
    let card = |number| {
        Device::new_cuda(number).map_err(|e| LoadError::Setting(format!("inference.device cuda:{number}: {e}")))
    };
    match device {
        DeviceChoice::Cpu => Ok(None),
        DeviceChoice::Auto if cfg!(feature = "cuda") => Ok(card(0).ok()),
        DeviceChoice::Auto => Ok(None),
        DeviceChoice::Cuda(number) if cfg!(feature = "cuda") => card(number).map(Some),
        DeviceChoice::Cuda(number) => Err(LoadError::Setting(format!(
            "inference.device is cuda:{number}, but this build does not support GPUs; \
             build it with `--features cuda`, or set inference.device to cpu"
        ))),
    }
}

#[cfg(test)]
mod tests;
