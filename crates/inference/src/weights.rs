//! Reads the trained weights of a model from safetensors files or PyTorch checkpoints.

mod pickle;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};
use sentistream_kernels::{Words, release_file_pages};
use serde::Deserialize;

use super::error::LoadError;
use super::files::ModelFiles;

const SAFETENSORS: &str = "model.safetensors";
const PICKLE: &str = "pytorch_model.bin";
/// The maximum size of the list of tensors, in bytes. The limit is needed because an entry has about 100 bytes in the
/// file, but takes much more memory after parsing. Known models have fewer than 2,000 tensors.
const MAX_HEADER_BYTES: u64 = 4 << 20;

/// Opened weight files.
pub struct Weights {
    parts: Vec<Part>,
}

enum Part {
    Safetensors {
        file: String,
        bytes: Cow<'static, [u8]>,
        metadata: Metadata,
        /// The offset of the tensors in the file.
        start: usize,
    },
    Pickle {
        file: String,
        tensors: HashMap<String, Values>,
    },
}

/// A tensor of a checkpoint, in memory.
struct Values {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// A tensor, and the part that contains it.
struct Found<'a> {
    part: &'a Part,
    name: String,
}

impl Weights {
    /// Opens the weights of a model, in any supported format.
    ///
    /// # Errors
    /// When the model has no weight files, or a file cannot be read or has another format.
    pub fn read(files: &ModelFiles) -> Result<Self, LoadError> {
        let names = weight_files(files)?;
        let parts = names.into_iter().map(|file| {
            if file.ends_with(".bin") {
                let path = files.regular(&file)?.ok_or_else(|| format!("{file} cannot be read from the binary"))?;
                let tensors = pickle::read(&path).map_err(|error| error.of_file(&file))?;
                return Ok(Part::Pickle { file, tensors });
            }
            let bytes = files.read(&file)?;
            Part::safetensors(file, bytes)
        });
        Ok(Self { parts: parts.collect::<Result<_, LoadError>>()? })
    }

    /// Opens the content of a safetensors file.
    ///
    /// # Errors
    /// When the content has another format.
    #[cfg(test)]
    pub fn open(bytes: Cow<'static, [u8]>) -> Result<Self, LoadError> {
        Ok(Self { parts: vec![Part::safetensors(SAFETENSORS.to_owned(), bytes)?] })
    }

    /// Reads the tensor `name`, which must have `shape`, as floats.
    ///
    /// # Errors
    /// When the tensor is missing, has another shape or type, or contains values that are not finite.
    pub fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        self.find(name)?.shaped(shape)?.floats()
    }

    /// Reads the tensor `name`, which must have one dimension, as floats.
    ///
    /// # Errors
    /// When the tensor is missing, has another shape or type, or contains values that are not finite.
    pub fn values(&self, name: &str) -> Result<Vec<f32>, LoadError> {
        let found = self.find(name)?;
        let shape = found.shape().to_vec();
        found.shaped(&shape[..1.min(shape.len())])?.floats()
    }

    /// Reads the tensor `name`, which must have rows of `width` values, as floats.
    ///
    /// # Errors
    /// When the tensor is missing, has another shape or type, or contains values that are not finite.
    pub fn rows(&self, name: &str, width: usize) -> Result<Vec<f32>, LoadError> {
        let found = self.find(name)?;
        let shape = found.shape().to_vec();
        match shape.as_slice() {
            [_, columns] if *columns == width && shape[0] > 0 => found.floats(),
            _ => Err(found.fail(format!("the shape is {shape:?}, but config.json requires rows of {width}"))),
        }
    }

    /// Reads the embeddings `name`, which must have `shape`. Values in half precision are not converted. If the file is
    /// embedded in the binary, these values are not copied either.
    ///
    /// # Errors
    /// When the tensor is missing, has another shape or type, or contains converted values that are not finite.
    pub fn words(&self, name: &str, shape: &[usize]) -> Result<Words, LoadError> {
        let found = self.find(name)?.shaped(shape)?;
        Ok(match found.half() {
            Some(half) => Words::F16(half),
            None => Words::F32(found.floats()?),
        })
    }

    /// The number of weights in the files.
    pub fn count(&self) -> u64 {
        self.parts.iter().flat_map(Part::shapes).map(|shape| shape.iter().product::<usize>() as u64).sum()
    }

    /// Releases the memory of embedded weights after packing. Word embeddings are used in place: the system reads an
    /// embedding again when a text contains its word.
    pub fn release(&self) {
        for part in &self.parts {
            if let Part::Safetensors { bytes: Cow::Borrowed(bytes), .. } = part {
                release_file_pages(bytes);
            }
        }
    }

    fn find(&self, name: &str) -> Result<Found<'_>, LoadError> {
        let named = |name: &str| {
            let part = self.parts.iter().find(|part| part.has(name))?;
            Some(Found { part, name: name.to_owned() })
        };
        let found = named(name).or_else(|| named(&older(name)?));
        found.ok_or_else(|| {
            let file = self.parts.first().map_or(SAFETENSORS, Part::file);
            LoadError::Files(format!("{file} has no tensor {name}; use the weights that belong to config.json"))
        })
    }
}

