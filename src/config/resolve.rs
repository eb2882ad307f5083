//! Converts the layers to a [`Config`]: reads secrets from files, parses the values, and checks rules that span several
//! keys.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::error::Problem;
use super::layers::{Layers, Setting};
use super::urls::{Backends, DatabaseUrl, StreamUrl};
use super::{
    Config, ConfigError, Demo, Inputs, Origin, Role, SOURCE_KINDS, Settings, SmtpSecurity, SourceConfig, SourcesConfig,
};

/// The prefix of the keys of all sources.
const SOURCES: &str = "sources.";

/// Reads all layers.
pub fn load(inputs: &Inputs) -> Result<(Config, Settings), ConfigError> {
    let mut layers = Layers::new();
    if let Some(path) = &inputs.file {
        layers.add_file(path);
    }
    inputs.environment.add_to(&mut layers);
    for set in &inputs.sets {
        add_set(&mut layers, set);
    }
    if let Some(roles) = &inputs.roles {
        layers.add_text("roles", roles, Origin::Flag("--roles".to_owned()));
    }

    let mut settings = layers.finish()?;
    super::paths::resolve(&mut settings);
    let settings = Settings::new(read_files(settings)?);
    let mut config = typed(&settings)?;
    config.sources = sources(&settings)?;
    if let (DatabaseUrl::Sqlite(path), Some(folder)) = (&mut config.database.url, data_folder(inputs, &settings)) {
        *path = folder.join(&*path);
    }
    config.backends = backends(&config, &settings)?;
    if config.ingester.demo == Demo::Auto {
        config.ingester.demo = if is_untouched(&config, &settings) { Demo::On } else { Demo::Off };
    }
    check(&config, &settings)?;
    config.settings = settings.clone();
    Ok((config, settings))
}

/// `config` with new values for the keys that may change while the server runs.
pub fn with_settings(config: &Config, settings: Settings) -> Result<Config, ConfigError> {
    let Config { retention, cache, alerts, server, inference, .. } = typed(&settings)?;
    // All other sections keep the values from the start of the process.
    let changed = Config { retention, cache, alerts, server, inference, settings, ..config.clone() };
    check(&changed, &changed.settings)?;
    Ok(changed)
}

/// Whether the database is embedded and no layer sets one of the settings that [`Demo::Auto`] lists.
/// `ingester.demo = "auto"` creates the demonstration only in this case.
fn is_untouched(config: &Config, settings: &Settings) -> bool {
    let is_selective = |key: &str| {
        let prefixes = ["sources.synthetic.", "topics", "alerts.rules", "alerts.receivers", "alerts.routes"];
        ["roles", "ingester.sources", "worker.store_only_matching", "retention.posts"].contains(&key)
            || prefixes.iter().any(|prefix| key.starts_with(prefix))
    };
    matches!(config.backends, Backends::Embedded { .. })
        && settings.all().filter(|setting| is_selective(&setting.key)).all(|setting| setting.origin == Origin::Default)
}

/// The folder that a relative database path is resolved against: the folder of the configuration file, so that a
/// command finds the server's database from any working folder. `None` if there is no configuration file, or if a flag
/// sets the path, because paths in flags are relative to the working folder.
fn data_folder<'a>(inputs: &'a Inputs, settings: &Settings) -> Option<&'a Path> {
    let is_flag = matches!(settings.origin("database.url"), Origin::Flag(_));
    inputs.file.as_deref().and_then(Path::parent).filter(|_| !is_flag)
}

fn add_set(layers: &mut Layers, set: &str) {
    match set.split_once('=') {
        Some((key, value)) => {
            let key = key.trim();
            layers.add_text(key, value, Origin::Flag(format!("--set {key}")));
        }
        None => {
            let flag = Origin::Flag("--set".to_owned());
            layers.problem("", flag, format!("expected section.key=value, found {set:?}"));
        }
    }
}

/// The suffix of keys that name a file to read the value from: `url_file` for `url`.
const FILE: &str = "_file";

/// Replaces values by the contents of the files that `…_file` keys name. If a key and its `…_file` key are both set,
/// the one from the layer with the higher precedence is used. Setting both in one layer is an error.
fn read_files(mut settings: Vec<Setting>) -> Result<Vec<Setting>, ConfigError> {
    let place = |settings: &[Setting], key: &str| settings.iter().position(|setting| setting.key == key);
    for file in 0..settings.len() {
        let file_key = settings[file].key.clone();
        let Some(key) = file_key.strip_suffix(FILE) else { continue };
        let Some(value) = place(&settings, key) else { continue };
        let origin = settings[file].origin.clone();
        let path = settings[file].value.as_str().unwrap_or_default().to_owned();
        let is_set = settings[value].origin != Origin::Default;
        if path.is_empty() || (is_set && settings[value].origin.rank() > origin.rank()) {
            continue;
        }
        if is_set && settings[value].origin.rank() == origin.rank() {
            let message = format!("{key} is also set ({}): set only one of them", settings[value].origin);
            return Err(ConfigError::new(file_key, origin, message));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|e| ConfigError::new(&file_key, origin.clone(), format!("cannot read {path}: {e}")))?;
        settings[value].value = text.trim().to_owned().into();
        settings[value].origin = origin;
    }
    Ok(settings)
}

