//! The settings of sources that users add at run time. Their descriptions come from `config/default.toml`, and their
//! values are parsed by the same code as the configuration.

use serde_json::{Map, Value as Json};
use toml::Value;

use super::template::{Found, Template, fits, join, kind as kind_of};
use super::values::parse_duration;
use super::{DEFAULT_TOML, SourceConfig};
use crate::domain::FieldError;
use crate::domain::notify::Secrets;
use crate::sources::managed::{FieldKind, SourceField, SourceKind};

/// The kinds of sources that users can add: name, title, and the keys that only the configuration may set. These keys
/// name files, hosts, details of a connection or a range of items. [`SourceConfig::connect_like`] applies the
/// connection settings of the configuration to added sources.
const KINDS: &[(&str, &str, &[&str])] = &[
    ("rss", "Feeds and web pages", &["opml"]),
    ("bluesky", "Bluesky", &["hosts", "api", "idle_timeout", "zstd_dictionary"]),
    ("mastodon", "Mastodon", &["rewind", "idle_timeout"]),
    ("hackernews", "Hacker News", &["url", "search_url", "first_id", "last_id"]),
    ("reddit", "Reddit", &["url", "token_url"]),
    ("steam", "Steam reviews", &["url"]),
    ("webhook", "Webhook", &[]),
    ("json", "JSON endpoint", &[]),
    ("github", "GitHub issues and discussions", &[]),
    ("youtube", "YouTube comments", &["url"]),
    ("imap", "E-mail", &[]),
];

/// The beginning of the sentence in `config/default.toml` that says when a key is required.
const CONDITION: &str = " Required when ";

/// The suffix of keys that name a file to read the value from: `token_file` for `token`.
const FILE: &str = "_file";

/// The kinds of sources that users can add, with the fields of their settings.
pub fn source_kinds() -> Vec<SourceKind> {
    let template = Template::new();
    KINDS.iter().map(|known| described(&template, *known)).collect()
}

fn described(template: &Template, (kind, title, hidden): (&str, &str, &[&str])) -> SourceKind {
    let section = format!("sources.{kind}");
    let fields = keys(template, &section)
        .into_iter()
        .filter(|key| !hidden.contains(&key.as_str()))
        .filter_map(|key| field(template, &section, key))
        .collect();
    SourceKind { kind: kind.to_owned(), title: title.to_owned(), about: comment_above(&format!("[{section}]")), fields }
}

/// The keys of a section, without the `…_file` keys that name a file with the value of another key.
fn keys(template: &Template, section: &str) -> Vec<String> {
    let of_section = |key: &str| key.strip_prefix(section)?.strip_prefix('.').map(str::to_owned);
    let all: Vec<String> = template.keys().filter_map(of_section).collect();
    let names_file = |key: &str| key.strip_suffix(FILE).is_some_and(|key| all.iter().any(|other| other == key));
    all.iter().filter(|key| !names_file(key)).cloned().collect()
}

fn field(template: &Template, section: &str, key: String) -> Option<SourceField> {
    let Found::Leaf(default) = template.find(&join(section, &key)) else { return None };
    let is_secret = matches!(template.find(&join(section, &format!("{key}{FILE}"))), Found::Leaf(_));
    let kind = match default {
        _ if is_secret => FieldKind::Secret,
        Value::Boolean(_) => FieldKind::Boolean,
        Value::Integer(_) | Value::Float(_) => FieldKind::Number,
        Value::Array(_) => FieldKind::List,
        Value::String(text) if parse_duration(text).is_ok() => FieldKind::Duration,
        Value::String(_) => FieldKind::Text,
        Value::Datetime(_) | Value::Table(_) => return None,
    };
    let comment = comment_in(section, &key);
    Some(SourceField {
        title: title(&key),
        // The form marks required fields, so the help does not repeat the condition.
        help: comment.split(CONDITION).next().unwrap_or_default().to_owned(),
        required: comment.contains(CONDITION),
        default: if is_secret { None } else { serde_json::to_value(default).ok() },
        kind,
        key,
    })
}

