//! Settings of sources that read social networks, feeds and reviews.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::super::values::*;
use super::read::*;
use super::{HISTORY, Settings};

/// The time that Jetstream keeps events, in milliseconds.
const LOOK_BACK: u64 = 36 * 3_600_000;

/// The settings of a source with `kind = "bluesky"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlueskyConfig {
    /// The WebSocket URLs of Jetstream hosts; at least one. When one fails, the next one is used.
    #[serde(deserialize_with = "websockets")]
    pub hosts: Vec<String>,
    /// ISO 639 codes in lower case, without regions: only posts in these languages. Empty: all languages.
    #[serde(deserialize_with = "languages")]
    pub languages: Vec<String>,
    /// Only posts that contain one of these keywords, ignoring case. Empty: all posts.
    pub keywords: Vec<String>,
    /// Only posts of these accounts: DIDs, and handles in lower case without `@`. Empty: all accounts.
    #[serde(deserialize_with = "accounts")]
    pub authors: Vec<String>,
    /// The base URL of the API that resolves handles.
    #[serde(deserialize_with = "base")]
    pub api: Url,
    /// The share of posts to read, 0 to 1. Each start selects the same posts.
    #[serde(deserialize_with = "share")]
    pub sample: f64,
    /// How far in the past the first start begins; zero to 36 hours.
    #[serde(deserialize_with = "duration::<_, 0, LOOK_BACK>")]
    pub look_back: Duration,
    /// The source changes the host when it receives nothing for this long; at least one second, and with `authors` at
    /// least 45 seconds, because the selected accounts may post rarely.
    #[serde(deserialize_with = "seconds")]
    pub idle_timeout: Duration,
    /// The file with the dictionary that decompresses events. `None`: hosts send events without compression.
    #[serde(deserialize_with = "optional")]
    pub zstd_dictionary: Option<PathBuf>,
    /// How far back to read when the source is added; at most 90 days. Zero: only new posts. Requires authors or
    /// keywords.
    #[serde(deserialize_with = "duration::<_, 0, HISTORY>")]
    pub history: Duration,
}

impl Settings for BlueskyConfig {
    fn contradiction(&self) -> Option<String> {
        let lacks = !self.history.is_zero() && self.authors.is_empty() && self.keywords.is_empty();
        lacks.then(|| {
            "history needs authors or keywords, because Bluesky has no list of all earlier posts; look_back reads all \
             posts of the last 36 hours"
                .to_owned()
        })
    }
}

/// The settings of a source with `kind = "rss"`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RssConfig {
    /// The http(s) URLs of feeds, or of pages that link to their feed, without duplicates.
    #[serde(deserialize_with = "web_urls")]
    pub feeds: Vec<Url>,
    /// An OPML file: a list of feeds as feed readers export it.
    #[serde(deserialize_with = "optional")]
    pub opml: Option<PathBuf>,
    /// The shortest time between two polls of a feed; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub min_interval: Duration,
    /// The longest time between two polls of a feed; not shorter than `min_interval`.
    #[serde(deserialize_with = "seconds")]
    pub max_interval: Duration,
    /// How far back to read when the source is added; at most 90 days. Zero: only new posts.
    #[serde(deserialize_with = "duration::<_, 0, HISTORY>")]
    pub history: Duration,
}

impl fmt::Debug for RssConfig {
    /// Leaves out the URLs of feeds, because they may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RssConfig").field("feeds", &self.feeds.len()).field("opml", &self.opml).finish_non_exhaustive()
    }
}

impl Settings for RssConfig {
    fn lacks(&self) -> Option<&'static str> {
        (self.feeds.is_empty() && self.opml.is_none()).then_some("feeds or opml")
    }

    fn contradiction(&self) -> Option<String> {
        (self.min_interval > self.max_interval).then(|| "min_interval must not be longer than max_interval".to_owned())
    }
}

/// The settings of a source with `kind = "mastodon"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MastodonConfig {
    /// The base URLs of instances. Required when the source is read. With a token, there is exactly one.
    #[serde(deserialize_with = "bases")]
    pub instances: Vec<Url>,
    /// The tags whose timelines are read, in lower case, without `#`. Empty: the public timeline.
    #[serde(deserialize_with = "tags")]
    pub tags: Vec<String>,
    /// Whether only posts written at the instance itself are read.
    pub local: bool,
    /// The time between two polls of a timeline; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub interval: Duration,
    /// How far back to look for late posts of other servers when `local` is false; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub rewind: Duration,
    /// How far back to read when the source is added; at most 90 days. Zero: only new posts.
    #[serde(deserialize_with = "duration::<_, 0, HISTORY>")]
    pub history: Duration,
    /// The token of a user of the only instance. `None`: timelines are polled instead of streamed.
    #[serde(deserialize_with = "optional_secret")]
    pub token: Option<SecretString>,
    /// The stream is reconnected when it receives nothing for this long; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub idle_timeout: Duration,
}

