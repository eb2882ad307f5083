//! `[sources]` has one table per source. When the name of a source is a kind, its defaults are in
//! `config/default.toml`. A source with any other name sets its `kind` and takes the defaults of that kind.

mod apis;
mod connection;
mod imap;
mod local;
mod networks;
mod read;
mod webhook;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use apis::*;
pub use imap::ImapConfig;
pub use local::*;
pub use networks::*;
pub use webhook::WebhookConfig;

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

/// The maximum history of a source, in milliseconds.
const HISTORY: u64 = 90 * 86_400_000;
