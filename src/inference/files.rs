//! The files of a model: embedded in the binary, or in a folder.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

use super::hub::{self, HubOptions, Snapshot};
use super::{LoadError, ModelSource};

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
    /// Finds the files of `source`; those of the Hub are downloaded when they are not at hand.
    ///
    /// # Errors
    /// When there are none.
    pub fn find(source: &ModelSource, options: &HubOptions) -> Result<Self, LoadError> {
        match source {
            ModelSource::Hub(model) => match hub::obtain(model, options) {
                Ok(snapshot) => Ok(Self::of_snapshot(&snapshot)),
                Err(e) if e.is_setting() => Err(LoadError::Setting(e.to_string())),
                Err(e) => Err(LoadError::Other(e.to_string())),
            },
            ModelSource::Builtin => Ok(Self { place: Place::Builtin, name: "sentistream-mini".to_owned() }),
            ModelSource::Directory(path) => {
                let fail = |e| LoadError::Setting(format!("cannot open the folder {}: {e}", path.display()));
                let full = path.canonicalize().map_err(fail)?;
                let name = full.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into());
                Ok(Self { place: Place::Folder(path.clone()), name })
            }
        }
    }

    /// The files of a model of the Hub.
    pub fn of_snapshot(snapshot: &Snapshot) -> Self {
        Self { place: Place::Folder(snapshot.folder.clone()), name: snapshot.name() }
    }

    /// The name stored with each analysis: the builtin model's, that of the folder, or that on the Hub.
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

    /// The folder they lie in; those of the builtin model are in the binary.
    pub fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::Builtin => None,
            Place::Folder(path) => Some(path),
        }
    }

    /// Where a file is; those of the builtin model are in the binary.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.folder().map(|folder| folder.join(name))
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