/// The name of a normalisation weight in old checkpoints; `None` if the name has not changed.
fn older(name: &str) -> Option<String> {
    let norm = |end: &str| name.strip_suffix(end).filter(|norm| norm.ends_with("LayerNorm"));
    let scale = norm(".weight").map(|norm| format!("{norm}.gamma"));
    scale.or_else(|| norm(".bias").map(|norm| format!("{norm}.beta")))
}

/// The index of weights that are divided into several files.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The file through which the weights of a model are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WeightFile {
    /// A single file with all weights.
    Whole(String),
    /// An index, which names the files with the weights.
    Index(String),
}

/// Selects one of the files that exist. Safetensors files are preferred.
pub fn choose(has: impl Fn(&str) -> bool) -> Option<WeightFile> {
    [SAFETENSORS, PICKLE].into_iter().find_map(|whole| {
        let index = format!("{whole}.index.json");
        match has(whole) {
            true => Some(WeightFile::Whole(whole.to_owned())),
            false => has(&index).then_some(WeightFile::Index(index)),
        }
    })
}

/// The error message if there is no weight file.
pub fn missing(place: &str) -> String {
    format!("{place} has no weights: neither {SAFETENSORS} nor {PICKLE}, nor an index of one of them")
}

/// The files that contain the weights of a model.
///
/// # Errors
/// When there are no weights, or an index cannot be read or is invalid.
pub fn weight_files(files: &ModelFiles) -> Result<Vec<String>, LoadError> {
    match choose(|name| files.has(name)) {
        Some(WeightFile::Whole(name)) => Ok(vec![name]),
        Some(WeightFile::Index(index)) => indexed(&files.read(&index)?).map_err(|error| error.of_file(&index)),
        None => Err(LoadError::Files(missing(&files.location()))),
    }
}

/// The files that an index names.
///
/// # Errors
/// When the index is invalid, or names no files or files outside its folder.
pub fn indexed(json: &[u8]) -> Result<Vec<String>, LoadError> {
    let index: Index = serde_json::from_slice(json).map_err(|e| e.to_string())?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    match names.iter().find(|name| name.contains(['/', '\\']) || name.starts_with('.')) {
        Some(name) => Err(LoadError::Files(format!(
            "the index names `{name}`, which is not a plain file name; download the index again"
        ))),
        None if names.is_empty() => {
            Err(LoadError::Files("the index names no weight files; download it again".to_owned()))
        }
        None => Ok(names.into_iter().collect()),
    }
}

impl Part {
    fn safetensors(file: String, bytes: Cow<'static, [u8]>) -> Result<Self, LoadError> {
        let header = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        if header > MAX_HEADER_BYTES {
            let limit = MAX_HEADER_BYTES >> 20;
            return Err(LoadError::Files(format!(
                "{file}: the header is larger than {limit} MiB; the file is damaged or not a model"
            )));
        }
        // This also checks that every tensor is within the file.
        let (length, metadata) = SafeTensors::read_metadata(&bytes)
            .map_err(|e| format!("{file}: {e}; the file is damaged or truncated, download it again"))?;
        Ok(Self::Safetensors { file, bytes, metadata, start: length + size_of::<u64>() })
    }

