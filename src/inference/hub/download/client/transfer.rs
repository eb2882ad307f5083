//! One file from the Hub into the cache. What the Hub names becomes part of a path only after it was checked: a hostile
//! mirror must not write outside of the cache.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use hf_hub::Cache;
use hf_hub::api::Progress as _;
use hf_hub::api::sync::{Api, ApiRepo};
use secrecy::ExposeSecret as _;
use url::{Host, Url};

use super::super::super::{HubError, HubOptions};
use super::{CHUNK, Job, is_of_disk};

/// Digits of a commit.
const COMMIT_DIGITS: usize = 40;
/// Digits of the hashes that name small and large files.
const ETAG_DIGITS: [usize; 2] = [40, 64];

/// A file of a repository at a commit.
pub struct Wanted<'a> {
    pub api: &'a Api,
    pub repo: &'a ApiRepo,
    /// The path in the repository.
    pub name: &'a str,
    pub commit: &'a str,
}

/// Refuses to send a token, or to trust a model, in plain text over a network.
///
/// # Errors
/// [`HubError::Insecure`] for an endpoint that is neither https nor on loopback.
pub fn check_endpoint(options: &HubOptions) -> Result<(), HubError> {
    let insecure = || HubError::Insecure { endpoint: options.endpoint.clone() };
    let url = Url::parse(&options.endpoint).map_err(|_| insecure())?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || (url.scheme() == "http" && is_loopback) { Ok(()) } else { Err(insecure()) }
}

/// Checks the commit that the Hub names.
///
/// # Errors
/// [`HubError::Untrusted`] when it is not 40 hex digits.
pub fn check_commit(commit: &str) -> Result<(), HubError> {
    if commit.len() == COMMIT_DIGITS && is_hex(commit) { Ok(()) } else { Err(untrusted("commit", commit)) }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn untrusted(what: &'static str, value: &str) -> HubError {
    HubError::Untrusted { what, value: value.chars().take(100).collect() }
}

/// Whether `name` stays in the folder of its snapshot.
fn is_inside(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

/// The parts of a path below the cache, all of them checked.
struct Places {
    blob: PathBuf,
    part: PathBuf,
    pointer: PathBuf,
}

impl Job {
    /// Downloads a file, or the rest of one, and links it into its snapshot.
    pub fn transfer(&mut self, wanted: &Wanted<'_>) -> Result<PathBuf, HubError> {
        if !is_inside(wanted.name) {
            return Err(untrusted("file name", wanted.name));
        }
        check_commit(wanted.commit)?;
        let url = wanted.repo.url(wanted.name);
        let metadata = wanted.api.metadata(&url).map_err(|error| self.meaning(error, wanted.name))?;
        if metadata.commit_hash() != wanted.commit {
            return Err(untrusted("commit", metadata.commit_hash()));
        }
        if !ETAG_DIGITS.contains(&metadata.etag().len()) || !is_hex(metadata.etag()) {
            return Err(untrusted("etag", metadata.etag()));
        }
        let cache = Cache::new(self.options.cache.clone()).model(self.model.repository.clone());
        let blob = cache.pointer_path(wanted.commit).join("../../blobs").join(metadata.etag());
        let places = Places {
            part: blob.with_extension("part"),
            pointer: cache.pointer_path(wanted.commit).join(wanted.name),
            blob,
        };
        for path in [&places.blob, &places.pointer] {
            let folder = path.parent().unwrap_or(path);
            fs::create_dir_all(folder).map_err(|error| self.disk(&error))?;
        }
        let _lock = self.lock(&places, wanted.name)?;
        if !places.blob.exists() {
            self.fetch(wanted.name, &Source { url, size: metadata.size() as u64 }, &places.part)?;
            fs::rename(&places.part, &places.blob).map_err(|error| self.disk(&error))?;
        }
        link(&places, wanted.name, metadata.etag()).map_err(|error| self.disk(&error))?;
        Ok(places.pointer)
    }

    fn lock(&self, places: &Places, name: &str) -> Result<File, HubError> {
        let file = File::create(places.blob.with_extension("lock")).map_err(|error| self.disk(&error))?;
        // The lock ends with the file.
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(_) => Err(HubError::Busy { file: name.to_owned() }),
        }
    }

    fn fetch(&mut self, name: &str, source: &Source, part: &Path) -> Result<(), HubError> {
        let broken = |reason: String| HubError::Broken { file: name.to_owned(), reason };
        let mut file = OpenOptions::new().create(true).append(true).open(part).map_err(|e| self.disk(&e))?;
        let mut start = file.metadata().map_err(|e| self.disk(&e))?.len();
        if start >= source.size {
            // An earlier attempt left more than there is, or all of it unchecked.
            file.set_len(0).map_err(|e| self.disk(&e))?;
            start = 0;
        }
        self.told.init(usize::try_from(source.size).unwrap_or(usize::MAX), name);
        if source.size == 0 {
            return Ok(());
        }
        let answer = self.request(&source.url, start).map_err(|error| match error {
            ureq::Error::StatusCode(status @ (401 | 403)) => HubError::NoModel {
                endpoint: self.options.endpoint.clone(),
                repository: self.model.repository.clone(),
                status,
            },
            error => broken(error.to_string()),
        })?;
        if start > 0 && answer.status().as_u16() != 206 {
            // The whole file instead of the rest of it.
            file.set_len(0).map_err(|e| self.disk(&e))?;
            start = 0;
        }
        self.told.update(usize::try_from(start).unwrap_or(usize::MAX));
        let mut body = answer.into_body().into_reader().take(source.size - start);
        let mut chunk = vec![0; CHUNK];
        let mut length = start;
        loop {
            let read = match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if is_of_disk(&error) => return Err(self.disk(&error)),
                Err(error) => return Err(broken(error.to_string())),
            };
            file.write_all(&chunk[..read]).map_err(|e| self.disk(&e))?;
            length += read as u64;
            self.told.update(read);
        }
        if length < source.size {
            return Err(broken(format!("{length} of {} bytes", source.size)));
        }
        Ok(())
    }

    fn request(&self, url: &str, start: u64) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().https_only(self.options.endpoint.starts_with("https://")).build().into();
        let mut request = agent.get(url).header("range", format!("bytes={start}-"));
        if let Some(token) = &self.options.token {
            // Redirects to a store of large files go without it.
            request = request.header("authorization", format!("Bearer {}", token.expose_secret()));
        }
        request.call()
    }
}

