//! The files of a model: embedded in the binary, or in a folder.

use std::borrow::Cow;
use std::path::PathBuf;

use rust_embed::RustEmbed;

use super::ModelSource;

/// The default model. Release builds carry it; others read it from the source tree.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets/model"]
struct Builtin;

/// Where a model's files are read from.
pub struct ModelFiles {
    place: Place,
    name: String,
}

enum Place {
    Builtin,
    Folder(PathBuf),
}

impl ModelFiles {
    /// Finds the files of `source`.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn find(source: &ModelSource) -> Result<Self, String> {
        match source {
            ModelSource::Builtin => Ok(Self { place: Place::Builtin, name: "sentistream-mini".to_owned() }),
            ModelSource::Directory(path) => {
                let full =
                    path.canonicalize().map_err(|e| format!("cannot open the folder {}: {e}", path.display()))?;
                let name = full.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into());
                Ok(Self { place: Place::Folder(path.clone()), name })
            }
        }
    }

    /// The name stored with each analysis: the builtin model's, or that of the folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where they are, for messages.
    pub fn place(&self) -> String {
        match &self.place {
            Place::Builtin => "this binary".to_owned(),
            Place::Folder(path) => path.display().to_string(),
        }
    }

    /// Where a file is; those of the builtin model are in the binary.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        match &self.place {
            Place::Builtin => None,
            Place::Folder(folder) => Some(folder.join(name)),
        }
    }

    /// Whether there is such a file.
    pub fn has(&self, name: &str) -> bool {
        match self.path(name) {
            Some(path) => path.is_file(),
            None => Builtin::get(name).is_some(),
        }
    }

    /// The bytes of one file; those of the builtin model are borrowed from the binary.
    ///
    /// # Errors
    /// The reason, when it is missing or unreadable.
    pub fn read(&self, name: &str) -> Result<Cow<'static, [u8]>, String> {
        let Some(path) = self.path(name) else {
            return Builtin::get(name).map(|file| file.data).ok_or_else(|| format!("{name} is not in this binary"));
        };
        std::fs::read(&path).map(Cow::Owned).map_err(|e| {
            format!(
                "cannot read {}: {e}; a model's folder holds config.json, tokenizer.json and model.safetensors",
                path.display()
            )
        })
    }
}
