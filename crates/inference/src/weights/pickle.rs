//! Reads PyTorch checkpoints in the zip format, and in the format that was used before 2020.

mod cost;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::panic::catch_unwind;
use std::path::Path;

use candle_core::pickle::{Object, PthTensors, Stack, TensorInfo};
use candle_core::{DType, Device, Tensor};
use zip::ZipArchive;

use super::Values;
use crate::error::LoadError;
use cost::Budget;

/// The first bytes of the old format: two pickles with a magic number and the version 1001 (`MAGIC_NUMBER` and
/// `PROTOCOL_VERSION` in `torch/serialization.py`).
const OLD: [u8; 21] = [
    0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e, 0x80, 0x02, 0x4d, 0xe9,
    0x03, 0x2e,
];

/// The maximum memory of the objects of a checkpoint, without the values of its tensors, in bytes. The objects of large
/// models need a few MiB.
const MAX_OBJECTS: u64 = 128 << 20;
/// The maximum number of tensors, and the maximum number of parts of an archive.
const MAX_TENSORS: usize = 10_000;
/// The maximum ratio of the size of all tensors to the size of the file. It is above 1, because tensors may share
/// storages, and archives may be compressed.
const MAX_EXPANSION: u64 = 8;
/// The part of an archive that names its tensors.
const DIRECTORY: &str = "data.pkl";

/// Reads all tensors of the checkpoint at `path`. Code in the checkpoint is not executed: classes are read as names
/// only.
///
/// # Errors
/// When the file is not a checkpoint, or a tensor cannot be read.
pub fn read(path: &Path) -> Result<HashMap<String, Values>, LoadError> {
    let is_old = is_old(path).map_err(|e| e.to_string())?;
    // The library panics on some damaged files, for example if a tensor has no arguments.
    let read = catch_unwind(|| if is_old { read_old(path) } else { read_archive(path) });
    let damaged = |_| LoadError::Files("the file is damaged or not a PyTorch checkpoint; download it again".to_owned());
    let tensors = read.map_err(damaged)??;
    match tensors.is_empty() {
        true => Err(LoadError::Files("the checkpoint has no named tensors; save the model's state_dict".to_owned())),
        false => Ok(tensors),
    }
}

fn is_old(path: &Path) -> std::io::Result<bool> {
    let mut start = Vec::with_capacity(OLD.len());
    File::open(path)?.take(OLD.len() as u64).read_to_end(&mut start)?;
    Ok(start == OLD)
}

fn read_archive(path: &Path) -> Result<HashMap<String, Values>, LoadError> {
    let fail = |e: candle_core::Error| format!("{e}; the file is damaged or not a PyTorch checkpoint");
    check_archive(path)?;
    let checkpoint = PthTensors::new(path, None).map_err(fail)?;
    let mut room = Room::of(path)?;
    let mut tensors = HashMap::new();
    for (name, info) in checkpoint.tensor_infos() {
        if !is_weight(info.dtype) {
            continue;
        }
        // The library reads everything before the first value of a tensor.
        let start = info.layout.start_offset();
        room.take(name, size(info).and_then(|size| size.checked_add(start)))?;
        let tensor = checkpoint.get(name).map_err(|e| format!("{name}: {e}"))?;
        if let Some(tensor) = tensor {
            tensors.insert(name.clone(), values(&tensor).map_err(|e| format!("{name}: {e}"))?);
        }
    }
    Ok(tensors)
}

/// Checks the parts of an archive that the library reads into memory without a limit.
fn check_archive(path: &Path) -> Result<(), LoadError> {
    let fail = |e: zip::result::ZipError| format!("{e}; the file is damaged or not a PyTorch checkpoint");
    let mut archive = ZipArchive::new(BufReader::new(File::open(path).map_err(|e| e.to_string())?)).map_err(fail)?;
    check_count(archive.len())?;
    let mut budget = Budget::new(MAX_OBJECTS);
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(fail)?;
        if part.name().is_ok_and(|name| name.ends_with(DIRECTORY)) {
            budget.take(&mut BufReader::new(part))?;
        }
    }
    Ok(())
}

fn check_count(tensors: usize) -> Result<(), LoadError> {
    if tensors > MAX_TENSORS {
        return Err(LoadError::Files(format!(
            "the file has {tensors} parts or tensors, but the limit is {MAX_TENSORS}; use another model"
        )));
    }
    Ok(())
}

