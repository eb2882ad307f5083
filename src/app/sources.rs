//! Creates the sources of the configuration, and the sources that users add.

mod spec;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use url::Url;

use super::Services;
use crate::config::{Config, ImapConfig, SourceConfig, SourcesConfig, read_source, source_kinds};
use crate::domain::FieldError;
use crate::domain::managed_source::SourceDefinition;
use crate::domain::notify::Secrets;
use crate::sources::SourceSpec;
use crate::sources::bluesky::Names;
use crate::sources::imap::Protection;
use crate::sources::managed::{Destination, SourceFactory, SourceKind};
use crate::sources::mapping::Mapping;
use crate::sources::webhook::{Hook, Signature};

use spec::{MINUTE, fetcher, source};

/// The sources that `ingester.sources` names.
///
/// # Errors
/// When a source lacks its table or a required setting, or when a setting cannot be used, such as a file that cannot be
/// read.
pub fn sources(config: &Config, services: &Services) -> anyhow::Result<Vec<SourceSpec>> {
    let table = |name: &String| {
        config
            .sources
            .get(name)
            .with_context(|| format!("ingester.sources names {name:?}, but the table [sources.{name}] is missing"))
    };
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

/// The resolver of Bluesky handles, which uses the API of the first Bluesky source in `ingester.sources`, or else of
/// the first Bluesky table in the configuration.
pub fn names(config: &Config, services: &Services) -> Option<Names> {
    // Sources that users add take the API from the table of their kind, so the tables of all kinds are searched too.
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
