//! The trained weights of a model, read from safetensors.

use std::borrow::Cow;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};

use super::fused::Words;

/// An opened weight file.
pub struct Weights {
    bytes: Cow<'static, [u8]>,
    metadata: Metadata,
    /// Where the tensors begin.
    start: usize,
}

impl Weights {
    /// Opens the bytes of a safetensors file.
    ///
    /// # Errors
    /// When it is no such file.
    pub fn open(bytes: Cow<'static, [u8]>) -> Result<Self, String> {
        // This checks that every tensor lies within the file.
        let (length, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| format!("model.safetensors: {e}"))?;
        let start = length + size_of::<u64>();
        Ok(Self { bytes, metadata, start })
    }

    /// The tensor `name` as floats, which must have `shape`.
    ///
    /// # Errors
    /// When it is missing or of another shape or type.
    pub fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let info = self.info(name, shape)?;
        let values = to_floats(self.data(info), info.dtype).map_err(|reason| fail(name, reason))?;
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(fail(name, "it holds values that are not finite")),
        }
    }

    /// The embeddings `name`, which must have `shape`: as they are if they are in half precision,
    /// and then borrowed if the file is part of the binary.
    ///
    /// # Errors
    /// When it is missing or of another shape or type.
    pub fn words(&self, name: &str, shape: &[usize]) -> Result<Words, String> {
        let info = self.info(name, shape)?;
        if info.dtype != Dtype::F16 {
            return self.floats(name, shape).map(Words::F32);
        }
        let (from, to) = info.data_offsets;
        Ok(Words::F16(match &self.bytes {
            Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[self.start + from..self.start + to]),
            Cow::Owned(bytes) => Cow::Owned(bytes[self.start + from..self.start + to].to_vec()),
        }))
    }

    /// How many weights the file holds.
    pub fn count(&self) -> u64 {
        self.metadata.tensors().values().map(|info| info.shape.iter().product::<usize>() as u64).sum()
    }

    fn info(&self, name: &str, shape: &[usize]) -> Result<&TensorInfo, String> {
        let info = self.metadata.info(name).ok_or_else(|| fail(name, "it is missing"))?;
        match info.shape == shape {
            true => Ok(info),
            false => Err(fail(name, format!("its shape is {:?}, config.json asks for {shape:?}", info.shape))),
        }
    }

    fn data(&self, info: &TensorInfo) -> &[u8] {
        let (from, to) = info.data_offsets;
        &self.bytes[self.start + from..self.start + to]
    }
}

fn fail(name: &str, reason: impl std::fmt::Display) -> String {
    format!("model.safetensors: {name}: {reason}")
}

fn to_floats(data: &[u8], dtype: Dtype) -> Result<Vec<f32>, String> {
    match dtype {
        Dtype::F32 => Ok(data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()),
        Dtype::F16 => {
            let halves: Vec<f16> = data.as_chunks().0.iter().map(|&bytes| f16::from_le_bytes(bytes)).collect();
            let mut floats = vec![0.0; halves.len()];
            halves.convert_to_f32_slice(&mut floats);
            Ok(floats)
        }
        Dtype::BF16 => Ok(data.as_chunks().0.iter().map(|&bytes| bf16::from_le_bytes(bytes).to_f32()).collect()),
        other => Err(format!("weights of type {other:?} are not supported; use F32, F16 or BF16")),
    }
}
