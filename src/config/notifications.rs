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
    /// TLS after STARTTLS.
    StartTls,
    /// TLS from the start.
    Tls,
    /// No encryption.
    None,
}

/// `[alerts.smtp]`
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
    /// The sender, as an address with an optional display name. Required with a host.
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

impl ReceiverTable {
    fn read(self) -> Result<(Receiver, Secrets), String> {
        let receiver = serde_json::Value::Object(self.receiver.into_iter().collect());
        let name = receiver["name"].as_str().unwrap_or_default().to_owned();
        let receiver: Receiver = serde_json::from_value(receiver).map_err(|e| format!("{name:?}: {e}"))?;
        let mut secrets = Secrets(self.secrets);
        for (secret, path) in self.secret_files {
            let text = std::fs::read_to_string(&path)
                .map_err(|e| format!("{name:?}: cannot read {} for the secret {secret}: {e}", path.display()))?;
            if secrets.0.insert(secret.clone(), text.trim().to_owned().into()).is_some() {
                return Err(format!("{name:?}: the secret {secret} and its file are both set: set only one of them"));
            }
        }
        ensure_valid(&name, &receiver.check_with(&secrets))?;
        Ok((receiver, secrets))
    }
}

fn ensure_valid(name: &str, errors: &[FieldError]) -> Result<(), String> {
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    if errors.is_empty() { Ok(()) } else { Err(format!("{name:?}: {}", errors.join("; "))) }
}

fn unique<'a>(names: impl Iterator<Item = Option<&'a str>>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let twice = names.flatten().find(|name| !seen.insert(*name));
    twice.map_or(Ok(()), |name| Err(format!("{name:?} is defined more than once")))
}

/// Reads `alerts.receivers`.
pub fn receivers<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<(Receiver, Secrets)>, D::Error> {
    let tables = Vec::<ReceiverTable>::deserialize(de)?;
    let read = || {
        let read: Vec<_> = tables.into_iter().map(ReceiverTable::read).collect::<Result<_, _>>()?;
        unique(read.iter().map(|(receiver, _)| receiver.name()))?;
        Ok(read)
    };
    read().map_err(|message: String| D::Error::custom(message))
}

/// Reads a list of routes, inhibition rules or mute timings.
pub fn managed<'de, D: Deserializer<'de>, T: Managed>(de: D) -> Result<Vec<T>, D::Error> {
    let list = Vec::<T>::deserialize(de)?;
    let check = || {
        list.iter().try_for_each(|item| ensure_valid(item.name().unwrap_or_default(), &item.check()))?;
        unique(list.iter().map(T::name))
    };
    check().map_err(D::Error::custom)?;
    Ok(list)
}
