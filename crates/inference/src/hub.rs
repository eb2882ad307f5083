//! Finds models of the Hugging Face Hub in the cache, or downloads them.
//!
//! The cache has the layout of the Hub's own tools, which can share it. A download pins the revision: its commit is
//! stored under the name of the branch, and later starts use this commit without a request. `models pull` updates the
//! commit.

mod cache;
mod download;
mod progress;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::files::ModelFiles;

pub use cache::{cached, find};

/// The branch that is used if the setting names no revision.
const DEFAULT_REVISION: &str = "main";

/// A model of the Hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubModel {
    /// The repository as `OWNER/NAME`. Some old repositories have only a name.
    pub repository: String,
    /// A branch, tag or commit; `None` for `main`.
    pub revision: Option<String>,
}

impl fmt::Display for HubModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf:{}", self.repository)?;
        self.revision.iter().try_for_each(|revision| write!(f, "@{revision}"))
    }
}

/// Options for access to the Hub.
#[derive(Clone, Debug)]
pub struct HubOptions {
    /// The folder of downloaded models (`models--OWNER--NAME/snapshots/…`).
    pub cache: PathBuf,
    /// The URL of the Hub, without a trailing slash.
    pub endpoint: String,
    /// The token for private and gated models. `None`: requests carry no token.
    pub token: Option<SecretString>,
    /// Whether requests to the Hub are disabled.
    pub offline: bool,
    /// The maximum time without data, after which a download fails.
    pub silence_limit: Duration,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            cache: PathBuf::from("data/huggingface/hub"),
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            offline: false,
            silence_limit: Duration::from_secs(30),
        }
    }
}

/// A complete model in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The repository, such as `owner/name`.
    pub repository: String,
    /// The hash of the commit.
    pub commit: String,
    /// The folder of the files of this commit.
    pub folder: PathBuf,
}

impl Snapshot {
    /// The name stored with each analysis: the repository and the first twelve digits of the commit.
    pub fn name(&self) -> String {
        format!("{}@{}", self.repository, self.commit.chars().take(12).collect::<String>())
    }

    /// The files of the model.
    pub fn files(&self) -> ModelFiles {
        ModelFiles::in_folder(self.folder.clone(), self.name())
    }
}

/// Why a model of the Hub is not available. Messages say what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// The name is wrong, or the model is not public.
    #[error(
        "{endpoint} has no model {repository} that you may read ({status}): check the name (OWNER/NAME); \
         for a private or gated model set inference.hub.token (HF_TOKEN)"
    )]
    NoModel {
        /// The URL of the Hub (`inference.hub.endpoint`).
        endpoint: String,
        /// The model in the form `OWNER/NAME`.
        repository: String,
        /// The HTTP status of the Hub's response: 401, 403 or 404.
        status: u16,
    },
    /// The model exists, but the revision does not.
    #[error(
        "{repository} has no revision `{revision}`: use a branch, a tag or a commit, or omit the revision to use the \
         branch main"
    )]
    NoRevision {
        /// The model in the form `OWNER/NAME`.
        repository: String,
        /// The branch, tag or commit that was requested.
        revision: String,
    },
    /// The model exists, but is not supported.
    #[error("{0}")]
    Unsupported(String),
    /// The model is not in the cache, and downloads are off.
    #[error(
        "the model is not in {cache}, and inference.hub.offline is set: run `sentistream models pull {model}` on a machine \
         with access to the Hub, and copy its folder of models to this folder"
    )]
    Offline {
        /// The model in the form `hf:OWNER/NAME[@REVISION]`.
        model: String,
        /// The folder of the cache.
        cache: String,
    },
    /// The Hub does not respond, or its response is invalid.
    #[error(
        "{endpoint} cannot be reached ({reason}): check the network, the proxy and inference.hub.endpoint; models in \
         the cache need no network"
    )]
    Unreachable {
        /// The URL of the Hub (`inference.hub.endpoint`).
        endpoint: String,
        /// Why the request or the download failed, or why the response is invalid.
        reason: String,
    },
    /// The transfer of a file ended early. The bytes received so far are kept.
    #[error("the download of {file} was interrupted ({reason}): retry; it resumes at the last byte received")]
    Broken {
        /// The path of the file in the repository.
        file: String,
        /// Why the transfer ended, or how many of the bytes were received.
        reason: String,
    },
    /// The size or the hash of a file differs from that on the Hub.
    #[error("{file} is damaged ({reason}) and was deleted: download the model again")]
    Damaged {
        /// The path of the file in the repository.
        file: String,
        /// The difference, or why the file cannot be checked.
        reason: String,
    },
    /// The disk is full.
    #[error("the disk of {cache} is full ({reason}): free space, or move the cache with inference.hub.home")]
    Full {
        /// The folder of the cache.
        cache: String,
        /// The error of the operating system, or the numbers of needed and free bytes.
        reason: String,
    },
    /// The cache is not writable.
    #[error(
        "cannot write to {cache} ({reason}): give the user that runs SentiStream write access, or move the cache with inference.hub.home"
    )]
    Unwritable {
        /// The folder of the cache.
        cache: String,
        /// The error of the operating system.
        reason: String,
    },
    /// The endpoint is neither https nor on loopback.
    #[error(
        "inference.hub.endpoint is {endpoint}, which is not https: a token and a model must not go over a network in \
         plain text; use https, or http on loopback"
    )]
    Insecure {
        /// The URL of the Hub (`inference.hub.endpoint`).
        endpoint: String,
    },
    /// The Hub sent a name that is not safe to use in a path.
    #[error("the Hub sent an invalid {what}: {value:?}; check inference.hub.endpoint")]
    Untrusted {
        /// The kind of the value: `commit`, `etag` or `file name`.
        what: &'static str,
        /// The first 100 characters of the value.
        value: String,
    },
    /// Another process downloads the same file.
    #[error("another process is downloading {file} into the same cache: retry when that download is complete")]
    Busy {
        /// The path of the file in the repository.
        file: String,
    },
    /// No data arrived for too long.
    #[error(
        "the Hub sent no data for {seconds} s: retry; the download resumes at the last byte received. For a slow \
         network, increase inference.hub.timeout"
    )]
    Silent {
        /// The limit that was exceeded (`inference.hub.timeout`), in seconds.
        seconds: u64,
    },
}

impl HubError {
    /// Whether a setting must be changed. Otherwise a retry may succeed.
    pub fn is_setting(&self) -> bool {
        matches!(
            self,
            Self::NoModel { .. }
                | Self::NoRevision { .. }
                | Self::Unsupported(_)
                | Self::Offline { .. }
                | Self::Insecure { .. }
        )
    }

    fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Broken { .. } | Self::Damaged { .. } | Self::Busy { .. })
    }
}

/// Returns the model from the cache, or downloads it. Blocks the thread.
///
/// # Errors
/// Why the model is not available.
pub fn obtain(model: &HubModel, options: &HubOptions) -> Result<Snapshot, HubError> {
    match find(model, options)? {
        Some(snapshot) => Ok(snapshot),
        None => pull(model, options),
    }
}

/// Downloads the current version of the model. Files that are already in the cache are not downloaded again. Blocks the
/// thread.
///
/// # Errors
/// Why the model is not available.
pub fn pull(model: &HubModel, options: &HubOptions) -> Result<Snapshot, HubError> {
    if options.offline {
        let cache = options.cache.display().to_string();
        return Err(HubError::Offline { model: model.to_string(), cache });
    }
    download::run(model, options)
}
