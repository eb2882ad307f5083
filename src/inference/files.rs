//! The files of a model: embedded in the binary, or in a folder.

use std::borrow::Cow;
use std::path::Path;

use rust_embed::RustEmbed;

use super::ModelSource;

/// The default model. Release builds carry it; others read it from the source tree.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets/model"]
struct Builtin;

/// Where a model's files are read from.
pub struct ModelFiles<'a> {
    source: &'a ModelSource,
}

impl<'a> ModelFiles<'a> {
    pub fn new(source: &'a ModelSource) -> Self {
        Self { source }
    }

    /// The name stored with each analysis: the builtin model's, or that of the folder.
    pub fn name(&self) -> String {
        match self.source {
            ModelSource::Builtin => "sentistream-mini".to_owned(),
            ModelSource::Directory(path) => {
                let full = path.canonicalize().unwrap_or_else(|_| path.clone());
                full.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
            }
        }
    }

    /// The bytes of one file; those of the builtin model are borrowed from the binary.
    ///
    /// # Errors
    /// The reason, when it is missing or unreadable.
    pub fn read(&self, name: &str) -> Result<Cow<'static, [u8]>, String> {
        match self.source {
            ModelSource::Builtin => {
                Builtin::get(name).map(|file| file.data).ok_or_else(|| format!("{name} is not in this binary"))
            }
            ModelSource::Directory(folder) => read_from(folder, name),
        }
    }
}

fn read_from(folder: &Path, name: &str) -> Result<Cow<'static, [u8]>, String> {
    let path = folder.join(name);
    std::fs::read(&path).map(Cow::Owned).map_err(|e| {
        format!(
            "cannot read {}: {e}; a model's folder holds config.json, tokenizer.json and model.safetensors",
            path.display()
        )
    })
}