/// The title of a key: "Min interval" for `min_interval`.
fn title(key: &str) -> String {
    let words = key.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The comment above a key of a section in `config/default.toml`.
fn comment_in(section: &str, key: &str) -> String {
    let head = format!("\n[{section}]\n");
    let body = DEFAULT_TOML.split_once(&head).map_or("", |(_, body)| body);
    let body = body.split("\n[").next().unwrap_or_default();
    comment_of(body, &format!("{key} ="))
}

fn comment_above(line: &str) -> String {
    comment_of(DEFAULT_TOML, line)
}

/// The comment directly above the line that begins with `start`.
pub(super) fn comment_of(text: &str, start: &str) -> String {
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines() {
        if line.starts_with(start) {
            break;
        }
        match line.strip_prefix('#') {
            Some(text) => comment.push(text.trim()),
            None => comment.clear(),
        }
    }
    comment.join(" ")
}

/// Parses the settings of a source of `kind`.
///
/// # Errors
/// The validation errors by field (`settings.KEY`, `secrets.KEY`, `kind`): all unknown fields and wrong types, or else
/// the first value that is not allowed or is missing.
pub fn read_source(
    kind: &str,
    settings: &Map<String, Json>,
    secrets: &Secrets,
) -> Result<SourceConfig, Vec<FieldError>> {
    let template = Template::new();
    let Some(known) = KINDS.iter().find(|(name, ..)| *name == kind).map(|known| described(&template, *known)) else {
        let names: Vec<&str> = KINDS.iter().map(|(name, ..)| *name).collect();
        return Err(vec![FieldError::new("kind", format!("must be one of {}", names.join(", ")))]);
    };
    let section = format!("sources.{kind}");
    let mut table = toml::Table::new();
    for key in keys(&template, &section) {
        if let Found::Leaf(default) = template.find(&join(&section, &key)) {
            table.insert(key, default.clone());
        }
    }
    let mut errors = Vec::new();
    for (key, value) in settings {
        match set(&known, key, value) {
            Ok(value) => _ = table.insert(key.clone(), value),
            Err(error) => errors.push(FieldError::new(format!("settings.{key}"), error.to_string())),
        }
    }
    for (key, secret) in &secrets.0 {
        match known.fields.iter().find(|field| field.key == *key && field.kind == FieldKind::Secret) {
            Some(_) => {
                _ = table.insert(key.clone(), Value::String(secrecy::ExposeSecret::expose_secret(secret).to_owned()));
            }
            None => errors.push(FieldError::new(format!("secrets.{key}"), format!("{kind} has no such secret"))),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let wrong = |key: &str, message: String| {
        let is_secret = known.fields.iter().any(|field| field.key == key && field.kind == FieldKind::Secret);
        let field = if is_secret { "secrets" } else { "settings" };
        let field = if key.is_empty() { field.to_owned() } else { format!("{field}.{key}") };
        vec![FieldError::new(field, message)]
    };
    let value: config::Value = to_config(Value::Table(table));
    let read = SourceConfig::read(kind, value).unwrap_or_else(|| Err(config::ConfigError::Message(kind.to_owned())));
    let source = read.map_err(|error| {
        let (key, message) = super::resolve::describe(error);
        wrong(&key, message)
    })?;
    match source.lacks() {
        Some(key) => Err(wrong(key.split(' ').next().unwrap_or(key), "is required".to_owned())),
        None => Ok(source),
    }
}

/// Why the value of a field is invalid.
#[derive(Debug, thiserror::Error)]
enum InvalidField {
    #[error("{kind} has no such setting; it has {keys}")]
    Unknown { kind: String, keys: String },
    #[error("must not be null")]
    Null(#[source] toml::ser::Error),
    #[error("must be {0}")]
    Type(&'static str),
}

/// Converts a value to the type that `key` requires.
fn set(known: &SourceKind, key: &str, value: &Json) -> Result<Value, InvalidField> {
    let field = known.fields.iter().find(|field| field.key == key && field.kind != FieldKind::Secret);
    let Some(default) = field.and_then(|field| field.default.as_ref()) else {
        let settings = known.fields.iter().filter(|field| field.kind != FieldKind::Secret);
        let keys: Vec<&str> = settings.map(|field| field.key.as_str()).collect();
        return Err(InvalidField::Unknown { kind: known.kind.clone(), keys: keys.join(", ") });
    };
    let read = |value: &Json| Value::try_from(value).map_err(InvalidField::Null);
    let (value, default) = (read(value)?, read(default)?);
    if fits(&default, &value) { Ok(value) } else { Err(InvalidField::Type(kind_of(&default))) }
}

fn to_config(value: Value) -> config::Value {
    let kind = match value {
        Value::String(text) => config::ValueKind::String(text),
        Value::Integer(number) => config::ValueKind::I64(number),
        Value::Float(number) => config::ValueKind::Float(number),
        Value::Boolean(is) => config::ValueKind::Boolean(is),
        Value::Datetime(at) => config::ValueKind::String(at.to_string()),
        Value::Array(values) => config::ValueKind::Array(values.into_iter().map(to_config).collect()),
        Value::Table(table) => {
            config::ValueKind::Table(table.into_iter().map(|(key, value)| (key, to_config(value))).collect())
        }
    };
    config::Value::new(None, kind)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;

    use super::*;

    fn problems(kind: &str, settings: Json) -> Vec<String> {
        let Json::Object(settings) = settings else { panic!("not an object") };
        let read = read_source(kind, &settings, &Secrets::default());
        read.err().unwrap_or_default().into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn every_field_has_a_help_and_a_type() {
        for kind in source_kinds() {
            assert!(!kind.about.is_empty() && !kind.fields.is_empty(), "{}", kind.kind);
            for field in kind.fields {
                assert!(!field.help.is_empty(), "{} {}", kind.kind, field.key);
                assert!(!field.help.contains("ingester.sources"), "{} {}: {}", kind.kind, field.key, field.help);
            }
        }
        let kinds = source_kinds();
        let field = |kind: &str, key: &str| {
            let kind = kinds.iter().find(|known| known.kind == kind).unwrap();
            kind.fields.iter().find(|field| field.key == key).cloned()
        };
        assert_eq!(field("rss", "min_interval").map(|field| field.kind), Some(FieldKind::Duration));
        assert_eq!(field("mastodon", "token").map(|field| field.kind), Some(FieldKind::Secret));
        assert_eq!(
            field("mastodon", "instances").map(|field| (field.kind, field.required)),
            Some((FieldKind::List, true))
        );
        assert_eq!((field("rss", "opml"), field("mastodon", "token_file")), (None, None));
    }

    #[test]
    fn fields_that_a_source_needs_are_marked_as_required() {
        let required = |kind: SourceKind| {
            let fields = kind.fields.into_iter().filter(|field| field.required).map(|field| field.key);
            (kind.kind, fields.collect::<Vec<_>>())
        };
        let kinds: BTreeMap<String, Vec<String>> = source_kinds().into_iter().map(required).collect();
        // One value of each required field. A source needs all of them.
        let samples = json!({
            "rss": {"feeds": ["https://a.b"]}, "bluesky": {}, "mastodon": {"instances": ["a.b"]}, "hackernews": {},
            "reddit": {"client_id": "a", "client_secret": "b", "subreddits": ["rust"]}, "steam": {"apps": ["620"]},
            "webhook": {"secret": "a secret of enough bytes"}, "json": {"url": "https://a.b", "text_path": "$.a"},
            "github": {"repositories": ["a/b"]}, "youtube": {"key": "a"},
            "imap": {"host": "a.b", "user": "a", "password": "b"},
        });
        let keys = |sample: &Json| sample.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        for (kind, required) in &kinds {
            assert_eq!(BTreeSet::from_iter(required.clone()), keys(&samples[kind]), "{kind}");
            for left_out in required {
                let mut settings = samples[kind].as_object().unwrap().clone();
                settings.remove(left_out);
                let mut secrets = Secrets::default();
                for key in ["client_secret", "secret", "key", "password"] {
                    if let Some(Json::String(secret)) = settings.remove(key) {
                        secrets.0.insert(key.to_owned(), secret.into());
                    }
                }
                let errors = read_source(kind, &settings, &secrets).err().unwrap_or_default();
                assert!(errors.iter().any(|error| error.field.ends_with(left_out)), "{kind} {left_out}: {errors:?}");
            }
        }
    }

    #[test]
    fn error_names_the_invalid_setting() {
        assert_eq!(problems("rss", json!({"feeds": ["https://example.org/feed.xml"]})), [""; 0]);
        assert_eq!(problems("rss", json!({})), ["settings.feeds"]);
        assert_eq!(problems("rss", json!({"feeds": "x", "colour": 1})), ["settings.colour", "settings.feeds"]);
        assert_eq!(problems("rss", json!({"feeds": ["ftp://example.org"]})), ["settings.feeds"]);
        assert_eq!(problems("rss", json!({"feeds": ["https://a.b"], "opml": "/etc/passwd"})), ["settings.opml"]);
        assert_eq!(problems("folder", json!({"path": "/etc"})), ["kind"]);
        assert_eq!(
            problems("mastodon", json!({"instances": ["mastodon.social"], "interval": "soon"})),
            ["settings.interval"]
        );
    }
}
