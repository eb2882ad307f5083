//! The settings of mailboxes.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de::Error as _};
use url::Url;

use super::super::values::*;
use super::{HISTORY, Settings};
use crate::sources::imap::Protection;

/// The settings of a source with `kind = "imap"`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImapConfig {
    /// The host name or IP address of the server. Required when the source is read.
    #[serde(deserialize_with = "host")]
    pub host: Option<String>,
    /// The port of the server. `None`: the default port for `tls`.
    #[serde(deserialize_with = "port")]
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(deserialize_with = "word")]
    pub tls: Protection,
    /// The name of the user. Required when the source is read.
    #[serde(deserialize_with = "optional_text")]
    pub user: Option<String>,
    /// The password. Required when the source is read.
    #[serde(deserialize_with = "optional_secret")]
    pub password: Option<SecretString>,
    /// The name of the mailbox.
    pub mailbox: String,
    /// Only mails whose sender contains one of these texts, in lower case. Empty: all senders.
    #[serde(deserialize_with = "words")]
    pub senders: Vec<String>,
    /// Only mails whose subject contains one of these texts, in lower case. Empty: all subjects.
    #[serde(deserialize_with = "words")]
    pub subjects: Vec<String>,
    /// The time between two polls; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub interval: Duration,
    /// How far back to read when the source is added; at most 90 days. Zero: only new posts.
    #[serde(deserialize_with = "duration::<_, 0, HISTORY>")]
    pub history: Duration,
}

impl ImapConfig {
    /// The configured port of the server, or the default port for `tls`.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or_else(|| self.tls.port())
    }
}

impl fmt::Debug for ImapConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapConfig").field("host", &self.host).field("mailbox", &self.mailbox).finish_non_exhaustive()
    }
}

impl Settings for ImapConfig {
    fn lacks(&self) -> Option<&'static str> {
        match self {
            Self { host: None, .. } => Some("host"),
            Self { user: None, .. } => Some("user"),
            Self { password: None, .. } => Some("password"),
            _ => None,
        }
    }

    fn contradiction(&self) -> Option<String> {
        let has_control = |text: &str| text.chars().any(char::is_control);
        let password = self.password.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
        if has_control(password) || has_control(self.user.as_deref().unwrap_or_default()) {
            return Some("user and password must not contain line breaks or control characters".to_owned());
        }
        if self.mailbox.trim().is_empty() || has_control(&self.mailbox) {
            return Some("mailbox must be the name of a mailbox, such as \"INBOX\"".to_owned());
        }
        let is_remote = self.host.as_deref().is_some_and(|host| !is_loopback(host));
        (is_remote && self.tls == Protection::None).then(|| {
            "tls = \"none\" is only allowed for a server on this machine: set \"tls\" or \"starttls\"".to_owned()
        })
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Reads the name or the address of a server; `None` when it is empty.
fn host<'de, D: Deserializer<'de>>(de: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(de)?;
    let name = text.trim();
    if name.is_empty() {
        return Ok(None);
    }
    let address = if name.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{name}]") } else { name.to_owned() };
    let has_only_a_host =
        |url: &Url| url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.port().is_none();
    let url = Url::parse(&format!("https://{address}/")).ok().filter(has_only_a_host);
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none() && !name.contains(['/', '@']));
    let host = url.as_ref().and_then(Url::host_str).map(str::to_owned);
    let expected = "expected the name of a server without a port, such as \"imap.example.org\"";
    host.map(Some).ok_or_else(|| D::Error::custom(format!("{expected}, found {name:?}")))
}

/// Reads a port; `None` when it is zero.
fn port<'de, D: Deserializer<'de>>(de: D) -> Result<Option<u16>, D::Error> {
    Ok(Some(count::<D, u16, 0, 65_535>(de)?).filter(|port| *port > 0))
}

/// Reads texts, converts them to lower case and drops empty ones.
fn words<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let words = Vec::<String>::deserialize(de)?;
    Ok(words.iter().map(|word| word.trim().to_lowercase()).filter(|word| !word.is_empty()).collect())
}
