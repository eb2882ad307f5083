//! Implements the download thread, and converts errors of requests.

mod api;
mod transfer;

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

use hf_hub::{Cache, Repo, RepoType};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::super::{DEFAULT_REVISION, HubError, HubModel, HubOptions, Snapshot, cache};
use super::EventSender;
use crate::vocabulary;
use crate::weights::{self, WeightFile};
use api::{Api, ApiError};
use transfer::Wanted;

/// The maximum number of attempts per file. The wait doubles after each attempt.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The number of bytes read at once when a file is checked.
const CHUNK: usize = 1 << 20;

/// How a downloaded file differs from the one on the Hub.
#[derive(Debug, thiserror::Error)]
enum Damage {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error("{length} of {size} bytes")]
    Size { length: u64, size: u64 },
    #[error("its SHA-256 differs from that on the Hub")]
    Digest,
}

/// A download, which runs on its own thread.
pub struct Job {
    /// The repository and revision to download.
    pub model: HubModel,
    /// The options of the Hub: cache, endpoint and token.
    pub options: HubOptions,
    /// The channel on which progress is sent to the thread that waits for the download.
    pub events: EventSender,
}

/// The Hub's description of a revision.
#[derive(Deserialize)]
struct Info {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
}

impl Info {
    fn has(&self, name: &str) -> bool {
        self.siblings.iter().any(|sibling| sibling.rfilename == name)
    }

    fn size(&self, name: &str) -> Option<u64> {
        self.siblings.iter().find(|sibling| sibling.rfilename == name)?.size
    }
}

impl Job {
    /// Downloads the files of the model that are not in the cache.
    pub fn run(&mut self) -> Result<Snapshot, HubError> {
        let revision = self.model.revision.as_deref().unwrap_or(DEFAULT_REVISION).to_owned();
        let api = self.api()?;
        let info = self.retried(|job| job.info(&api, &revision))?;
        transfer::check_commit(&info.sha)?;
        let snapshot = cache::snapshot(&self.model.repository, info.sha.clone(), &self.options);
        let files = snapshot.files();
        if !info.has("config.json") {
            let reason = format!("{} has no config.json: it is not a Transformers model", self.model.repository);
            return Err(HubError::Unsupported(reason));
        }
        self.files(&(&api, &info), &["config.json".to_owned()])?;
        // The config is checked before the large files are downloaded.
        let spec = cache::spec(&files)?;
        let mut names: Vec<String> = vocabulary::chosen(spec.family, |name| info.has(name))
            .ok_or_else(|| HubError::Unsupported(vocabulary::missing(&self.model.repository, spec.family)))?;
        names.extend(["calibration.json".to_owned()].into_iter().filter(|name| info.has(name)));
        match weights::choose(|name| info.has(name)) {
            Some(WeightFile::Whole(name)) => names.push(name),
            Some(WeightFile::Index(index)) => {
                self.files(&(&api, &info), std::slice::from_ref(&index))?;
                let listed = files.read(&index).and_then(|json| weights::indexed(&json));
                names.extend(listed.map_err(|reason| HubError::Unsupported(format!("{index}: {reason}")))?);
            }
            None => return Err(HubError::Unsupported(weights::missing(&self.model.repository))),
        }
        self.files(&(&api, &info), &names)?;
        // The commit of the revision is stored last, so that a start without a network never finds an incomplete model.
        let named = Repo::with_revision(self.model.repository.clone(), RepoType::Model, revision);
        Cache::new(self.options.cache.clone()).repo(named).create_ref(&info.sha).map_err(|e| self.disk(&e))?;
        Ok(snapshot)
    }

    fn api(&self) -> Result<Api, HubError> {
        transfer::check_endpoint(&self.options)?;
        Api::new(&self.options).map_err(|e| self.unreachable(&e))
    }

    fn unreachable(&self, reason: &dyn std::fmt::Display) -> HubError {
        HubError::Unreachable { endpoint: self.options.endpoint.clone(), reason: reason.to_string() }
    }

