//! The files of a model, which are embedded in the binary or in a folder.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

use super::error::LoadError;

/// The files of the builtin model. Release builds embed them; other builds read them from the source tree.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../assets/model"]
struct Builtin;

/// The maximum sizes of the config, of a vocabulary or index, and of a file with weights, in bytes. The files of known
/// models are much smaller.
const MAX_CONFIG_BYTES: u64 = 16 << 20;
const MAX_VOCABULARY_BYTES: u64 = 256 << 20;
const MAX_WEIGHTS_BYTES: u64 = 16 << 30;

/// The files of a model.
pub struct ModelFiles {
    location: Location,
    name: String,
}

enum Location {
    Builtin,
    Folder(PathBuf),
}

impl ModelFiles {
    /// The files of the builtin model.
    pub fn builtin() -> Self {
        Self { location: Location::Builtin, name: "sentistream-mini".to_owned() }
    }

    /// The files of the model `name` in a folder.
    pub fn in_folder(folder: PathBuf, name: String) -> Self {
        Self { location: Location::Folder(folder), name }
    }

    /// The name that is stored with each analysis: the name of the builtin model, of the folder, or of the repository
    /// on the Hub.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The location of the files, for messages.
    pub fn location(&self) -> String {
        match &self.location {
            Location::Builtin => "this binary".to_owned(),
            Location::Folder(path) => path.display().to_string(),
        }
    }

    /// The folder of the files; `None` if they are embedded in the binary.
    pub fn folder(&self) -> Option<&Path> {
        match &self.location {
            Location::Builtin => None,
            Location::Folder(path) => Some(path),
        }
    }

    /// The path of a file; `None` if the files are embedded in the binary.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.folder().map(|folder| folder.join(name))
    }

    /// Whether the file exists.
    pub fn has(&self, name: &str) -> bool {
        match self.path(name) {
            Some(path) => path.is_file(),
            None => Builtin::get(name).is_some(),
        }
    }

    /// The path of a regular file, which can be read without waiting for another process; `None` if the files are
    /// embedded in the binary.
    ///
    /// # Errors
    /// When the file is missing, is too large, or is not a regular file (for example a pipe or a device).
    pub fn regular(&self, name: &str) -> Result<Option<PathBuf>, LoadError> {
        let Some(path) = self.path(name) else { return Ok(None) };
        // `metadata` follows links, which the cache of the Hub contains.
        let metadata = std::fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
        let limit = max_bytes(name);
        if !metadata.is_file() {
            return Err(unreadable(&path, &"not a regular file"));
        }
        if metadata.len() > limit {
            return Err(unreadable(&path, &format!("larger than {} MiB", limit >> 20)));
        }
        Ok(Some(path))
    }

    /// The content of a file. The content of an embedded file is borrowed from the binary.
    ///
    /// # Errors
    /// When the file is missing, unreadable or too large.
    pub fn read(&self, name: &str) -> Result<Cow<'static, [u8]>, LoadError> {
        let Some(path) = self.regular(name)? else {
            let missing =
                || LoadError::Files(format!("{name} is not embedded in this binary; build it with assets/model"));
            return Builtin::get(name).map(|file| file.data).ok_or_else(missing);
        };
        std::fs::read(&path).map(Cow::Owned).map_err(|error| unreadable(&path, &error))
    }
}

/// The maximum size of a file, in bytes.
fn max_bytes(name: &str) -> u64 {
    let is_weights = [".safetensors", ".bin"].iter().any(|end| name.ends_with(end));
    match name {
        "config.json" => MAX_CONFIG_BYTES,
        _ if is_weights => MAX_WEIGHTS_BYTES,
        _ => MAX_VOCABULARY_BYTES,
    }
}

fn unreadable(path: &Path, reason: &dyn Display) -> LoadError {
    LoadError::Files(format!(
        "cannot read {}: {reason}; a model folder needs config.json, a tokenizer such as tokenizer.json, and weights \
         such as model.safetensors",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn irregular_or_too_large_model_file_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let files = ModelFiles::in_folder(folder.path().to_owned(), "x".to_owned());
        let refusal = |name: &str| files.read(name).unwrap_err().to_string();
        std::fs::create_dir(folder.path().join("vocab.txt")).unwrap();
        assert!(refusal("vocab.txt").contains("not a regular file"), "{}", refusal("vocab.txt"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/dev/zero", folder.path().join("tokenizer.json")).unwrap();
            assert!(refusal("tokenizer.json").contains("not a regular file"), "{}", refusal("tokenizer.json"));
        }
        // The file is sparse, so it uses no disk space.
        let large = std::fs::File::create(folder.path().join("config.json")).unwrap();
        large.set_len(MAX_CONFIG_BYTES + 1).unwrap();
        assert!(refusal("config.json").contains("larger than 16 MiB"), "{}", refusal("config.json"));
        large.set_len(2).unwrap();
        assert_eq!(files.read("config.json").unwrap().len(), 2);
    }
}
