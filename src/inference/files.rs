//! The files of a model: embedded in the binary, or in a folder.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

use super::error::LoadError;

/// The builtin model. Release builds embed it; other builds read it from the source tree.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets/model"]
struct Builtin;

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

    /// The files in a folder, which belong to a model with this name.
    pub fn in_folder(folder: PathBuf, name: String) -> Self {
        Self { location: Location::Folder(folder), name }
    }

    /// The name stored with each analysis: that of the builtin model, of the folder, or of the repository on the Hub.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Their location, for messages.
    pub fn location(&self) -> String {
        match &self.location {
            Location::Builtin => "this binary".to_owned(),
            Location::Folder(path) => path.display().to_string(),
        }
    }

    /// Their folder; `None`: in the binary.
    pub fn folder(&self) -> Option<&Path> {
        match &self.location {
            Location::Builtin => None,
            Location::Folder(path) => Some(path),
        }
    }

    /// The path of a file; `None`: in the binary.
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

    /// The bytes of one file. The bytes of the builtin model are borrowed from the binary.
    ///
    /// # Errors
    /// When it is missing or unreadable.
    pub fn read(&self, name: &str) -> Result<Cow<'static, [u8]>, LoadError> {
        let Some(path) = self.path(name) else {
            let missing = || LoadError::Files(format!("{name} is not in this binary"));
            return Builtin::get(name).map(|file| file.data).ok_or_else(missing);
        };
        std::fs::read(&path).map(Cow::Owned).map_err(|e| {
            LoadError::Files(format!(
                "cannot read {}: {e}; a model folder needs config.json, tokenizer.json and model.safetensors",
                path.display()
            ))
        })
    }
}
