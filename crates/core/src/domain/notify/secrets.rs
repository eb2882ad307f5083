//! The secrets of a receiver or a source. The API can set them, but not read them.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

/// Secret values by name.
#[derive(Clone, Debug, Default)]
pub struct Secrets(pub BTreeMap<String, SecretString>);

impl Secrets {
    /// The value of the secret `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(ExposeSecret::expose_secret)
    }

    /// The names of all secrets.
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// The HTTP headers among the secrets, by header name. A secret with the name `header.NAME` is the header NAME.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(name, value)| Some((name.strip_prefix("header.")?, value.expose_secret())))
    }

    /// Applies `changes`: a value replaces a secret, `None` removes it, and other secrets are unchanged.
    #[must_use]
    pub fn changed(mut self, changes: &BTreeMap<String, Option<SecretString>>) -> Self {
        for (name, change) in changes {
            match change {
                Some(value) => drop(self.0.insert(name.clone(), value.clone())),
                None => drop(self.0.remove(name)),
            }
        }
        self
    }

    /// The secrets as JSON in plain text, for storage only. Never log or return it.
    pub fn exposed(&self) -> String {
        let values: BTreeMap<_, _> = self.0.iter().map(|(name, value)| (name, value.expose_secret())).collect();
        // A map of strings can always be serialised.
        serde_json::to_string(&values).unwrap_or_default()
    }

    /// Parses the result of [`Self::exposed`]. The secrets are empty if `text` is not valid.
    pub fn read(text: &str) -> Self {
        let values: BTreeMap<String, String> = serde_json::from_str(text).unwrap_or_default();
        Self(values.into_iter().map(|(name, value)| (name, value.into())).collect())
    }
}
