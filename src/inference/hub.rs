//! Models of the Hugging Face Hub: found in the cache, or downloaded into it.
//!
//! The cache is laid out as the Hub's own tools lay it out, so they share it. A revision is pinned
//! when it is downloaded: the branch is noted as the commit that it meant, and later starts use that
//! commit without asking anyone, until `models pull` asks anew.

mod cache;
mod download;
mod progress;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::files::ModelFiles;

pub use cache::{cached, find};

/// The branch that is meant when none is named.
const DEFAULT_REVISION: &str = "main";

/// A model of the Hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubModel {
    /// `OWNER/NAME`; the oldest have a name alone.
    pub repository: String,
    /// A branch, tag or commit; `None`: `main`.
    pub revision: Option<String>,
}

impl fmt::Display for HubModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf:{}", self.repository)?;
        self.revision.iter().try_for_each(|revision| write!(f, "@{revision}"))
    }
}

/// How the Hub is used.
#[derive(Clone, Debug)]
pub struct HubOptions {
    /// Where models are kept (`models--OWNER--NAME/snapshots/…`).
    pub cache: PathBuf,
    /// The Hub's address, without a slash at its end.
    pub endpoint: String,
    /// For private and gated models; without it, the one that the Hub's tools left beside the cache.
    pub token: Option<SecretString>,
    /// Never asks the Hub.
    pub offline: bool,
    /// The longest silence before a download is given up.
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

/// A model in the cache, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its repository.
    pub repository: String,
    /// Its commit.
    pub commit: String,
    /// Where its files lie.
    pub folder: PathBuf,
}

impl Snapshot {
    /// The name stored with each analysis: the repository and the first twelve digits of the commit.
    pub fn name(&self) -> String {
        format!("{}@{}", self.repository, self.commit.chars().take(12).collect::<String>())
    }

    /// Its files.
    pub fn files(&self) -> ModelFiles {
        ModelFiles::in_folder(self.folder.clone(), self.name())
    }
}

/// Why a model of the Hub cannot be had. Messages say what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// The name is wrong, or not everyone may read it.
    #[error(
        "{endpoint} knows no model {repository} that you may read ({status}): check the name (OWNER/NAME); \
         for a private or gated model set inference.hub.token (HF_TOKEN)"
    )]
    NoModel { endpoint: String, repository: String, status: u16 },
    /// The model is there, the revision is not.
    #[error("{repository} has no revision `{revision}`: name a branch, a tag or a commit, or none for the newest")]
    NoRevision { repository: String, revision: String },
    /// It is there, and is not for us.
    #[error("{0}")]
    Unsupported(String),
    /// It would have to be downloaded.
    #[error(
        "it is not in {cache}, and inference.hub.offline is set: run `sentistream models pull {model}` where \
         there is a network, and copy that folder here"
    )]
    Offline { model: String, cache: String },
    /// The Hub does not answer, or not sensibly.
    #[error(
        "{endpoint} cannot be reached ({reason}): check the network, the proxy and inference.hub.endpoint; a model \
         that was pulled before needs none of them"
    )]
    Unreachable { endpoint: String, reason: String },
    /// A file did not come through. What came is kept.
    #[error("the download of {file} broke off ({reason}): try again, it goes on from where it stopped")]
    Broken { file: String, reason: String },
    /// A file is not what the Hub says it is.
    #[error("{file} came through damaged ({reason}) and has been thrown away: try again")]
    Damaged { file: String, reason: String },
    /// There is no room.
    #[error("the disk of {cache} is full ({reason}): free some space, or move the cache with inference.hub.home")]
    Full { cache: String, reason: String },
    /// The cache cannot be written to.
    #[error("cannot write to {cache} ({reason}): give this user access, or move the cache with inference.hub.home")]
    Unwritable { cache: String, reason: String },
    /// The endpoint is not https.
    #[error(
        "inference.hub.endpoint is {endpoint}, which is not https: a token and a model must not go over a network in \
         plain text; use https, or http on loopback"
    )]
    Insecure { endpoint: String },
    /// The Hub names something that must not become part of a path.
    #[error("the Hub sent an invalid {what}: {value:?}; check inference.hub.endpoint")]
    Untrusted { what: &'static str, value: String },
    /// Another process is at it.
    #[error("another process downloads {file} into the same cache: start again when it is done")]
    Busy { file: String },
    /// Nothing came for too long.
    #[error(
        "the Hub fell silent for {seconds} s: try again, it goes on from where it stopped; for a slow network raise \
         inference.hub.timeout"
    )]
    Silent { seconds: u64 },
}

impl HubError {
    /// Whether another setting is needed, instead of another attempt.
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

/// The model from the cache, or else from the Hub. It blocks.
///
/// # Errors
/// Why it cannot be had.
pub fn obtain(model: &HubModel, options: &HubOptions) -> Result<Snapshot, HubError> {
    match find(model, options)? {
        Some(snapshot) => Ok(snapshot),
        None => pull(model, options),
    }
}

/// What the Hub has now, downloaded as far as the cache lacks it. It blocks.
///
/// # Errors
/// Why it cannot be had.
pub fn pull(model: &HubModel, options: &HubOptions) -> Result<Snapshot, HubError> {
    if options.offline {
        let cache = options.cache.display().to_string();
        return Err(HubError::Offline { model: model.to_string(), cache });
    }
    download::run(model, options)
}
