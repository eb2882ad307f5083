//! Converts the settings of sources to their options.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;
use url::Url;

use super::Services;
use crate::config::{
    Config, ImapConfig, JsonConfig, RssConfig, SourceConfig, SourcesConfig, read_source, source_kinds,
};
use crate::domain::FieldError;
use crate::domain::managed_source::SourceDefinition;
use crate::domain::notify::Secrets;
use crate::sources::bluesky::{self, BlueskyOptions, Dictionary, Filter, FilterOptions, Names};
use crate::sources::budget::Budget;
use crate::sources::fetch::Fetcher;
use crate::sources::file::FieldMap;
use crate::sources::folder::{self, FolderOptions};
use crate::sources::github::{self, GitHubOptions, Parts};
use crate::sources::hackernews::{self, HackerNewsOptions};
use crate::sources::imap::{self, ImapOptions, Protection};
use crate::sources::json::{self, JsonOptions};
use crate::sources::managed::{Destination, SourceFactory, SourceKind};
use crate::sources::mapping::Mapping;
use crate::sources::mastodon::{self, MastodonOptions};
use crate::sources::reddit::{self, RedditOptions};
use crate::sources::rss::{self, RssOptions};
use crate::sources::steam::{self, SteamOptions};
use crate::sources::tls;
use crate::sources::webhook::{self, Hook, Signature};
use crate::sources::youtube::{self, Place, YouTubeOptions};
use crate::sources::{ReplayOptions, SourceSpec, SyntheticOptions, stdin};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// The longest wait for an answer of a mail server. It is shorter than the time limit of a source test.
const MAIL_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest number of feeds of one source.
const MAX_FEEDS: usize = 1_000;

/// The sources that `ingester.sources` names.
///
/// # Errors
/// When a source lacks a required setting.
pub fn sources(config: &Config, services: &Services) -> anyhow::Result<Vec<SourceSpec>> {
    let table = |name: &String| config.sources.get(name).with_context(|| format!("missing table [sources.{name}]"));
    config.ingester.sources.iter().map(|name| source(name, table(name)?, services)).collect()
}

/// Creates the sources that users add.
pub struct Factory {
    kinds: Vec<SourceKind>,
    reserved: Vec<String>,
    /// The webhooks of the configuration.
    hooks: BTreeMap<String, Arc<Hook>>,
    /// The tables of the configuration. The table of a kind contains the connection settings of that kind.
    tables: SourcesConfig,
    services: Services,
}

impl Factory {
    /// A factory that reserves the names of the configured sources.
    pub fn new(config: &Config, services: &Services) -> Self {
        let read = |name: &String| Some((name.clone(), Arc::new(hook(config.sources.get(name)?)?)));
        Self {
            kinds: source_kinds(),
            reserved: config.ingester.sources.clone(),
            hooks: config.ingester.sources.iter().filter_map(read).collect(),
            tables: config.sources.clone(),
            services: services.clone(),
        }
    }

    /// The settings of an added source.
    fn read(&self, definition: &SourceDefinition, secrets: &Secrets) -> Result<SourceConfig, Vec<FieldError>> {
        let (settings, secrets) = definition.with_accounts(secrets);
        let mut settings = read_source(&definition.kind, &settings, &secrets)?;
        if let Some(table) = self.tables.get(&definition.kind) {
            settings.connect_like(table);
        }
        Ok(settings)
    }
}

impl SourceFactory for Factory {
    fn kinds(&self) -> &[SourceKind] {
        &self.kinds
    }

    fn reserved(&self) -> &[String] {
        &self.reserved
    }

    fn spec(&self, definition: &SourceDefinition, secrets: &Secrets) -> Result<SourceSpec, Vec<FieldError>> {
        let settings = self.read(definition, secrets)?;
        let wrong = |error: anyhow::Error| vec![FieldError::new("settings", format!("{error:#}"))];
        source(&definition.name, &settings, &self.services).map_err(wrong)
    }

    fn destinations(&self, definition: &SourceDefinition, secrets: &Secrets) -> Vec<Destination> {
        let settings = self.read(definition, secrets).ok();
        settings.as_ref().map(destinations).unwrap_or_default()
    }

    fn hook(&self, definition: &SourceDefinition, secrets: &Secrets) -> Option<Hook> {
        self.read(definition, secrets).ok().as_ref().and_then(hook)
    }

    fn configured_hook(&self, name: &str) -> Option<Arc<Hook>> {
        self.hooks.get(name).cloned()
    }
}

