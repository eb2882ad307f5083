//! The trained weights of a model, read from safetensors.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

/// An opened weight file.
pub struct Weights<'a> {
    file: SafeTensors<'a>,
}

impl<'a> Weights<'a> {
    /// Opens the bytes of a safetensors file.
    ///
    /// # Errors
    /// When it is no such file.
    pub fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| format!("model.safetensors: {e}"))?;
        Ok(Self { file })
    }

    /// The tensor `name` as floats, which must have `shape`.
    ///
    /// # Errors
    /// When it is missing or of another shape or type.
    pub fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let fail = |reason: String| format!("model.safetensors: {name}: {reason}");
        let tensor = self.file.tensor(name).map_err(|e| fail(e.to_string()))?;
        if tensor.shape() != shape {
            return Err(fail(format!("its shape is {:?}, config.json asks for {shape:?}", tensor.shape())));
        }
        let values = to_floats(tensor.data(), tensor.dtype()).map_err(fail)?;
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(fail("it holds values that are not finite".to_owned())),
        }
    }

    /// How many weights the file holds.
    pub fn count(&self) -> u64 {
        self.file.iter().map(|(_, tensor)| tensor.shape().iter().product::<usize>() as u64).sum()
    }
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
