//! `[sources]` has one table per source. When the name of a source is a kind, its defaults are in
//! `config/default.toml`. A source with any other name sets its `kind` and takes the defaults of that kind.

mod apis;
mod connection;
mod imap;
mod read;
mod webhook;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::values::*;

pub use apis::*;
pub use imap::ImapConfig;
pub use webhook::WebhookConfig;

use read::*;

/// Every source that has a table, by name. Only the sources in `ingester.sources` are read.
pub type SourcesConfig = BTreeMap<String, SourceConfig>;

/// The settings of one kind of source.
trait Settings {
    /// The first required key that is not set.
    fn lacks(&self) -> Option<&'static str> {
        None
    }

    /// The error message when several keys contradict each other.
    fn contradiction(&self) -> Option<String> {
        None
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($settings:ty) = $name:literal),+ $(,)?) => {
        /// The settings of a source, by its kind.
        #[derive(Clone, Debug)]
        pub enum SourceConfig { $($(#[$doc])* $kind($settings)),+ }

        /// The kinds of sources.
        pub const SOURCE_KINDS: &[&str] = &[$($name),+];

        impl SourceConfig {
            /// Reads the table of a source of `kind`; `None` when there is no such kind.
            pub fn read(kind: &str, table: config::Value) -> Option<Result<Self, config::ConfigError>> {
                match kind {
                    $($name => Some(<$settings>::deserialize(table).and_then(|settings| match settings.contradiction() {
                        Some(message) => Err(config::ConfigError::Message(message)),
                        None => Ok(Self::$kind(settings)),
                    })),)+
                    _ => None,
                }
            }

            /// The first required key that is not set.
            pub fn lacks(&self) -> Option<&'static str> {
                match self { $(Self::$kind(settings) => settings.lacks()),+ }
            }
        }
    };
}

kinds! {
    /// Generated posts.
    Synthetic(SyntheticConfig) = "synthetic",
    /// Posts from a file.
    Replay(ReplayConfig) = "replay",
    /// Files that are added to a folder or appended to.
    Folder(FolderConfig) = "folder",
    /// Posts from standard input.
    Stdin(StdinConfig) = "stdin",
    /// Bluesky through Jetstream.
    Bluesky(BlueskyConfig) = "bluesky",
    /// RSS, Atom and JSON feeds.
    Rss(RssConfig) = "rss",
    /// Mastodon's public and tag timelines.
    Mastodon(MastodonConfig) = "mastodon",
    /// Hacker News.
    HackerNews(HackerNewsConfig) = "hackernews",
    /// Reddit through an OAuth application.
    Reddit(RedditConfig) = "reddit",
    /// Reviews of games on Steam.
    Steam(SteamConfig) = "steam",
    /// JSON that other programs send.
    Webhook(WebhookConfig) = "webhook",
    /// Any endpoint that returns JSON.
    Json(JsonConfig) = "json",
    /// Issues and discussions of repositories on GitHub.
    GitHub(GitHubConfig) = "github",
    /// Comments on videos and channels of YouTube.
    YouTube(YouTubeConfig) = "youtube",
    /// Mails of a mailbox.
    Imap(ImapConfig) = "imap",
}

/// `kind = "synthetic"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticConfig {
    /// Posts per second, 0.1 to 50000.
    #[serde(deserialize_with = "rate")]
    pub rate: f64,
    /// The seed of the generator; equal seeds generate equal posts. `None`: a new seed at each start.
    #[serde(deserialize_with = "optional_count")]
    pub seed: Option<u64>,
    /// The number of posts after which the source ends. `None`: no end.
    #[serde(deserialize_with = "optional_count")]
    pub limit: Option<u64>,
    /// The mean time between incidents. Zero: no incidents.
    #[serde(deserialize_with = "any_duration")]
    pub incident_every: Duration,
}

impl Settings for SyntheticConfig {}

/// `kind = "replay"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayConfig {
    /// The NDJSON or CSV file to read. Required when the source is read.
    #[serde(deserialize_with = "optional")]
    pub path: Option<PathBuf>,
    /// Posts per second; `None`: as fast as the stream accepts them.
    #[serde(deserialize_with = "optional_rate")]
    pub rate: Option<f64>,
    /// Whether the times of posts are shifted to the present.
    pub retime: bool,
    /// Whether the source starts again at the end of the file, with new post ids.
    #[serde(rename = "loop")]
    pub repeat: bool,
}

impl Settings for ReplayConfig {
    fn lacks(&self) -> Option<&'static str> {
        self.path.is_none().then_some("path")
    }
}

/// `kind = "folder"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderConfig {
    /// The folder whose files are read, without its subfolders. Required when the source is read.
    #[serde(deserialize_with = "optional")]
    pub path: Option<PathBuf>,
    /// The time between two polls when nothing is new.
    #[serde(deserialize_with = "positive_duration")]
    pub interval: Duration,
    /// The names of fields in the input, by the name of the post's field.
    pub map: BTreeMap<String, String>,
}

impl Settings for FolderConfig {
    fn lacks(&self) -> Option<&'static str> {
        self.path.is_none().then_some("path")
    }
}

/// `kind = "stdin"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StdinConfig {
    /// The names of fields in the input, by the name of the post's field.
    pub map: BTreeMap<String, String>,
}

impl Settings for StdinConfig {}

/// `kind = "bluesky"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlueskyConfig {
    /// The WebSocket URLs of Jetstream hosts; at least one. When one fails, the next one is used.
    #[serde(deserialize_with = "websockets")]
    pub hosts: Vec<String>,
    /// ISO 639 codes in lower case, without regions: only posts in these languages. Empty: all languages.
    #[serde(deserialize_with = "languages")]
    pub languages: Vec<String>,
    /// Only posts that contain one of these, ignoring case. Empty: all posts.
    pub keywords: Vec<String>,
    /// Only posts of these accounts: DIDs, and handles in lower case without `@`. Empty: all accounts.
    #[serde(deserialize_with = "accounts")]
    pub authors: Vec<String>,
    /// The base URL of the API that resolves handles.
    #[serde(deserialize_with = "base")]
    pub api: Url,
    /// The share of posts to read, 0 to 1. The selection is the same at each start.
    #[serde(deserialize_with = "share")]
    pub sample: f64,
    /// How far in the past the first start begins; zero to 36 hours.
    #[serde(deserialize_with = "duration::<_, 0, LOOK_BACK>")]
    pub look_back: Duration,
    /// The source changes the host when it receives nothing for this long; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub idle_timeout: Duration,
    /// The file with the dictionary of compressed events; `None`: no compression.
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

/// `kind = "rss"`
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

/// `kind = "mastodon"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MastodonConfig {
    /// The base URLs of instances. Required when the source is read; exactly one with a token.
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

/// `kind = "hackernews"`
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

/// `kind = "reddit"`
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

/// `kind = "steam"`
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

/// The maximum history of a source, in milliseconds.
const HISTORY: u64 = 90 * 86_400_000;
/// The time that Jetstream keeps events, in milliseconds.
const LOOK_BACK: u64 = 36 * 3_600_000;