    fn file(&self) -> &str {
        match self {
            Self::Safetensors { file, .. } | Self::Pickle { file, .. } => file,
        }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::Safetensors { metadata, .. } => metadata.info(name).is_some(),
            Self::Pickle { tensors, .. } => tensors.contains_key(name),
        }
    }

    fn shapes(&self) -> Vec<&[usize]> {
        match self {
            Self::Safetensors { metadata, .. } => {
                metadata.tensors().into_values().map(|info| info.shape.as_slice()).collect()
            }
            Self::Pickle { tensors, .. } => tensors.values().map(|tensor| tensor.shape.as_slice()).collect(),
        }
    }

    fn info(&self, name: &str) -> Option<(&TensorInfo, &[u8])> {
        let Self::Safetensors { bytes, metadata, start, .. } = self else { return None };
        let info = metadata.info(name)?;
        let (from, to) = info.data_offsets;
        Some((info, &bytes[start + from..start + to]))
    }
}

impl Found<'_> {
    fn shape(&self) -> &[usize] {
        match self.part {
            Part::Safetensors { .. } => self.part.info(&self.name).map_or(&[], |(info, _)| &info.shape),
            Part::Pickle { tensors, .. } => tensors.get(&self.name).map_or(&[], |tensor| &tensor.shape),
        }
    }

    fn shaped(self, shape: &[usize]) -> Result<Self, LoadError> {
        match self.shape() == shape {
            true => Ok(self),
            false => Err(self.fail(format!("the shape is {:?}, but config.json requires {shape:?}", self.shape()))),
        }
    }

    fn floats(&self) -> Result<Vec<f32>, LoadError> {
        let values = match self.part {
            Part::Safetensors { .. } => match self.part.info(&self.name) {
                Some((info, data)) => to_floats(data, info.dtype).map_err(|reason| self.fail(reason))?,
                None => Vec::new(),
            },
            Part::Pickle { tensors, .. } => tensors.get(&self.name).map_or_else(Vec::new, |t| t.values.clone()),
        };
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(self.fail("the tensor contains values that are not finite")),
        }
    }

    /// The bytes of the tensor if it has half precision; otherwise `None`.
    fn half(&self) -> Option<Cow<'static, [u8]>> {
        let Part::Safetensors { bytes, start, .. } = self.part else { return None };
        let (info, data) = self.part.info(&self.name).filter(|(info, _)| info.dtype == Dtype::F16)?;
        let (from, to) = info.data_offsets;
        Some(match bytes {
            Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[start + from..start + to]),
            Cow::Owned(_) => Cow::Owned(data.to_vec()),
        })
    }

    fn fail(&self, reason: impl std::fmt::Display) -> LoadError {
        LoadError::Files(format!("{}: {}: {reason}", self.part.file(), self.name))
    }
}

fn to_floats(data: &[u8], dtype: Dtype) -> Result<Vec<f32>, LoadError> {
    match dtype {
        Dtype::F32 => Ok(data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()),
        Dtype::F16 => {
            let halves: Vec<f16> = data.as_chunks().0.iter().map(|&bytes| f16::from_le_bytes(bytes)).collect();
            let mut floats = vec![0.0; halves.len()];
            halves.convert_to_f32_slice(&mut floats);
            Ok(floats)
        }
        Dtype::BF16 => Ok(data.as_chunks().0.iter().map(|&bytes| bf16::from_le_bytes(bytes).to_f32()).collect()),
        other => Err(LoadError::Files(format!("weights of type {other:?} are not supported; use F32, F16 or BF16"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_file_with_a_huge_header_is_rejected() {
        let tensors: Vec<String> =
            (0..100_000).map(|n| format!(r#""{n}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#)).collect();
        let header = format!("{{{}}}", tensors.join(","));
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
        let refused = Weights::open(bytes.into()).err().expect("an error").to_string();
        assert!(refused.contains("header is larger than 4 MiB"), "{refused}");
    }
}