    fn retried<T>(&mut self, mut attempt: impl FnMut(&mut Self) -> Result<T, HubError>) -> Result<T, HubError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match attempt(self) {
                Err(e) if e.is_transient() => {
                    tracing::debug!(error = %e, "download failed, retrying");
                    self.events.pause(pause);
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
        attempt(self)
    }

    fn info(&self, api: &Api, revision: &str) -> Result<Info, HubError> {
        let repository = &self.model.repository;
        match api.info(repository, revision) {
            Ok(json) => serde_json::from_slice(&json).map_err(|e| self.unreachable(&e)),
            Err(ApiError::Status(status)) if matches!(status.as_u16(), 401 | 403 | 404) => {
                // The status 404 means that the model, or only the revision, does not exist.
                let may_be_known = status == 404 && revision != DEFAULT_REVISION;
                let is_known = may_be_known && api.info(repository, DEFAULT_REVISION).is_ok();
                let (endpoint, repository) = (self.options.endpoint.clone(), repository.clone());
                Err(match is_known {
                    true => HubError::NoRevision { repository, revision: revision.to_owned() },
                    false => HubError::NoModel { endpoint, repository, status: status.as_u16() },
                })
            }
            Err(e) => Err(self.unreachable(&e)),
        }
    }

    fn files(&mut self, (api, info): &(&Api, &Info), names: &[String]) -> Result<(), HubError> {
        let folder = cache::snapshot(&self.model.repository, info.sha.clone(), &self.options).folder;
        let missing: Vec<&String> = names.iter().filter(|name| !folder.join(name).exists()).collect();
        self.check_space(missing.iter().filter_map(|name| info.size(name)).sum())?;
        for name in missing {
            let wanted = Wanted { api, name, commit: &info.sha };
            self.retried(|job| job.file(&wanted, info.size(name)))?;
        }
        Ok(())
    }

    /// Fails if the disk has not enough free space for the download. Bytes of an earlier attempt count as received.
    fn check_space(&self, needed: u64) -> Result<(), HubError> {
        std::fs::create_dir_all(&self.options.cache).map_err(|e| self.disk(&e))?;
        let Ok(room) = rustix::fs::statvfs(&self.options.cache) else { return Ok(()) };
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        let blobs = self.options.cache.join(Repo::model(self.model.repository.clone()).folder_name()).join("blobs");
        let parts = std::fs::read_dir(blobs).into_iter().flatten().filter_map(Result::ok);
        let parts = parts.filter(|entry| entry.path().extension().is_some_and(|end| end == "part"));
        let there: u64 = parts.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum();
        match needed > free.saturating_add(there) {
            true => Err(HubError::Full {
                cache: self.options.cache.display().to_string(),
                reason: format!("{needed} bytes are needed, {free} are free"),
            }),
            false => Ok(()),
        }
    }

    fn file(&mut self, wanted: &Wanted<'_>, size: Option<u64>) -> Result<(), HubError> {
        let path = self.transfer(wanted)?;
        self.verify(&path, size).map_err(|damage| {
            // Removes the file and the link to it. An error is ignored, because the next attempt detects the damage
            // again.
            let _ = std::fs::canonicalize(&path).and_then(std::fs::remove_file);
            let _ = std::fs::remove_file(&path);
            HubError::Damaged { file: wanted.name.to_owned(), reason: damage.to_string() }
        })
    }

    /// Checks the size of a file and, if the Hub sends it, the SHA-256.
    fn verify(&self, path: &Path, size: Option<u64>) -> Result<(), Damage> {
        let real = std::fs::canonicalize(path)?;
        let length = std::fs::metadata(&real)?.len();
        if let Some(size) = size.filter(|size| *size != length) {
            return Err(Damage::Size { length, size });
        }
        let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.len() != 64 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(());
        }
        let mut file = File::open(&real)?;
        let mut hash = Sha256::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = file.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            hash.update(&chunk[..read]);
            self.events.alive();
        }
        let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if digits == name.to_lowercase() { Ok(()) } else { Err(Damage::Digest) }
    }

    fn meaning(&self, error: ApiError, name: &str) -> HubError {
        match error {
            ApiError::Status(status) if matches!(status.as_u16(), 401 | 403) => HubError::NoModel {
                endpoint: self.options.endpoint.clone(),
                repository: self.model.repository.clone(),
                status: status.as_u16(),
            },
            error => HubError::Broken { file: name.to_owned(), reason: error.to_string() },
        }
    }

    fn disk(&self, error: &io::Error) -> HubError {
        let (cache, reason) = (self.options.cache.display().to_string(), error.to_string());
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                HubError::Full { cache, reason }
            }
            _ => HubError::Unwritable { cache, reason },
        }
    }
}
