//! Finds the files of a model, which are embedded in the binary, in a folder, or on the Hub.

use super::error::LoadError;
use super::files::ModelFiles;
use super::hub::{self, HubOptions};
use super::options::ModelSource;

/// Finds the files of a model. A model of the Hub is downloaded if it is not in the cache.
///
/// # Errors
/// When the folder cannot be opened, or the model is not available.
pub fn find(source: &ModelSource, options: &HubOptions) -> Result<ModelFiles, LoadError> {
    match source {
        ModelSource::Hub(model) => match hub::obtain(model, options) {
            Ok(snapshot) => Ok(snapshot.files()),
            Err(e) if e.is_setting() => Err(LoadError::Setting(e.to_string())),
            Err(e) => Err(LoadError::Files(e.to_string())),
        },
        ModelSource::Builtin => Ok(ModelFiles::builtin()),
        ModelSource::Directory(path) => {
            let fail = |e| LoadError::Setting(format!("cannot open the folder {}: {e}", path.display()));
            let full = path.canonicalize().map_err(fail)?;
            let name = full.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into());
            Ok(ModelFiles::in_folder(path.clone(), name))
        }
    }
}