/// The total number of bytes that the remaining tensors may have.
struct Room(u64);

impl Room {
    /// The limit for the tensors of the file at `path`.
    fn of(path: &Path) -> Result<Self, LoadError> {
        let length = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
        Ok(Self(length.saturating_mul(MAX_EXPANSION)))
    }

    /// Subtracts the size of the tensor `name`. A size of `None` exceeds the range of `usize`.
    fn take(&mut self, name: &str, bytes: Option<usize>) -> Result<(), LoadError> {
        let left = bytes.and_then(|bytes| self.0.checked_sub(bytes as u64));
        let too_large =
            || LoadError::Files(format!("{name}: the tensors are too large for the size of this damaged file"));
        self.0 = left.ok_or_else(too_large)?;
        Ok(())
    }
}

/// Whether a tensor contains weights. Old checkpoints also contain tensors with counters.
fn is_weight(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F16 | DType::BF16 | DType::F64)
}

fn values(tensor: &Tensor) -> candle_core::Result<Values> {
    let values = tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?;
    Ok(Values { shape: tensor.dims().to_vec(), values })
}

/// Reads the old format. After the header, a file contains, in this order: a description of the machine; the tensors
/// without their values; the keys of the storages; and for each storage its length and its values.
fn read_old(path: &Path) -> Result<HashMap<String, Values>, LoadError> {
    let fail = |e: std::io::Error| format!("{e}; the file is damaged or truncated");
    let mut reader = BufReader::new(File::open(path).map_err(fail)?);
    reader.seek(SeekFrom::Start(OLD.len() as u64)).map_err(fail)?;
    let mut budget = Budget::new(MAX_OBJECTS);
    unpickle(&mut reader, &mut budget)?;
    let Object::Dict(entries) = unpickle(&mut reader, &mut budget)? else {
        return Err(LoadError::Files("the checkpoint contains no state_dict; save the model's state_dict".to_owned()));
    };
    let mut infos: Vec<TensorInfo> = Vec::new();
    for (name, value) in entries {
        infos.extend(value.into_tensor_info(name, Path::new("")).map_err(|e| e.to_string())?);
    }
    let Object::List(keys) = unpickle(&mut reader, &mut budget)? else {
        return Err(LoadError::Files("the checkpoint contains no list of storages; the file is damaged".to_owned()));
    };
    check_count(infos.len().max(keys.len()))?;
    let mut room = Room::of(path)?;
    let mut tensors = HashMap::new();
    for key in keys {
        let key =
            key.unicode().map_err(|other| format!("{other:?} is not a valid key of a storage; the file is damaged"))?;
        let mut length = [0; 8];
        reader.read_exact(&mut length).map_err(fail)?;
        let mine: Vec<&TensorInfo> = infos.iter().filter(|info| info.path.ends_with(&format!("/{key}"))).collect();
        let dtype = mine
            .first()
            .ok_or_else(|| format!("no tensor defines the type of the storage {key}; the file is damaged"))?
            .dtype;
        let size = usize::try_from(i64::from_le_bytes(length)).ok().and_then(|n| n.checked_mul(dtype.size_in_bytes()));
        let size = size.ok_or_else(|| format!("the length of the storage {key} is invalid; the file is damaged"))?;
        // `read_to_end` allocates memory only for bytes that exist, so a wrong length cannot exhaust the memory.
        let mut bytes = Vec::new();
        let read = reader.by_ref().take(size as u64).read_to_end(&mut bytes).map_err(fail)?;
        if read != size {
            return Err(LoadError::Files(format!("the file is truncated within the storage {key}; download it again")));
        }
        if !is_weight(dtype) {
            continue;
        }
        let storage = Storage::read(dtype, &bytes)?;
        for info in mine {
            room.take(&info.name, self::size(info))?;
            let tensor = storage.view(info).map_err(|e| format!("{}: {e}", info.name))?;
            tensors.insert(info.name.clone(), tensor);
        }
    }
    Ok(tensors)
}

/// Reads a pickle, if its objects fit into `budget`.
fn unpickle(reader: &mut (impl BufRead + Seek), budget: &mut Budget) -> Result<Object, LoadError> {
    let fail = |e: std::io::Error| format!("{e}; the file is damaged or truncated");
    let start = reader.stream_position().map_err(fail)?;
    budget.take(reader)?;
    reader.seek(SeekFrom::Start(start)).map_err(fail)?;
    let mut stack = Stack::empty();
    stack.read_loop(reader).and_then(|()| stack.finalize()).map_err(|e| LoadError::Files(e.to_string()))
}

