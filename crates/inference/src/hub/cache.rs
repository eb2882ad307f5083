//! Finds and lists the models in the cache.

use std::io;
use std::path::{Path, PathBuf};

use hf_hub::{Cache, Repo};

use super::{DEFAULT_REVISION, HubError, HubModel, HubOptions, Snapshot};
use crate::durable;
use crate::files::ModelFiles;
use crate::spec::ModelSpec;
use crate::vocabulary;
use crate::weights;

/// Finds a model in the cache. `None` if it is not there, or incomplete.
///
/// # Errors
/// [`HubError::Unsupported`] when the model is in the cache but not supported.
pub fn find(model: &HubModel, options: &HubOptions) -> Result<Option<Snapshot>, HubError> {
    let Some(commit) = commit(model, options) else { return Ok(None) };
    let snapshot = snapshot(&model.repository, commit, options);
    let files = snapshot.files();
    if !files.has("config.json") {
        return Ok(None);
    }
    let spec = spec(&files)?;
    Ok(is_complete(&files, &spec).then_some(snapshot))
}

/// The snapshot of a commit. Its folder may not exist.
pub fn snapshot(repository: &str, commit: String, options: &HubOptions) -> Snapshot {
    let folder = Cache::new(options.cache.clone()).model(repository.to_owned()).pointer_path(&commit);
    Snapshot { repository: repository.to_owned(), commit, folder }
}

/// The folder of a repository.
pub fn repository(repository: &str, options: &HubOptions) -> PathBuf {
    options.cache.join(Repo::model(repository.to_owned()).folder_name())
}

/// The file with the commit of a revision.
fn ref_path(model: &str, revision: &str, options: &HubOptions) -> PathBuf {
    repository(model, options).join("refs").join(revision)
}

/// Stores the commit of a revision. The old commit is replaced atomically.
///
/// # Errors
/// When the cache is not writable.
pub fn store_commit(revision: &str, snapshot: &Snapshot, options: &HubOptions) -> io::Result<()> {
    let path = ref_path(&snapshot.repository, revision, options);
    std::fs::create_dir_all(durable::folder_of(&path))?;
    // The temporary file is not in the folder `refs`, where every file is a revision.
    durable::replace(&path, snapshot.commit.as_bytes(), &repository(&snapshot.repository, options))
}

/// Reads the config of a model.
///
/// # Errors
/// [`HubError::Unsupported`] when the model is not supported.
pub fn spec(files: &ModelFiles) -> Result<ModelSpec, HubError> {
    files.read("config.json").and_then(|json| ModelSpec::parse(&json)).map_err(|e| HubError::Unsupported(e.to_string()))
}

fn is_complete(files: &ModelFiles, spec: &ModelSpec) -> bool {
    let weights = weights::weight_files(files).is_ok_and(|names| names.iter().all(|name| files.has(name)));
    weights && vocabulary::chosen(spec.family, |name| files.has(name)).is_some()
}

/// The commit that the revision had when it was downloaded; `None` if it was not downloaded. A revision that is a
/// commit is returned as it is.
fn commit(model: &HubModel, options: &HubOptions) -> Option<String> {
    let revision = model.revision.as_deref().unwrap_or(DEFAULT_REVISION);
    if revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(revision.to_lowercase());
    }
    let commit = std::fs::read_to_string(ref_path(&model.repository, revision, options)).ok()?;
    Some(commit.trim().to_owned()).filter(|commit| !commit.is_empty())
}

/// Why a model in the cache cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// Files of the model are missing.
    #[error("some files are missing: download them with `sentistream models pull`")]
    Incomplete,
    /// The files of the model are damaged or not suitable.
    #[error(transparent)]
    Unusable(#[from] HubError),
}

/// A model in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The model, with the revision that was requested.
    pub model: HubModel,
    /// The files of the model, or the reason why it is incomplete or cannot be used.
    pub snapshot: Result<Snapshot, CacheError>,
}

/// The models in the cache, sorted by name. Returns an empty list if the cache does not exist.
pub fn cached(options: &HubOptions) -> Vec<Cached> {
    let mut models: Vec<HubModel> = Vec::new();
    for folder in entries(&options.cache) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let Some(repository) = name.strip_prefix("models--").map(|name| name.replacen("--", "/", 1)) else { continue };
        let refs = folder.join("refs");
        for revision in revisions(&refs, &refs) {
            let revision = (revision != DEFAULT_REVISION).then_some(revision);
            models.push(HubModel { repository: repository.clone(), revision });
        }
    }
    models.sort_by(|a, b| (&a.repository, &a.revision).cmp(&(&b.repository, &b.revision)));
    let check = |model: HubModel| {
        let found = find(&model, options).map_err(CacheError::from);
        let snapshot = found.and_then(|found| found.ok_or(CacheError::Incomplete));
        Cached { model, snapshot }
    };
    models.into_iter().map(check).collect()
}

/// The names of branches and tags in the folder `refs`. Names may contain slashes. Commits, which other tools also
/// store in this folder, are skipped.
fn revisions(refs: &Path, folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for path in entries(folder) {
        if path.is_dir() {
            names.extend(revisions(refs, &path));
        } else if let Ok(name) = path.strip_prefix(refs) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.retain(|name| name.len() != 40 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()));
    names
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
