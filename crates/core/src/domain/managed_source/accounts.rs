//! Moves users and passwords in URLs from the settings of a source to its secrets, because settings are stored in plain
//! text.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use url::Url;

use super::SourceDefinition;
use crate::domain::notify::Secrets;

/// The prefix of the names of secrets that contain the user and password of a URL. The URL follows the prefix.
const PREFIX: &str = "url:";

/// Two different accounts belong to the same URL, but the secrets can contain only one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the same URL occurs with two different users or passwords")]
pub struct TwoAccounts;

impl SourceDefinition {
    /// Moves the users and passwords in URLs from the settings to `secrets`. Returns the number of changed URLs.
    ///
    /// # Errors
    /// When the same URL has two different accounts. In this case nothing is changed.
    pub fn hide_accounts(&mut self, secrets: &mut Secrets) -> Result<usize, TwoAccounts> {
        let (mut settings, mut hidden) = (self.settings.clone(), secrets.clone());
        let mut count = 0;
        for value in settings.values_mut() {
            count += hide(value, &mut hidden)?;
        }
        self.settings = settings;
        *secrets = hidden;
        Ok(count)
    }

    /// Inserts the users and passwords in `secrets` into the URLs of the settings. Returns the changed settings and the
    /// remaining secrets.
    pub fn with_accounts(&self, secrets: &Secrets) -> (Map<String, Value>, Secrets) {
        let is_account = |name: &String| name.starts_with(PREFIX);
        let others: BTreeMap<String, SecretString> = secrets
            .0
            .iter()
            .filter(|(name, _)| !is_account(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut settings = self.settings.clone();
        if others.len() < secrets.0.len() {
            settings.values_mut().for_each(|value| restore(value, secrets));
        }
        (settings, Secrets(others))
    }
}

fn hide(value: &mut Value, secrets: &mut Secrets) -> Result<usize, TwoAccounts> {
    let mut count = 0;
    match value {
        Value::String(text) => {
            let Some((url, account)) = split(text) else { return Ok(0) };
            let name = format!("{PREFIX}{url}");
            if secrets.get(&name).is_some_and(|other| other != account.expose_secret()) {
                return Err(TwoAccounts);
            }
            secrets.0.insert(name, account);
            *text = url;
            count = 1;
        }
        Value::Array(values) => {
            for value in values {
                count += hide(value, secrets)?;
            }
        }
        Value::Object(fields) => {
            for value in fields.values_mut() {
                count += hide(value, secrets)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(count)
}

fn restore(value: &mut Value, secrets: &Secrets) {
    match value {
        Value::String(text) => {
            let account = secrets.0.get(&format!("{PREFIX}{text}"));
            if let Some(url) = account.and_then(|account| join(text, account)) {
                *text = url;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| restore(value, secrets)),
        Value::Object(fields) => fields.values_mut().for_each(|value| restore(value, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Splits a URL into the URL without user and password, and `USER:PASSWORD`. `None` if the text is not a URL with a
/// user or a password.
fn split(text: &str) -> Option<(String, SecretString)> {
    let mut url = Url::parse(text.trim()).ok()?;
    let account = format!("{}:{}", url.username(), url.password().unwrap_or_default());
    if account == ":" {
        return None;
    }
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some((url.into(), account.into()))
}

fn join(url: &str, account: &SecretString) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    let (user, password) = account.expose_secret().split_once(':')?;
    url.set_username(user).ok()?;
    url.set_password(Some(password).filter(|password| !password.is_empty())).ok()?;
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn users_and_passwords_of_urls_move_to_secrets_and_back() {
        let feeds =
            json!(["https://ada:h%40nter2@blog.example/rss?a=b", "https://plain.example/", "https://key@b.example/"]);
        let settings = Map::from_iter([("feeds".to_owned(), feeds.clone()), ("history".to_owned(), json!("1h"))]);
        let mut definition = SourceDefinition { name: "blog".to_owned(), kind: "rss".to_owned(), settings };
        let mut secrets = Secrets::default();
        secrets.0.insert("token".to_owned(), "t".into());
        assert_eq!(definition.hide_accounts(&mut secrets), Ok(2));
        let hidden = json!(["https://blog.example/rss?a=b", "https://plain.example/", "https://b.example/"]);
        assert_eq!(definition.settings["feeds"], hidden);
        assert_eq!(definition.hide_accounts(&mut secrets), Ok(0));
        let (settings, others) = definition.with_accounts(&secrets);
        assert_eq!(settings["feeds"], feeds);
        assert_eq!(others.names(), ["token"]);
    }

    #[test]
    fn two_accounts_of_one_url_are_left_in_the_settings() {
        let feeds = json!(["https://key@b.example/", "https://ada:1@h.example/f", "https://bob:2@h.example/f"]);
        let settings = Map::from_iter([("feeds".to_owned(), feeds.clone())]);
        let mut definition = SourceDefinition { name: "blog".to_owned(), kind: "rss".to_owned(), settings };
        let mut secrets = Secrets::default();
        assert_eq!(definition.hide_accounts(&mut secrets), Err(TwoAccounts));
        assert_eq!((&definition.settings["feeds"], secrets.names().len()), (&feeds, 0));

        // The secrets may already contain another account of the URL.
        definition.settings.insert("feeds".to_owned(), json!(["https://ada:1@h.example/f"]));
        secrets.0.insert(format!("{PREFIX}https://h.example/f"), "bob:2".into());
        assert_eq!(definition.hide_accounts(&mut secrets), Err(TwoAccounts));
        assert_eq!(secrets.get("url:https://h.example/f"), Some("bob:2"));

        // The same account in two places is one secret.
        let twice = json!(["https://bob:2@h.example/f", "https://bob:2@h.example/f"]);
        definition.settings.insert("feeds".to_owned(), twice.clone());
        assert_eq!(definition.hide_accounts(&mut secrets), Ok(2));
        assert_eq!(definition.with_accounts(&secrets).0["feeds"], twice);
    }
}
