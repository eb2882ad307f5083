//! The description of every key, from the comments in `config/default.toml`.

use toml::Value;

use super::DEFAULT_TOML;
use super::described::comment_of;
use super::settings::is_secret;
use super::template::{Found, Template};
use super::values::parse_duration;

/// A key of `config/default.toml`.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyInfo {
    /// The key, as `section.key`.
    pub key: String,
    /// The comment: what the value means, its unit and limits.
    pub help: String,
    /// The type of the value.
    pub kind: ValueKind,
    /// The words that are allowed; empty if the value is not one of a fixed set.
    pub choices: Vec<String>,
    /// Whether an empty text means "not set".
    pub is_optional: bool,
    /// The value when no layer overrides it.
    pub default: Value,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A text.
    Text,
    /// A text that is never shown.
    Secret,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A duration as text, such as `15s` or `1h 30min`.
    Duration,
    /// A list.
    List,
    /// A table.
    Table,
}

/// Keys whose value is a duration, or an empty text for "not set".
const OPTIONAL_DURATIONS: [&str; 4] =
    ["retention.posts", "retention.rollups", "retention.alerts", "inference.unload_after"];

/// Describes every key, in the order of `config/default.toml`.
pub fn keys_described() -> Vec<KeyInfo> {
    let template = Template::new();
    let described = |key: &str| match template.find(key) {
        Found::Leaf(default) => Some(KeyInfo {
            key: key.to_owned(),
            help: comment_of_key(key),
            kind: kind(key, default),
            choices: choices(key).iter().map(|choice| (*choice).to_owned()).collect(),
            is_optional: OPTIONAL_DURATIONS.contains(&key) || default.as_str() == Some(""),
            default: default.clone(),
        }),
        Found::Section | Found::Unknown => None,
    };
    template.keys().filter_map(described).collect()
}

/// The comment of a section, such as `server.auth`. Empty if the reference does not contain the section.
pub fn section_help(section: &str) -> String {
    let head = format!("[{section}]");
    if DEFAULT_TOML.lines().any(|line| line == head) { comment_of(DEFAULT_TOML, &head) } else { String::new() }
}

fn comment_of_key(key: &str) -> String {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let body = match section {
        "" => DEFAULT_TOML,
        section => DEFAULT_TOML.split_once(&format!("\n[{section}]\n")).map_or("", |(_, body)| body),
    };
    comment_of(body.split("\n[").next().unwrap_or_default(), &format!("{name} ="))
}

fn kind(key: &str, default: &Value) -> ValueKind {
    match default {
        _ if is_secret(key) => ValueKind::Secret,
        _ if OPTIONAL_DURATIONS.contains(&key) => ValueKind::Duration,
        default => ValueKind::of(default),
    }
}

impl ValueKind {
    /// The type of a value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Boolean(_) => Self::Boolean,
            Value::Integer(_) => Self::Integer,
            Value::Float(_) => Self::Number,
            Value::Array(_) => Self::List,
            Value::Table(_) => Self::Table,
            Value::String(text) if parse_duration(text).is_ok() => Self::Duration,
            Value::String(_) | Value::Datetime(_) => Self::Text,
        }
    }
}

fn choices(key: &str) -> &'static [&'static str] {
    use strum::VariantNames as _;
    match key {
        "inference.other_languages" => crate::language::OtherLanguages::VARIANTS,
        "ingester.demo" => super::Demo::VARIANTS,
        "alerts.smtp.security" => super::SmtpSecurity::VARIANTS,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_comment_and_type() {
        let keys = keys_described();
        let find = |key: &str| keys.iter().find(|info| info.key == key).unwrap_or_else(|| panic!("{key}"));
        assert!(keys.iter().all(|info| !info.help.is_empty()), "{keys:?}");
        assert!(find("roles").help.starts_with("The parts that this process runs"), "{:?}", find("roles"));
        let posts = find("retention.posts");
        assert_eq!((posts.kind, posts.is_optional), (ValueKind::Duration, true));
        assert_eq!(find("llm.api_key").kind, ValueKind::Secret);
        assert_eq!(find("alerts.negative_share").kind, ValueKind::Number);
        assert_eq!(find("inference.other_languages").choices, ["unscored", "analyze", "neutral", "skip"]);
        assert!(section_help("retention").starts_with("How long data is kept"), "{}", section_help("retention"));
        assert_eq!(section_help("nothing"), "");
    }
}
