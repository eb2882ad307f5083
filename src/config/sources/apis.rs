//! Settings of sources that read the APIs of services.

use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, de::Error as _};
use url::Url;

use super::super::values::*;
use super::read::{folder, web_url};
use super::{HISTORY, Settings};
use crate::sources::github;
use crate::sources::mapping::Path;
use crate::sources::youtube::{self, Channel};

/// The settings of a source with `kind = "json"`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonConfig {
    /// The URL of the endpoint. Required when the source is read.
    #[serde(deserialize_with = "optional_url")]
    pub url: Option<Url>,
    /// The header that carries the secret.
    #[serde(deserialize_with = "parsed")]
    pub header: HeaderName,
    /// The value of the header. `None`: requests do not have it.
    #[serde(deserialize_with = "optional_secret")]
    pub secret: Option<SecretString>,
    /// The path to the items of a document.
    #[serde(deserialize_with = "parsed")]
    pub items_path: Path,
    /// The path to the text of an item. Required when the source is read.
    #[serde(deserialize_with = "optional")]
    pub text_path: Option<Path>,
    /// The path to the id of an item. `None`: ids are derived from author, time and text.
    #[serde(deserialize_with = "optional")]
    pub id_path: Option<Path>,
    /// The path to the author of an item.
    #[serde(deserialize_with = "optional")]
    pub author_path: Option<Path>,
    /// The path to the time of an item. `None`: the current time.
    #[serde(deserialize_with = "optional")]
    pub time_path: Option<Path>,
    /// The path to the URL of an item.
    #[serde(deserialize_with = "optional")]
    pub url_path: Option<Path>,
    /// The path to the language tag of an item. `None`: the language is detected.
    #[serde(deserialize_with = "optional")]
    pub lang_path: Option<Path>,
    /// The path to the URL of the next page in a document. `None`: the URL in the `Link` header with `rel="next"`.
    #[serde(deserialize_with = "optional")]
    pub next_path: Option<Path>,
    /// The time between two polls; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub interval: Duration,
    /// How far back to read when the source is added; at most 90 days. Zero: only new posts. Requires `time_path`.
    #[serde(deserialize_with = "duration::<_, 0, HISTORY>")]
    pub history: Duration,
}

impl fmt::Debug for JsonConfig {
    /// Leaves out the URL, because the URL may contain a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonConfig")
            .field("header", &self.header)
            .field("items", &self.items_path)
            .finish_non_exhaustive()
    }
}

impl Settings for JsonConfig {
    fn lacks(&self) -> Option<&'static str> {
        match self {
            Self { url: None, .. } => Some("url"),
            Self { text_path: None, .. } => Some("text_path"),
            _ => None,
        }
    }

    fn contradiction(&self) -> Option<String> {
        if !self.history.is_zero() && self.time_path.is_none() {
            return Some("history needs the time of items: set time_path".to_owned());
        }
        let secret = self.secret.as_ref()?.expose_secret();
        HeaderValue::from_str(secret).err().map(|_| "secret has characters that a header must not have".to_owned())
    }
}

/// The settings of a source with `kind = "github"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitHubConfig {
    /// The base URL of the API, which ends with a slash.
    #[serde(deserialize_with = "folder")]
    pub url: Url,
    /// The repositories as `owner/name` in lower case. At least one is required when the source is read.
    #[serde(deserialize_with = "repositories")]
    pub repositories: Vec<String>,
    /// A token. `None`: GitHub accepts fewer requests per hour, and no requests for discussions.
    #[serde(deserialize_with = "optional_secret")]
    pub token: Option<SecretString>,
    /// Whether comments on issues are read.
    pub comments: bool,
    /// Whether discussions are read. Requires a token.
    pub discussions: bool,
    /// Whether pull requests and comments on them are read.
    pub pull_requests: bool,
    /// The time between two polls of a repository; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub interval: Duration,
    /// How far back to read when the source is added; at most 90 days. Zero: only new posts.
    #[serde(deserialize_with = "duration::<_, 0, HISTORY>")]
    pub history: Duration,
}

impl Settings for GitHubConfig {
    fn lacks(&self) -> Option<&'static str> {
        match self {
            Self { repositories, .. } if repositories.is_empty() => Some("repositories"),
            Self { discussions: true, token: None, .. } => Some("token"),
            _ => None,
        }
    }
}

/// Reads names of repositories, or the URLs of their pages, without duplicates.
fn repositories<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    named(de, github::repository, "expected repositories such as \"owner/name\"")
}

/// The settings of a source with `kind = "youtube"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YouTubeConfig {
    /// The base URL of the API, which ends with a slash.
    #[serde(deserialize_with = "folder")]
    pub url: Url,
    /// An API key. Required when the source is read.
    #[serde(deserialize_with = "optional_secret")]
    pub key: Option<SecretString>,
    /// The ids of videos. Videos or channels are required when the source is read.
    #[serde(deserialize_with = "videos")]
    pub videos: Vec<String>,
    /// The channels.
    #[serde(deserialize_with = "channels")]
    pub channels: Vec<Channel>,
    /// Whether replies to comments are read.
    pub replies: bool,
    /// The time between two polls of a video or channel; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub interval: Duration,
    /// How far back to read when the source is added; at most 90 days. Zero: only new posts.
    #[serde(deserialize_with = "duration::<_, 0, HISTORY>")]
    pub history: Duration,
}

impl Settings for YouTubeConfig {
    fn lacks(&self) -> Option<&'static str> {
        match self {
            Self { key: None, .. } => Some("key"),
            Self { videos, channels, .. } if videos.is_empty() && channels.is_empty() => Some("videos or channels"),
            _ => None,
        }
    }
}

/// Reads ids of videos, or the URLs of their pages, without duplicates.
fn videos<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    named(de, youtube::video, "expected videos such as \"https://youtu.be/dQw4w9WgXcQ\"")
}

/// Reads ids or handles of channels, or the URLs of their pages, without duplicates.
fn channels<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<Channel>, D::Error> {
    named(de, youtube::channel, "expected channels such as \"@name\" or \"https://www.youtube.com/@name\"")
}

/// Reads texts with the parser `name`, without duplicates.
fn named<'de, D: Deserializer<'de>, T: PartialEq>(
    de: D,
    name: impl Fn(&str) -> Option<T>,
    expected: &str,
) -> Result<Vec<T>, D::Error> {
    let mut names = Vec::new();
    for text in Vec::<String>::deserialize(de)? {
        let name = name(&text).ok_or_else(|| D::Error::custom(format!("{expected}, found {text:?}")))?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Reads an http(s) URL; `None` when it is empty.
fn optional_url<'de, D: Deserializer<'de>>(de: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(de)?;
    (!text.trim().is_empty()).then(|| web_url(&text)).transpose().map_err(D::Error::custom)
}