/// The servers to which a source with these settings sends its secrets.
fn destinations(settings: &SourceConfig) -> Vec<Destination> {
    let to = |setting, url: &Url| Destination { setting, origin: url.origin() };
    match settings {
        SourceConfig::Mastodon(settings) => settings.instances.iter().map(|url| to("instances", url)).collect(),
        SourceConfig::Reddit(settings) => vec![to("url", &settings.url), to("token_url", &settings.token_url)],
        SourceConfig::Json(settings) => settings.url.iter().map(|url| to("url", url)).collect(),
        SourceConfig::GitHub(settings) => vec![to("url", &settings.url)],
        SourceConfig::YouTube(settings) => vec![to("url", &settings.url)],
        SourceConfig::Imap(settings) => mail_server(settings).iter().map(|url| to("host", url)).collect(),
        // These kinds have no secrets, except for webhooks, whose secrets are not sent to a server.
        SourceConfig::Synthetic(_)
        | SourceConfig::Replay(_)
        | SourceConfig::Folder(_)
        | SourceConfig::Stdin(_)
        | SourceConfig::Bluesky(_)
        | SourceConfig::Rss(_)
        | SourceConfig::HackerNews(_)
        | SourceConfig::Steam(_)
        | SourceConfig::Webhook(_) => Vec::new(),
    }
}

/// The server of a mailbox as a URL. Connections with and without TLS have different origins.
fn mail_server(settings: &ImapConfig) -> Option<Url> {
    let scheme = if settings.tls == Protection::None { "http" } else { "https" };
    Url::parse(&format!("{scheme}://{}:{}/", settings.host.as_deref()?, settings.port())).ok()
}

/// The webhook with these settings; `None` for another kind of source.
fn hook(settings: &SourceConfig) -> Option<Hook> {
    let SourceConfig::Webhook(settings) = settings else { return None };
    let secret = settings.secret.as_ref()?.expose_secret();
    let header = (settings.signature_header.as_str(), settings.tolerance);
    let mapping = Mapping {
        items: settings.items_path.clone(),
        text: settings.text_path.clone(),
        id: settings.id_path.clone(),
        author: settings.author_path.clone(),
        time: settings.time_path.clone(),
        url: settings.url_path.clone(),
        lang: settings.lang_path.clone(),
    };
    Some(Hook { signature: Signature::new(settings.signature, secret, header).ok()?, mapping })
}

/// The resolver of Bluesky handles, which uses the API of the first Bluesky source.
pub fn names(config: &Config, services: &Services) -> Option<Names> {
    // A source that a user added uses the API that the table of its kind names.
    used(config).chain(config.sources.values()).find_map(|source| match source {
        SourceConfig::Bluesky(settings) => Some(Names::new(settings.api.clone(), fetcher(services, 120, MINUTE))),
        _ => None,
    })
}

/// Whether `ingester.sources` has a Bluesky source.
pub fn reads_bluesky(config: &Config) -> bool {
    used(config).any(|source| matches!(source, SourceConfig::Bluesky(_)))
}

/// The settings of the sources in `ingester.sources`.
fn used(config: &Config) -> impl Iterator<Item = &SourceConfig> {
    config.ingester.sources.iter().filter_map(|name| config.sources.get(name))
}

fn source(name: &str, settings: &SourceConfig, services: &Services) -> anyhow::Result<SourceSpec> {
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
            // The public API allows 3,000 requests in five minutes.
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
            // An instance allows 300 requests per IP address in this time, and other programs may use the same address.
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
            // The API has no limit. This is about fifty times the rate of new items.
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
            // Reddit allows an application 100 requests in this time.
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
            // GitHub allows a token 5,000 requests per hour, and an address without one 60.
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
                tls: tls::client_config().context("TLS")?,
            };
            // The limit applies to connections. Servers allow few sign-ins per minute.
            Ok(imap::spec(name, options, || fetcher(services, 20, MINUTE), clock.clone()))
        }
    }
}

fn json_options(settings: &JsonConfig) -> anyhow::Result<JsonOptions> {
    let mut headers = HeaderMap::new();
    if let Some(secret) = &settings.secret {
        let mut value = HeaderValue::from_str(secret.expose_secret()).context("secret")?;
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
fn fetcher(services: &Services, requests: u32, time: Duration) -> Fetcher {
    let budget = Budget::new(NonZeroU32::new(requests).unwrap_or(NonZeroU32::MIN), time);
    Fetcher::new(services.outbound.clone(), budget, services.clock.clone())
}

/// The feeds of the list and of the OPML file.
fn feeds(settings: &RssConfig) -> anyhow::Result<Vec<Url>> {
    let mut feeds = settings.feeds.clone();
    if let Some(path) = &settings.opml {
        let listed = listed(path).with_context(|| format!("opml: {}", path.display()))?;
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
