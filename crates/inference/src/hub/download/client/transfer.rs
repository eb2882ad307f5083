//! Downloads one file into the cache. Names from the Hub are checked before they become part of a path, so that a
//! hostile mirror cannot write outside of the cache.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use hf_hub::Cache;
use url::{Host, Url};

use super::super::super::{HubError, HubOptions};
use super::Job;
use super::api::Api;

/// The number of hex digits of a commit.
const COMMIT_DIGITS: usize = 40;
/// The allowed numbers of hex digits of a hash: 40 for small files (SHA-1), 64 for large files (SHA-256).
const ETAG_DIGITS: [usize; 2] = [40, 64];

/// A file to download: a file of a repository at a commit.
pub struct Wanted<'a> {
    /// The client of the Hub.
    pub api: &'a Api,
    /// The path in the repository.
    pub name: &'a str,
    /// The commit, as 40 hex digits.
    pub commit: &'a str,
}

/// Rejects plain HTTP over a network. It would expose the token, and an attacker could replace a model.
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

/// Checks the format of the commit that the Hub sent.
///
/// # Errors
/// [`HubError::Untrusted`] when the commit is not 40 hex digits.
pub fn check_commit(commit: &str) -> Result<(), HubError> {
    if commit.len() == COMMIT_DIGITS && is_hex(commit) { Ok(()) } else { Err(untrusted("commit", commit)) }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn untrusted(what: &'static str, value: &str) -> HubError {
    HubError::Untrusted { what, value: value.chars().take(100).collect() }
}

/// Whether the path `name` is inside the folder of its snapshot.
fn is_inside(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

/// The paths of a file in the cache. All parts of the paths have been validated.
struct Places {
    blob: PathBuf,
    part: PathBuf,
    pointer: PathBuf,
}

impl Job {
    /// Downloads a file, or the missing rest of it, and links it into its snapshot.
    pub fn transfer(&mut self, wanted: &Wanted<'_>) -> Result<PathBuf, HubError> {
        if !is_inside(wanted.name) {
            return Err(untrusted("file name", wanted.name));
        }
        check_commit(wanted.commit)?;
        let url = wanted.api.url(&self.model.repository, wanted.commit, wanted.name);
        let metadata = wanted.api.metadata(&url).map_err(|error| self.meaning(error, wanted.name))?;
        if metadata.commit != wanted.commit {
            return Err(untrusted("commit", &metadata.commit));
        }
        if !ETAG_DIGITS.contains(&metadata.etag.len()) || !is_hex(&metadata.etag) {
            return Err(untrusted("etag", &metadata.etag));
        }
        let cache = Cache::new(self.options.cache.clone()).model(self.model.repository.clone());
        let blob = cache.pointer_path(wanted.commit).join("../../blobs").join(&metadata.etag);
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
            self.fetch(wanted, &Source { url, size: metadata.size }, &places.part)?;
            fs::rename(&places.part, &places.blob).map_err(|error| self.disk(&error))?;
        }
        link(&places, wanted.name, &metadata.etag).map_err(|error| self.disk(&error))?;
        Ok(places.pointer)
    }

    fn lock(&self, places: &Places, name: &str) -> Result<File, HubError> {
        let file = File::create(places.blob.with_extension("lock")).map_err(|error| self.disk(&error))?;
        // Closing the file releases the lock.
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(_) => Err(HubError::Busy { file: name.to_owned() }),
        }
    }

    fn fetch(&mut self, wanted: &Wanted<'_>, source: &Source, part: &Path) -> Result<(), HubError> {
        let name = wanted.name;
        let mut file = OpenOptions::new().create(true).append(true).open(part).map_err(|e| self.disk(&e))?;
        let mut start = file.metadata().map_err(|e| self.disk(&e))?.len();
        if start >= source.size {
            // The partial file of an earlier attempt may be too long, or complete but unchecked, so it is discarded.
            file.set_len(0).map_err(|e| self.disk(&e))?;
            start = 0;
        }
        self.events.file(name, source.size);
        if source.size == 0 {
            return Ok(());
        }
        let mut answer = wanted.api.open(&source.url, start).map_err(|error| self.meaning(error, name))?;
        if start > 0 && answer.status().as_u16() != 206 {
            // The server ignores the requested range and sends the whole file.
            file.set_len(0).map_err(|e| self.disk(&e))?;
            start = 0;
        }
        self.events.received(start);
        let mut length = start;
        while length < source.size {
            let Some(chunk) = wanted.api.next(&mut answer).map_err(|error| self.meaning(error, name))? else { break };
            let chunk = chunk.as_ref();
            let left = usize::try_from(source.size - length).unwrap_or(usize::MAX);
            let chunk = &chunk[..chunk.len().min(left)];
            file.write_all(chunk).map_err(|e| self.disk(&e))?;
            length += chunk.len() as u64;
            self.events.received(chunk.len() as u64);
        }
        if length < source.size {
            let reason = format!("{length} of {} bytes", source.size);
            return Err(HubError::Broken { file: name.to_owned(), reason });
        }
        Ok(())
    }
}

/// The URL of a file and its length in bytes.
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
    fn name_or_hash_that_leaves_the_cache_is_rejected() {
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
