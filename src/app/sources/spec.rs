//! Converts the settings of a source to its options.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;
use url::Url;

use super::Services;
use crate::config::{JsonConfig, RssConfig, SourceConfig};
use crate::sources::bluesky::{self, BlueskyOptions, Dictionary, Filter, FilterOptions};
use crate::sources::budget::Budget;
use crate::sources::fetch::Fetcher;
use crate::sources::file::FieldMap;
use crate::sources::folder::{self, FolderOptions};
use crate::sources::github::{self, GitHubOptions, Parts};
use crate::sources::hackernews::{self, HackerNewsOptions};
use crate::sources::imap::{self, ImapOptions};
use crate::sources::json::{self, JsonOptions};
use crate::sources::mapping::Mapping;
use crate::sources::mastodon::{self, MastodonOptions};
use crate::sources::reddit::{self, RedditOptions};
use crate::sources::rss::{self, RssOptions};
use crate::sources::steam::{self, SteamOptions};
use crate::sources::tls;
use crate::sources::webhook;
use crate::sources::youtube::{self, Place, YouTubeOptions};
use crate::sources::{ReplayOptions, SourceSpec, SyntheticOptions, stdin};

pub(super) const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// The longest wait for an answer of a mail server. It is shorter than the time limit of a source test, so that the
/// test can report it.
const MAIL_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest number of feeds of one source.
const MAX_FEEDS: usize = 1_000;

/// The source `name` with these settings.
///
/// # Errors
/// When a required setting is missing, when a setting cannot be used (a file that cannot be read, a keyword filter that
/// cannot be built), or when there are more than [`MAX_FEEDS`] feeds.
pub(super) fn source(name: &str, settings: &SourceConfig, services: &Services) -> anyhow::Result<SourceSpec> {
    let clock = &services.clock;
    match settings {
        SourceConfig::Synthetic(synthetic) => {
            let options = SyntheticOptions {
                rate: synthetic.rate,
                seed: synthetic.seed,
                limit: synthetic.limit,
                incident_every: (!synthetic.incident_every.is_zero()).then_some(synthetic.incident_every),
            };
            Ok(SourceSpec::synthetic(name, options, clock.clone()))
        }
        SourceConfig::Replay(replay) => {
            let options = ReplayOptions {
                path: replay.path.clone().with_context(|| format!("sources.{name}.path is required"))?,
                rate: replay.rate,
                retime: replay.retime,
                repeat: replay.repeat,
                map: FieldMap::default(),
            };
            Ok(SourceSpec::replay(name, options, clock.clone()))
        }
        SourceConfig::Folder(settings) => {
            let options = FolderOptions {
                path: settings.path.clone().with_context(|| format!("sources.{name}.path is required"))?,
                interval: settings.interval,
                map: field_map(name, &settings.map)?,
            };
            Ok(folder::spec(name, options, clock.clone()))
        }
        SourceConfig::Stdin(settings) => Ok(stdin::spec(name, field_map(name, &settings.map)?, clock.clone())),
        SourceConfig::Bluesky(settings) => {
            let filter = Filter::new(&FilterOptions {
                languages: settings.languages.clone(),
                keywords: settings.keywords.clone(),
                sample: settings.sample,
            });
            let dictionary = settings.zstd_dictionary.as_deref().map(Dictionary::read).transpose();
            let options = BlueskyOptions {
                hosts: settings.hosts.clone(),
                filter: filter.with_context(|| format!("sources.{name}.keywords"))?,
                authors: settings.authors.clone(),
                api: settings.api.clone(),
                look_back: settings.look_back,
                idle_limit: settings.idle_timeout,
                dictionary: dictionary.with_context(|| format!("sources.{name}.zstd_dictionary"))?,
                history: settings.history,
            };
            // The public API allows 3,000 requests in five minutes. The source uses at most half of them.
            Ok(bluesky::spec(name, options, || fetcher(services, 300, MINUTE), clock.clone()))
        }
        SourceConfig::Rss(settings) => {
            let options = RssOptions {
                feeds: feeds(settings).with_context(|| format!("sources.{name}"))?,
                min_interval: settings.min_interval,
                max_interval: settings.max_interval,
                history: settings.history,
            };
            // The limit applies to each host, which may serve many feeds.
            Ok(rss::spec(name, options, || fetcher(services, 60, MINUTE), clock.clone()))
        }
        SourceConfig::Mastodon(settings) => {
            let options = MastodonOptions {
                instances: settings.instances.clone(),
                tags: settings.tags.clone(),
                local: settings.local,
                interval: settings.interval,
                rewind: settings.rewind,
                history: settings.history,
                token: settings.token.clone(),
                idle_limit: settings.idle_timeout,
            };
            // An instance allows 300 requests per IP address in five minutes, and other programs may use the same
            // address.
            Ok(mastodon::spec(name, options, || fetcher(services, 240, 5 * MINUTE), clock.clone()))
        }
        SourceConfig::HackerNews(settings) => {
            let options = HackerNewsOptions {
                base: settings.url.clone(),
                interval: settings.interval,
                first_id: settings.first_id,
                last_id: settings.last_id,
                history: settings.history,
                search: settings.search_url.clone(),
            };
            // The API has no limit. 600 requests per minute are about fifty times the rate of new items.
            Ok(hackernews::spec(name, options, || fetcher(services, 600, MINUTE), clock.clone()))
        }
        SourceConfig::Reddit(settings) => {
            let required = |key: &str| format!("sources.{name}.{key} is required");
            let options = RedditOptions {
                base: settings.url.clone(),
                token_url: settings.token_url.clone(),
                client_id: settings.client_id.clone().with_context(|| required("client_id"))?,
                client_secret: settings.client_secret.clone().with_context(|| required("client_secret"))?,
                user_agent: settings.user_agent.clone(),
                subreddits: settings.subreddits.clone(),
                comments: settings.comments,
                interval: settings.interval,
                history: settings.history,
            };
            // Reddit allows an application 100 requests per minute.
            Ok(reddit::spec(name, options, fetcher(services, 60, MINUTE), clock.clone()))
        }
        SourceConfig::Steam(settings) => {
            let options = SteamOptions {
                base: settings.url.clone(),
                apps: settings.apps.clone(),
                language: settings.language.clone(),
                interval: settings.interval,
                history: settings.history,
            };
            // Steam documents no limit for this list.
            Ok(steam::spec(name, options, fetcher(services, 30, MINUTE), clock.clone()))
        }
        SourceConfig::Webhook(_) => Ok(webhook::spec(name)),
        SourceConfig::Json(settings) => {
            let options = json_options(settings).with_context(|| format!("sources.{name}"))?;
            Ok(json::spec(name, options, fetcher(services, 60, MINUTE), clock.clone()))
        }
        SourceConfig::GitHub(settings) => {
            let options = GitHubOptions {
                base: settings.url.clone(),
                repositories: settings.repositories.clone(),
                token: settings.token.clone(),
                parts: Parts {
                    comments: settings.comments,
                    discussions: settings.discussions,
                    pull_requests: settings.pull_requests,
                },
                interval: settings.interval,
                history: settings.history,
            };
            // GitHub allows 5,000 requests per hour with a token, and 60 per IP address without a token.
            let requests = if settings.token.is_some() { 4_000 } else { 50 };
            Ok(github::spec(name, options, fetcher(services, requests, HOUR), clock.clone()))
        }
        SourceConfig::YouTube(settings) => {
            let videos = settings.videos.iter().cloned().map(Place::Video);
            let options = YouTubeOptions {
                base: settings.url.clone(),
                key: settings.key.clone().with_context(|| format!("sources.{name}.key is required"))?,
                places: videos.chain(settings.channels.iter().cloned().map(Place::Channel)).collect(),
                replies: settings.replies,
                interval: settings.interval,
                history: settings.history,
            };
            Ok(youtube::spec(name, options, fetcher(services, 120, MINUTE), clock.clone()))
        }
        SourceConfig::Imap(settings) => {
            let required = |key: &str| format!("sources.{name}.{key} is required");
            let options = ImapOptions {
                host: settings.host.clone().with_context(|| required("host"))?,
                port: settings.port(),
                protection: settings.tls,
                user: settings.user.clone().with_context(|| required("user"))?,
                password: settings.password.clone().with_context(|| required("password"))?,
                mailbox: settings.mailbox.clone(),
                senders: settings.senders.clone(),
                subjects: settings.subjects.clone(),
                interval: settings.interval,
                history: settings.history,
                timeout: MAIL_TIMEOUT,
                tls: tls::client_config().context("cannot set up TLS")?,
            };
            // This fetcher limits connections, because servers allow few sign-ins per minute.
            Ok(imap::spec(name, options, || fetcher(services, 20, MINUTE), clock.clone()))
        }
    }
}