/// Where a file is, and its length in bytes.
struct Source {
    url: String,
    size: u64,
}

/// Links the blob into the snapshot by a relative path, as the Hub's own tools do.
fn link(places: &Places, name: &str, etag: &str) -> io::Result<()> {
    let up: PathBuf = Path::new(name).components().map(|_| "..").collect();
    match symlink(up.join("..").join("blobs").join(etag), &places.pointer) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_hashes_that_leave_the_cache_are_refused() {
        for name in ["../x", "/etc/passwd", "a/../../b", "", "./x", "a/./../b"] {
            assert!(!is_inside(name), "{name}");
        }
        assert!(is_inside("onnx/model.safetensors") && is_inside("config.json"));
        for commit in ["", "main", "../../../x", &"A".repeat(40), &"0".repeat(39), &"0".repeat(41)] {
            assert!(check_commit(commit).is_err(), "{commit}");
        }
        check_commit(&"0a".repeat(20)).unwrap();
    }

    #[test]
    fn plain_http_is_allowed_on_loopback_only() {
        let at = |endpoint: &str| HubOptions { endpoint: endpoint.to_owned(), ..HubOptions::default() };
        for endpoint in ["https://huggingface.co", "http://127.0.0.1:80", "http://localhost:1", "http://[::1]:1"] {
            check_endpoint(&at(endpoint)).unwrap();
        }
        for endpoint in ["http://huggingface.co", "http://10.0.0.1", "ftp://x", "huggingface.co", ""] {
            assert!(check_endpoint(&at(endpoint)).is_err(), "{endpoint}");
        }
    }
}
