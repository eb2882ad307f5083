//! The effective values and their origins. Secrets are masked for display.

use std::fmt;

use toml::Value;

use super::Origin;
use super::layers::Setting;
use super::urls::mask;

/// Keys that hold a secret.
const SECRETS: [&str; 5] = [
    "server.auth.jwt.secret",
    "server.auth.oidc.client_secret",
    "llm.api_key",
    "inference.hub.token",
    "alerts.smtp.password",
];
/// Names of secret keys of sources.
const SOURCE_SECRETS: [&str; 5] = ["client_secret", "key", "password", "secret", "token"];
/// The key of the list of receivers; each receiver has a table `secrets`.
const RECEIVERS: &str = "alerts.receivers";
/// Keys that hold a URL that may contain a password.
const URLS: [&str; 3] = ["database.url", "database.read_url", "stream.url"];

/// The value of every key and where it came from, in the order of `config/default.toml`.
#[derive(Clone, Default)]
pub struct Settings(Vec<Setting>);

/// One value for display.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The key, as `section.key`.
    pub key: String,
    /// The value. `***` replaces secrets, passwords in URLs, queries of web URLs, and the secrets of a receiver.
    pub value: Value,
    /// The layer that set the value.
    pub origin: Origin,
}

impl Settings {
    pub(super) fn new(settings: Vec<Setting>) -> Self {
        Self(settings)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Setting> {
        self.0.iter()
    }

    /// Finds the setting of `key`.
    pub(super) fn find(&self, key: &str) -> Option<&Setting> {
        self.0.iter().find(|setting| setting.key == key)
    }

    /// Replaces the value of a key.
    pub(super) fn replace(&mut self, key: &str, value: Value, origin: Origin) {
        if let Some(setting) = self.0.iter_mut().find(|setting| setting.key == key) {
            (setting.value, setting.origin) = (value, origin);
        }
    }

    /// The origin of the value of `key`. For a table or an item of a list: the origin with the highest precedence among
    /// its values.
    pub fn origin(&self, key: &str) -> Origin {
        let key = key.split('[').next().unwrap_or_default();
        let below = |setting: &&Setting| match setting.key.strip_prefix(key) {
            Some(rest) => rest.is_empty() || rest.starts_with('.'),
            // The key may name an entry of a table that was set as one value.
            None => key.strip_prefix(&setting.key).is_some_and(|rest| rest.starts_with('.')),
        };
        let last = self.0.iter().filter(below).max_by_key(|setting| setting.origin.rank());
        last.map_or(Origin::Default, |setting| setting.origin.clone())
    }

    /// Every value, with secrets masked.
    pub fn shown(&self) -> impl Iterator<Item = Shown> {
        self.0.iter().map(|Setting { key, value, origin }| {
            let masked = match value.as_str() {
                Some("") | None => None,
                Some(_) if is_secret(key) => Some("***".to_owned()),
                Some(url) if URLS.contains(&key.as_str()) => Some(mask(url)),
                Some(_) => None,
            };
            let value = if key == RECEIVERS { without_secrets(value.clone()) } else { value.clone() };
            Shown { key: key.clone(), value: masked_urls(masked.map_or(value, Value::String)), origin: origin.clone() }
        })
    }
}

fn without_secrets(mut receivers: Value) -> Value {
    for receiver in receivers.as_array_mut().into_iter().flatten() {
        let secrets = receiver.get_mut("secrets").and_then(Value::as_table_mut);
        for (_, secret) in secrets.into_iter().flatten() {
            *secret = "***".into();
        }
    }
    receivers
}

/// `value` with masked passwords in its URLs and masked queries of its web URLs, also in nested lists and tables.
fn masked_urls(value: Value) -> Value {
    match value {
        Value::String(text) if has_secrets(&text) => Value::String(without_query(&mask(&text))),
        Value::Array(values) => Value::Array(values.into_iter().map(masked_urls).collect()),
        Value::Table(table) => Value::Table(table.into_iter().map(|(key, value)| (key, masked_urls(value))).collect()),
        value => value,
    }
}

/// Whether `text` is a URL with credentials or with a query, which may hold a key.
fn has_secrets(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let is_scheme =
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme && (rest.contains('@') || rest.contains('?'))
}

/// Masks the query of a web URL. Queries of database URLs are kept, because they hold options such as `sslmode`.
fn without_query(url: &str) -> String {
    match url.split_once('?') {
        Some((place, _)) if url.starts_with("http") || url.starts_with("ws") => format!("{place}?***"),
        _ => url.to_owned(),
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.shown()).finish()
    }
}

pub(super) fn is_secret(key: &str) -> bool {
    let of_source = key.strip_prefix("sources.").and_then(|key| key.rsplit_once('.'));
    SECRETS.contains(&key) || of_source.is_some_and(|(_, name)| SOURCE_SECRETS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::super::template::Template;
    use super::*;

    #[test]
    fn values_that_can_be_read_from_a_file_are_masked() {
        let template = Template::new();
        let keys: Vec<&str> = template.keys().collect();
        let may_be_in_a_file = |key: &&&str| keys.contains(&format!("{key}_file").as_str());
        let shown: Vec<_> = keys.iter().filter(may_be_in_a_file).filter(|key| !is_secret(key)).collect();
        // URLs are masked in part. A public key is not a secret.
        assert_eq!(shown, [&"database.url", &"database.read_url", &"stream.url", &"server.auth.jwt.public_key"]);
    }
}