fn typed(settings: &Settings) -> Result<Config, ConfigError> {
    let table = table(settings, |key| (!key.starts_with(SOURCES)).then_some(key))?;
    config::Config::try_deserialize(table).map_err(|error| {
        let (key, message) = describe(error);
        ConfigError::new(&key, settings.origin(&key), message)
    })
}

/// Reads the table of each source, by the name of the source.
fn sources(settings: &Settings) -> Result<SourcesConfig, ConfigError> {
    let mut sources = SourcesConfig::new();
    let names: BTreeSet<&str> =
        settings.all().filter_map(|setting| Some(setting.key.strip_prefix(SOURCES)?.split_once('.')?.0)).collect();
    for name in names {
        let prefix = format!("{SOURCES}{name}.");
        let set = settings.all().find(|setting| setting.key.strip_prefix(&prefix) == Some("kind"));
        let kind = set.and_then(|setting| setting.value.as_str()).unwrap_or(name);
        let table = table(settings, |key| key.strip_prefix(&prefix).filter(|key| *key != "kind"))?;
        let value = config::Value::new(None, table.cache.kind);
        let read = SourceConfig::read(kind, value).unwrap_or_else(|| {
            Err(config::ConfigError::Message(format!("{kind} must be one of {}", SOURCE_KINDS.join(", "))))
        });
        let source = read.map_err(|error| {
            let (key, message) = describe(error);
            let key = format!("{prefix}{key}");
            // A problem that spans several keys is reported for their table.
            let key = key.trim_end_matches('.');
            ConfigError::new(key, settings.origin(key), message)
        })?;
        sources.insert(name.to_owned(), source);
    }
    Ok(sources)
}

/// A table of all settings for which `pick` returns a key. Each value is stored under that key. Leaves out the
/// `_file` keys whose contents were read into another key.
fn table<'a>(settings: &'a Settings, pick: impl Fn(&'a str) -> Option<&'a str>) -> Result<config::Config, ConfigError> {
    let all: BTreeSet<&str> = settings.all().map(|setting| setting.key.as_str()).collect();
    let names_file = |key: &str| key.strip_suffix(FILE).is_some_and(|key| all.contains(key));
    let mut builder = config::Config::builder();
    for Setting { key, value, .. } in settings.all().filter(|setting| !names_file(&setting.key)) {
        let Some(short) = pick(key) else { continue };
        let set = value.clone().try_into::<config::Value>().map_err(|e| e.to_string());
        let set = set.and_then(|value| builder.set_override(short, value).map_err(|e| e.to_string()));
        builder = set.map_err(|message| ConfigError::new(key, settings.origin(key), message))?;
    }
    builder.build().map_err(|error| ConfigError::new("", Origin::Default, error.to_string()))
}

/// The invalid key and the error message.
pub fn describe(error: config::ConfigError) -> (String, String) {
    match error {
        config::ConfigError::At { error, key, .. } => (dotted(&key.unwrap_or_default()), describe(*error).1),
        config::ConfigError::Type { unexpected, expected, key, .. } => {
            (dotted(&key.unwrap_or_default()), format!("expected {expected}, found {unexpected}"))
        }
        config::ConfigError::NotFound(key) => (dotted(&key), "is required".to_owned()),
        other => (String::new(), other.to_string()),
    }
}

/// Inserts the dots that the library leaves out in key names: `tokens[0]sha256` becomes `tokens[0].sha256`.
fn dotted(key: &str) -> String {
    let mut parts = key.split(']').map(|part| part.trim_start_matches('.'));
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |key, part| {
        let separator = if part.is_empty() || part.starts_with('[') { "]" } else { "]." };
        format!("{key}{separator}{part}")
    })
}

/// The backends that the two URLs select. Only some pairs are supported; all others are an error.
fn backends(config: &Config, settings: &Settings) -> Result<Backends, ConfigError> {
    let wrong = |key: &str, message: String| Err(ConfigError::new(key, settings.origin(key), message));
    match (&config.database.url, &config.stream.url) {
        (DatabaseUrl::Sqlite(path), StreamUrl::Local) => match &config.database.read_url {
            None => Ok(Backends::Embedded { path: path.clone() }),
            Some(_) => wrong("database.read_url", "a replica needs Postgres: leave it empty".to_owned()),
        },
        (DatabaseUrl::Postgres(database), StreamUrl::Redis(stream)) => {
            let read = match &config.database.read_url {
                None => None,
                Some(DatabaseUrl::Postgres(read)) => Some(read.clone()),
                Some(DatabaseUrl::Sqlite(_)) => {
                    return wrong("database.read_url", "must be a postgres:// URL, as database.url is".to_owned());
                }
            };
            Ok(Backends::Shared { database: database.clone(), read, stream: stream.clone() })
        }
        (DatabaseUrl::Postgres(_), StreamUrl::Local) => wrong(
            "stream.url",
            format!(
                "Postgres (database.url from {}) needs Redis: set stream.url to redis://HOST:PORT, \
                 or database.url to sqlite://PATH",
                settings.origin("database.url")
            ),
        ),
        (DatabaseUrl::Sqlite(_), StreamUrl::Redis(_)) => wrong(
            "database.url",
            format!(
                "Redis (stream.url from {}) needs Postgres: set database.url to postgres://USER:PASSWORD@HOST/NAME, \
                 or stream.url to local",
                settings.origin("stream.url")
            ),
        ),
    }
}