fn json_options(settings: &JsonConfig) -> anyhow::Result<JsonOptions> {
    let mut headers = HeaderMap::new();
    if let Some(secret) = &settings.secret {
        let mut value =
            HeaderValue::from_str(secret.expose_secret()).context("the secret cannot be sent in a header")?;
        value.set_sensitive(true);
        headers.insert(settings.header.clone(), value);
    }
    Ok(JsonOptions {
        url: settings.url.clone().context("url is required")?,
        headers,
        mapping: Mapping {
            items: settings.items_path.clone(),
            text: settings.text_path.clone().context("text_path is required")?,
            id: settings.id_path.clone(),
            author: settings.author_path.clone(),
            time: settings.time_path.clone(),
            url: settings.url_path.clone(),
            lang: settings.lang_path.clone(),
        },
        next: settings.next_path.clone(),
        interval: settings.interval,
        history: settings.history,
    })
}

fn field_map(name: &str, fields: &BTreeMap<String, String>) -> anyhow::Result<FieldMap> {
    let mut map = FieldMap::default();
    for (ours, theirs) in fields {
        map.add(&format!("{ours}={theirs}")).with_context(|| format!("sources.{name}.map"))?;
    }
    Ok(map)
}

/// A fetcher that sends at most `requests` within `time`.
pub(super) fn fetcher(services: &Services, requests: u32, time: Duration) -> Fetcher {
    let budget = Budget::new(NonZeroU32::new(requests).unwrap_or(NonZeroU32::MIN), time);
    Fetcher::new(services.outbound.clone(), budget, services.clock.clone())
}

/// The feeds of `sources.NAME.feeds` and of the OPML file.
fn feeds(settings: &RssConfig) -> anyhow::Result<Vec<Url>> {
    let mut feeds = settings.feeds.clone();
    if let Some(path) = &settings.opml {
        let listed = listed(path).with_context(|| format!("cannot read the OPML file {}", path.display()))?;
        feeds.extend(listed.into_iter().filter(|feed| !settings.feeds.contains(feed)));
    }
    anyhow::ensure!(
        feeds.len() <= MAX_FEEDS,
        "{} feeds are configured, but a source reads at most {MAX_FEEDS}: use several sources",
        feeds.len()
    );
    Ok(feeds)
}

fn listed(path: &Path) -> anyhow::Result<Vec<Url>> {
    let list = rss::feeds_of(&std::fs::read_to_string(path)?)?;
    for url in &list.skipped {
        tracing::warn!(opml = %path.display(), url, "feed skipped: only http and https URLs are read");
    }
    Ok(list.feeds)
}