impl Settings for MastodonConfig {
    fn lacks(&self) -> Option<&'static str> {
        self.instances.is_empty().then_some("instances")
    }

    fn contradiction(&self) -> Option<String> {
        let several = self.token.is_some() && self.instances.len() > 1;
        several.then(|| "a token is valid for one instance: use a separate source for each instance".to_owned())
    }
}

/// The settings of a source with `kind = "hackernews"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HackerNewsConfig {
    /// The base URL of the API.
    #[serde(deserialize_with = "base")]
    pub url: Url,
    /// The time between two polls when nothing is new; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub interval: Duration,
    /// The id of the first item of the first start. `None`: start with the next new item.
    #[serde(deserialize_with = "optional_count")]
    pub first_id: Option<u64>,
    /// The id of the last item, inclusive, after which the source ends. `None`: no end.
    #[serde(deserialize_with = "optional_count")]
    pub last_id: Option<u64>,
    /// How far back to read when the source is added; at most 90 days. Zero: only new posts.
    #[serde(deserialize_with = "duration::<_, 0, HISTORY>")]
    pub history: Duration,
    /// The base URL of the search that has older items.
    #[serde(deserialize_with = "base")]
    pub search_url: Url,
}

impl Settings for HackerNewsConfig {
    fn contradiction(&self) -> Option<String> {
        let backwards = self.last_id.is_some() && self.first_id.is_none_or(|first| Some(first) > self.last_id);
        backwards.then(|| {
            "last_id needs a start of the range: set first_id, which must not be larger than last_id".to_owned()
        })
    }
}

/// The settings of a source with `kind = "reddit"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedditConfig {
    /// The base URL of the API.
    #[serde(deserialize_with = "base")]
    pub url: Url,
    /// The URL at which the application requests tokens.
    #[serde(deserialize_with = "base")]
    pub token_url: Url,
    /// The id of the OAuth application. Required when the source is read.
    #[serde(deserialize_with = "optional_text")]
    pub client_id: Option<String>,
    /// The secret of the OAuth application. Required when the source is read.
    #[serde(deserialize_with = "optional_secret")]
    pub client_secret: Option<SecretString>,
    /// The user agent of requests. `None`: the name and version of SentiStream.
    #[serde(deserialize_with = "optional_text")]
    pub user_agent: Option<String>,
    /// The names of subreddits in lower case, without `r/`. At least one is required when the source is read.
    #[serde(deserialize_with = "subreddits")]
    pub subreddits: Vec<String>,
    /// Whether comments are read in addition to posts.
    pub comments: bool,
    /// The time between two polls; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub interval: Duration,
    /// How far back to read when the source is added; at most 90 days. Zero: only new posts.
    #[serde(deserialize_with = "duration::<_, 0, HISTORY>")]
    pub history: Duration,
}

impl Settings for RedditConfig {
    fn lacks(&self) -> Option<&'static str> {
        match self {
            Self { client_id: None, .. } => Some("client_id"),
            Self { client_secret: None, .. } => Some("client_secret"),
            Self { subreddits, .. } if subreddits.is_empty() => Some("subreddits"),
            _ => None,
        }
    }
}

/// The settings of a source with `kind = "steam"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SteamConfig {
    /// The base URL of the store.
    #[serde(deserialize_with = "base")]
    pub url: Url,
    /// The numbers of the games whose reviews are read. At least one is required when the source is read.
    #[serde(deserialize_with = "apps")]
    pub apps: Vec<u32>,
    /// Steam's name of the language of the reviews to read; `all` for all languages.
    #[serde(deserialize_with = "steam_language")]
    pub language: String,
    /// The time between two polls of a game; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub interval: Duration,
    /// How far back to read when the source is added; at most 90 days. Zero: only new posts.
    #[serde(deserialize_with = "duration::<_, 0, HISTORY>")]
    pub history: Duration,
}

impl Settings for SteamConfig {
    fn lacks(&self) -> Option<&'static str> {
        self.apps.is_empty().then_some("apps")
    }
}