/// Checks rules that span several keys. A problem names the key that the layer with the highest precedence set.
fn check(config: &Config, settings: &Settings) -> Result<(), ConfigError> {
    let mut problems = Vec::new();
    let mut require = |holds: bool, keys: &[&str], message: &str| {
        let last = keys.iter().max_by_key(|key| settings.origin(key).rank());
        if let Some(key) = last.filter(|_| !holds) {
            let key = (*key).to_owned();
            problems.push(Problem { origin: settings.origin(&key), key, message: message.to_owned() });
        }
    };
    require(!config.roles.is_empty(), &["roles"], "name at least one of ingester, worker, alerts, api");
    let some_address = "name at least one address such as \"127.0.0.1:8000\"";
    require(!config.server.listen.is_empty(), &["server.listen"], some_address);
    let websocket = &config.server.websocket;
    require(
        websocket.timeout > websocket.ping_interval,
        &["server.websocket.ping_interval", "server.websocket.timeout"],
        "server.websocket.timeout must be longer than server.websocket.ping_interval",
    );
    let counted = config.alerts.window + config.alerts.max_lateness + Duration::from_secs(3600);
    require(
        counted <= config.retention.minute_rollups,
        &["retention.minute_rollups", "alerts.window", "alerts.max_lateness"],
        "alerts.window and alerts.max_lateness together must be at least an hour shorter than retention.minute_rollups",
    );
    let smtp = &config.alerts.smtp;
    if let Some(host) = &smtp.host {
        let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        require(
            smtp.security != SmtpSecurity::None || here,
            &["alerts.smtp.security", "alerts.smtp.host"],
            "\"none\" is only allowed for a mail server on this machine: use \"starttls\" or \"tls\"",
        );
        let sender = smtp.from.as_ref().is_some_and(|from| from.parse::<lettre::message::Mailbox>().is_ok());
        let message = "must be a mail address such as \"SentiStream <sentistream@example.org>\"";
        require(sender, &["alerts.smtp.from"], message);
    }
    require(
        config.retention.rollups.is_none_or(|rollups| config.retention.posts.is_some_and(|posts| posts <= rollups)),
        &["retention.rollups", "retention.posts"],
        "counts must be kept at least as long as posts: set retention.posts to at most retention.rollups, or leave \
         retention.rollups empty",
    );
    let mut routed = BTreeSet::new();
    for language in config.inference.routes.iter().flat_map(|route| &route.languages) {
        let message = format!("names the language {language:?} twice: a language can have only one model");
        require(routed.insert(language), &["inference.routes"], &message);
    }
    let llm = &config.llm;
    require(
        llm.model.is_some() || llm.provider.as_ref().is_none_or(|provider| provider.default_model().is_some()),
        &["llm.provider"],
        "this provider has no default model: set llm.model",
    );
    require(
        llm.provider.is_some() || llm.min_confidence == 0.0,
        &["llm.min_confidence"],
        "a second opinion needs a language model: set llm.provider",
    );
    require(
        llm.provider.is_some() || llm.min_topic_confidence == 0.0,
        &["llm.min_topic_confidence"],
        "a second opinion about topics needs a language model: set llm.provider",
    );
    if config.has_role(Role::Ingester) {
        for name in &config.ingester.sources {
            let known = config.sources.get(name);
            let message = match known.map(SourceConfig::lacks) {
                None => {
                    let names: Vec<_> = config.sources.keys().map(String::as_str).collect();
                    format!(
                        "{name:?} must be one of {}, or have a table [sources.{name}] with a kind",
                        names.join(", ")
                    )
                }
                Some(Some(key)) => format!("{name:?} lacks a required setting: set sources.{name}.{key}"),
                Some(None) => continue,
            };
            require(false, &["ingester.sources"], &message);
        }
        let piped = |name: &&String| matches!(config.sources.get(*name), Some(SourceConfig::Stdin(_)));
        let pipes = config.ingester.sources.iter().filter(piped).count();
        require(pipes <= 1, &["ingester.sources"], "only one source can read the standard input");
        let twice = config.ingester.sources.iter().collect::<BTreeSet<_>>().len() < config.ingester.sources.len();
        require(
            !twice,
            &["ingester.sources"],
            "names a source twice: give the second one another name and a table [sources.NAME]",
        );
    }
    if problems.is_empty() { Ok(()) } else { Err(ConfigError(problems)) }
}
