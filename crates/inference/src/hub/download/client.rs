//! Implements the download thread, and converts errors of requests.

mod api;
mod transfer;

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::super::{DEFAULT_REVISION, HubError, HubModel, HubOptions, Snapshot, cache};
use super::EventSender;
use crate::calibration;
use crate::vocabulary;
use crate::weights::{self, WeightFile};
use api::{Api, ApiError};
use transfer::Wanted;

/// The maximum number of attempts per file. The wait doubles after each attempt.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

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
        // A calibration in the snapshot is kept, because it may have been fitted on this machine.
        let calibration = Some(calibration::FILE).filter(|name| info.has(name) && !files.has(name));
        names.extend(calibration.map(str::to_owned));
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
        cache::store_commit(&revision, &snapshot, &self.options).map_err(|e| self.disk(&e))?;
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
        let missing: Vec<&String> =
            names.iter().filter(|name| !is_stored(&folder.join(name), info.size(name))).collect();
        self.check_space(missing.iter().filter_map(|name| info.size(name)).sum())?;
        for name in missing {
            let wanted = Wanted { api, name, commit: &info.sha, size: info.size(name) };
            self.retried(|job| job.transfer(&wanted))?;
        }
        Ok(())
    }

    /// Fails if the disk has not enough free space for the download. Bytes of an earlier attempt count as received.
    fn check_space(&self, needed: u64) -> Result<(), HubError> {
        std::fs::create_dir_all(&self.options.cache).map_err(|e| self.disk(&e))?;
        let Ok(room) = rustix::fs::statvfs(&self.options.cache) else { return Ok(()) };
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        let blobs = cache::repository(&self.model.repository, &self.options).join("blobs");
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

/// Whether the file exists with the size that the Hub states. Other programs may have stored it incompletely.
fn is_stored(path: &Path, size: Option<u64>) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| size.is_none_or(|size| size == metadata.len()))
}
