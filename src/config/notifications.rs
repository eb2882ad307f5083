//! Receivers, routes, inhibition rules and mute timings of the configuration, and the mail server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::values::*;
use crate::domain::FieldError;
use crate::domain::notify::{Managed, Receiver, Secrets};

/// How the connection to the mail server is encrypted.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum SmtpSecurity {
    /// The connection starts unencrypted, and STARTTLS switches to TLS.
    StartTls,
    /// TLS from the start.
    Tls,
    /// No encryption.
    None,
}

/// `[alerts.smtp]`: the mail server for notifications.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    /// The host name of the server. `None`: email cannot be sent.
    #[serde(deserialize_with = "optional_text")]
    pub host: Option<String>,
    /// The TCP port of the server.
    #[serde(deserialize_with = "count::<_, _, 1, 65_535>")]
    pub port: u16,
    /// How the connection is encrypted.
    #[serde(deserialize_with = "word")]
    pub security: SmtpSecurity,
    /// The user name of the login. `None`: no login.
    #[serde(deserialize_with = "optional_text")]
    pub username: Option<String>,
    /// The password of the login.
    #[serde(deserialize_with = "optional_secret")]
    pub password: Option<SecretString>,
    /// The sender, as an address with an optional display name. Required if `host` is set.
    #[serde(deserialize_with = "optional_text")]
    pub from: Option<String>,
    /// A PEM file of certificate authorities to trust in addition to those of the system.
    #[serde(deserialize_with = "optional")]
    pub ca_file: Option<PathBuf>,
}

/// A table of `[[alerts.receivers]]`: a receiver with the fields of the API, and its secrets.
#[derive(Deserialize)]
struct ReceiverTable {
    #[serde(flatten)]
    receiver: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    secrets: BTreeMap<String, SecretString>,
    #[serde(default)]
    secret_files: BTreeMap<String, PathBuf>,
}

/// Why an object of the configuration is invalid.
#[derive(Debug, thiserror::Error)]
enum Invalid {
    #[error("{name:?}: {source}")]
    Receiver { name: String, source: serde_json::Error },
    #[error("{name:?}: cannot read {} for the secret {secret}: {source}", path.display())]
    SecretFile { name: String, secret: String, path: PathBuf, source: std::io::Error },
    #[error("{name:?}: the secret {secret} and its file are both set: set only one of them")]
    SecretTwice { name: String, secret: String },
    #[error("{name:?}: {}", joined(errors))]
    Fields { name: String, errors: Vec<FieldError> },
    #[error("{name:?} is defined more than once")]
    Repeated { name: String },
}

impl ReceiverTable {
    fn read(self) -> Result<(Receiver, Secrets), Invalid> {
        let receiver = serde_json::Value::Object(self.receiver.into_iter().collect());
        let name = receiver["name"].as_str().unwrap_or_default().to_owned();
        let invalid = |source| Invalid::Receiver { name: name.clone(), source };
        let receiver: Receiver = serde_json::from_value(receiver).map_err(invalid)?;
        let mut secrets = Secrets(self.secrets);
        for (secret, path) in self.secret_files {
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(source) => return Err(Invalid::SecretFile { name, secret, path, source }),
            };
            if secrets.0.insert(secret.clone(), text.trim().to_owned().into()).is_some() {
                return Err(Invalid::SecretTwice { name, secret });
            }
        }
        ensure_valid(&name, receiver.check_with(&secrets))?;
        Ok((receiver, secrets))
    }
}

fn joined(errors: &[FieldError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn ensure_valid(name: &str, errors: Vec<FieldError>) -> Result<(), Invalid> {
    if errors.is_empty() { Ok(()) } else { Err(Invalid::Fields { name: name.to_owned(), errors }) }
}

fn unique<'a>(names: impl Iterator<Item = Option<&'a str>>) -> Result<(), Invalid> {
    let mut seen = BTreeSet::new();
    let twice = names.flatten().find(|name| !seen.insert(*name));
    twice.map_or(Ok(()), |name| Err(Invalid::Repeated { name: name.to_owned() }))
}

/// Reads `alerts.receivers`.
pub fn receivers<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<(Receiver, Secrets)>, D::Error> {
    let tables = Vec::<ReceiverTable>::deserialize(de)?;
    let read = || {
        let read: Vec<_> = tables.into_iter().map(ReceiverTable::read).collect::<Result<_, _>>()?;
        unique(read.iter().map(|(receiver, _)| receiver.name()))?;
        Ok(read)
    };
    read().map_err(|error: Invalid| D::Error::custom(error))
}

/// Reads a list of routes, inhibition rules or mute timings.
pub fn managed<'de, D: Deserializer<'de>, T: Managed>(de: D) -> Result<Vec<T>, D::Error> {
    let list = Vec::<T>::deserialize(de)?;
    let check = || {
        list.iter().try_for_each(|item| ensure_valid(item.name().unwrap_or_default(), item.check()))?;
        unique(list.iter().map(T::name))
    };
    check().map_err(D::Error::custom)?;
    Ok(list)
}
