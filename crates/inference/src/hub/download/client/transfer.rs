//! Downloads one file into the cache. Names from the Hub are checked before they become part of a path, so that a
//! hostile mirror cannot write outside of the cache.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::Builder;
use url::{Host, Url};

use super::super::super::{HubError, HubOptions, cache};
use super::Job;
use super::api::Api;
use crate::durable;

/// The number of hex digits of a commit.
const COMMIT_DIGITS: usize = 40;
/// The number of hex digits of the hash of a large file. The hash of a small file is a SHA-1, which is not checked.
const SHA256_DIGITS: usize = 64;
/// The allowed numbers of hex digits of a hash: 40 for small files (SHA-1), 64 for large files (SHA-256).
const ETAG_DIGITS: [usize; 2] = [40, SHA256_DIGITS];
/// The number of bytes read at once when a file is checked.
const CHUNK: usize = 1 << 20;
/// The number of received bytes after which they are written to the disk. A single write at the end of a large file
/// could take longer than the timeout of the caller.
const SYNC_BYTES: u64 = 64 << 20;

/// How a file differs from the one on the Hub.
#[derive(Debug, thiserror::Error)]
enum Damage {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error("{length} of {size} bytes")]
    Size { length: u64, size: u64 },
    #[error("its SHA-256 differs from that on the Hub")]
    Digest,
}

/// A file to download: a file of a repository at a commit.
pub struct Wanted<'a> {
    /// The client of the Hub.
    pub api: &'a Api,
    /// The path in the repository.
    pub name: &'a str,
    /// The commit, as 40 hex digits.
    pub commit: &'a str,
    /// The size in bytes, if the description of the revision states it.
    pub size: Option<u64>,
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

/// The paths of a file in the cache, and what it must contain. All parts of the paths have been validated.
struct Places {
    blob: PathBuf,
    part: PathBuf,
    pointer: PathBuf,
    /// The hash of the content, which is the name of the blob.
    etag: String,
    /// The size in bytes.
    size: u64,
}

impl Job {
    /// Downloads a file, or the missing rest of it, and links it into its snapshot. The file gets its final name after
    /// it was checked and written to the disk, so a crash or another process never finds an unchecked file.
    pub fn transfer(&mut self, wanted: &Wanted<'_>) -> Result<(), HubError> {
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
        let blob = cache::repository(&self.model.repository, &self.options).join("blobs").join(&metadata.etag);
        let snapshot = cache::snapshot(&self.model.repository, wanted.commit.to_owned(), &self.options);
        let places = Places {
            part: blob.with_extension("part"),
            pointer: snapshot.folder.join(wanted.name),
            size: wanted.size.unwrap_or(metadata.size),
            etag: metadata.etag,
            blob,
        };
        for path in [&places.blob, &places.pointer] {
            fs::create_dir_all(durable::folder_of(path)).map_err(|error| self.disk(&error))?;
        }
        let _lock = self.lock(&places, wanted.name)?;
        if places.blob.exists() {
            // Another program may have stored the blob without a check.
            self.check(&places.blob, &places, wanted.name).inspect_err(|_| {
                // Without its blob, the link is not usable either. It may not exist.
                let _ = fs::remove_file(&places.pointer);
            })?;
        } else {
            self.fetch(
                wanted,
                &Source { url, size: metadata.size, has_sha256: places.etag.len() == SHA256_DIGITS },
                &places.part,
            )?;
            self.check(&places.part, &places, wanted.name)?;
            fs::rename(&places.part, &places.blob).map_err(|error| self.disk(&error))?;
            durable::sync_entry(&places.blob);
        }
        link(&places, wanted.name).map_err(|error| self.disk(&error))
    }

    /// Checks a file in the cache, and removes it if it differs from the one on the Hub.
    fn check(&self, path: &Path, places: &Places, name: &str) -> Result<(), HubError> {
        self.verify(path, places).map_err(|damage| {
            // An error is ignored, because the next attempt detects the damage again.
            let _ = fs::remove_file(path);
            HubError::Damaged { file: name.to_owned(), reason: damage.to_string() }
        })
    }

    /// Compares the size and, for a large file, the SHA-256 of a file with those on the Hub.
    fn verify(&self, path: &Path, expected: &Places) -> Result<(), Damage> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        if length != expected.size {
            return Err(Damage::Size { length, size: expected.size });
        }
        if expected.etag.len() != SHA256_DIGITS {
            return Ok(());
        }
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
        if digits.eq_ignore_ascii_case(&expected.etag) { Ok(()) } else { Err(Damage::Digest) }
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
        if start >= source.size || !source.has_sha256 {
            // The partial file of an earlier attempt is too long, complete but not checked, or cannot be checked later,
            // so it is discarded.
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
        let (mut length, mut unsynced) = (start, 0);
        while length < source.size {
            let Some(chunk) = wanted.api.next(&mut answer).map_err(|error| self.meaning(error, name))? else { break };
            let chunk = chunk.as_ref();
            let left = usize::try_from(source.size - length).unwrap_or(usize::MAX);
            let chunk = &chunk[..chunk.len().min(left)];
            file.write_all(chunk).map_err(|e| self.disk(&e))?;
            length += chunk.len() as u64;
            unsynced += chunk.len() as u64;
            if unsynced >= SYNC_BYTES {
                file.sync_data().map_err(|e| self.disk(&e))?;
                unsynced = 0;
            }
            self.events.received(chunk.len() as u64);
        }
        if length < source.size {
            let reason = format!("{length} of {} bytes", source.size);
            return Err(HubError::Broken { file: name.to_owned(), reason });
        }
        file.sync_all().map_err(|e| self.disk(&e))
    }
}

/// The URL of a file and its length in bytes.
struct Source {
    url: String,
    size: u64,
    /// Whether the Hub states the SHA-256 of the file.
    has_sha256: bool,
}

/// Links the blob into the snapshot by a relative path, as the Hub's own tools do. The link replaces a file or link
/// atomically, because another process may be reading it.
fn link(places: &Places, name: &str) -> io::Result<()> {
    let up: PathBuf = Path::new(name).components().map(|_| "..").collect();
    let target = up.join("..").join("blobs").join(&places.etag);
    Builder::new()
        .make_in(durable::folder_of(&places.blob), |path| symlink(&target, path))?
        .persist(&places.pointer)?;
    durable::sync_entry(&places.pointer);
    Ok(())
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