/// The size of a tensor in bytes; `None` if it exceeds the range of `usize`.
fn size(info: &TensorInfo) -> Option<usize> {
    let dims = info.layout.dims().iter();
    dims.copied().try_fold(info.dtype.size_in_bytes(), usize::checked_mul)
}

/// A storage: an array of values. A tensor is a view of a storage.
struct Storage {
    dtype: DType,
    values: Vec<f32>,
}

impl Storage {
    fn read(dtype: DType, bytes: &[u8]) -> Result<Self, LoadError> {
        let values = Tensor::from_raw_buffer(bytes, dtype, &[bytes.len() / dtype.size_in_bytes()], &Device::Cpu)
            .and_then(|tensor| tensor.to_dtype(DType::F32)?.to_vec1::<f32>())
            .map_err(|e| e.to_string())?;
        Ok(Self { dtype, values })
    }

    /// Reads the values of a tensor, which is a strided view of this storage.
    fn view(&self, info: &TensorInfo) -> Result<Values, LoadError> {
        let size = info.dtype.size_in_bytes();
        let shape = info.layout.dims().to_vec();
        let start = info.layout.start_offset() / size;
        let exceeds = || LoadError::Files("the tensor exceeds its storage; the file is damaged".to_owned());
        let count = self::size(info).map(|bytes| bytes / size);
        let count = count.filter(|count| *count <= self.values.len() && info.dtype == self.dtype);
        let count = count.ok_or_else(exceeds)?;
        let mut values = Vec::with_capacity(count);
        for index in 0..count {
            let mut rest = index;
            let mut place = start;
            for (&length, &stride) in shape.iter().zip(info.layout.stride()).rev() {
                let step = (rest % length).checked_mul(stride);
                place = step.and_then(|step| place.checked_add(step)).ok_or_else(exceeds)?;
                rest /= length;
            }
            values.push(*self.values.get(place).ok_or_else(exceeds)?);
        }
        Ok(Values { shape, values })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Layout;

    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pytorch_model.bin");
        std::fs::write(&path, bytes).unwrap();
        read(&path).err().expect("an error").to_string()
    }

    #[test]
    fn checkpoint_tensor_without_arguments_is_rejected() {
        let machine = b"\x80\x02}.";
        let tensors = b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n)Rs.";
        let reason = refusal(&[&OLD[..], machine, tensors].concat());
        assert!(reason.contains("damaged"), "{reason}");
    }

    #[test]
    fn pickle_that_grows_in_memory_is_rejected_in_both_formats() {
        let mut pickle = b"\x80\x02)q\x00".to_vec();
        (0..40).for_each(|_| pickle.extend(b"h\x00h\x00\x86q\x00"));
        pickle.push(b'.');
        let reason = refusal(&[&OLD[..], &pickle].concat());
        assert!(reason.contains("too much memory"), "{reason}");
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        writer.start_file("archive/data.pkl", zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut writer, &pickle).unwrap();
        let reason = refusal(&writer.finish().unwrap().into_inner());
        assert!(reason.contains("too much memory"), "{reason}");
    }

    #[test]
    fn size_of_tensors_that_share_a_storage_is_limited() {
        let mut room = Room(100);
        assert!(room.take("a", Some(60)).is_ok());
        assert!(room.take("b", Some(60)).is_err());
        assert!(room.take("c", None).is_err());
    }

    #[test]
    fn checkpoint_tensor_larger_than_its_storage_is_rejected() {
        for (dims, strides) in
            [(vec![1 << 40], vec![1]), (vec![1 << 40, 1 << 40], vec![1, 1]), (vec![2], vec![usize::MAX])]
        {
            let info = TensorInfo {
                name: "w".to_owned(),
                dtype: DType::F32,
                layout: Layout::new(dims.into(), strides, 0),
                path: "/0".to_owned(),
                storage_size: 2,
            };
            let storage = Storage::read(DType::F32, &[0; 8]).unwrap();
            let refused = storage.view(&info).err().expect("an error");
            assert!(refused.to_string().contains("exceeds its storage"), "{refused}");
        }
    }
}
