//! Receivers: where notifications go.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Checks, Kind, Managed};
use crate::domain::FieldError;
use crate::domain::human_duration::HumanDuration;

const MAX_HEADERS: usize = 20;
const MAX_HEADER_BYTES: usize = 2_000;
const MAX_RECIPIENTS: usize = 50;
const MAX_ARGUMENTS: usize = 50;
const MAX_ARGUMENT_BYTES: usize = 2_000;
const MAX_SECRET_BYTES: usize = 4_000;
const MAX_URL_BYTES: usize = 2_000;
/// Most alerts in one message, whatever a receiver asks for.
const MAX_ALERTS: u32 = 1_000;

/// Someone, or some program, that is told of alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// Unique, and kept for good: routes refer to it.
    #[schema(example = "on-call")]
    pub name: String,
    pub channel: Channel,
    /// Whether it is told when alerts are over.
    #[serde(default = "yes")]
    pub send_resolved: bool,
    /// Most alerts in one message; the message says how many were left out. 1 to 1000.
    #[serde(default = "default_max_alerts")]
    pub max_alerts: u32,
}

fn yes() -> bool {
    true
}

fn default_max_alerts() -> u32 {
    100
}

/// How a receiver is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Channel {
    /// A POST of JSON in Alertmanager's webhook form, version 4. Secrets: `signing_key` (signs each request with
    /// HMAC-SHA256) and `header.NAME` (headers whose values are not shown).
    Webhook {
        /// http or https.
        url: String,
        /// Added to each request; their values are shown.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// An incoming webhook as Slack has it (Mattermost, Rocket.Chat, Discord's `/slack`). Secret: `url`.
    Slack {},
    /// Mail, by the SMTP server of the configuration.
    Email {
        /// Addresses.
        #[schema(min_items = 1)]
        to: Vec<String>,
    },
    /// A program on the machine that sends notifications, with the JSON of a webhook on its standard input. Only
    /// where the configuration says `alerts.allow_commands = true`.
    Command {
        /// The program and its arguments; no shell reads them.
        #[schema(min_items = 1)]
        command: Vec<String>,
        /// It is ended after this long. 100ms to 1min.
        #[serde(default = "default_timeout")]
        #[schema(value_type = String, example = "10s")]
        timeout: HumanDuration,
    },
}

fn default_timeout() -> HumanDuration {
    HumanDuration(Duration::from_secs(10))
}

impl Channel {
    /// Its name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack {} => "slack",
            Self::Email { .. } => "email",
            Self::Command { .. } => "command",
        }
    }

    /// Where what is secret goes: secrets that were given for one place are not sent to another.
    pub fn destination(&self) -> Option<String> {
        match self {
            Self::Webhook { url, .. } => Url::parse(url).ok().map(|url| url.origin().ascii_serialization()),
            _ => Some(self.kind().to_owned()),
        }
    }
}

impl Receiver {
    /// Everything that is wrong with it and its secrets.
    pub fn check_with(&self, secrets: &Secrets) -> Vec<FieldError> {
        let mut checks = Checks(self.check());
        for (name, secret) in &secrets.0 {
            let field = format!("secrets.{name}");
            let value = secret.expose_secret();
            let header = name.strip_prefix("header.");
            let known = match (&self.channel, name.as_str()) {
                (Channel::Webhook { .. }, "signing_key") | (Channel::Slack {}, "url") => true,
                (Channel::Webhook { .. }, _) => header.is_some(),
                _ => false,
            };
            checks.require(known, &field, format!("is not a secret of a {} receiver", self.channel.kind()));
            if let Some(header) = header.filter(|_| known) {
                checks.header(&field, header, value);
            }
            checks.require((1..=MAX_SECRET_BYTES).contains(&value.len()), &field, {
                format!("must be 1 to {MAX_SECRET_BYTES} bytes")
            });
        }
        if let Channel::Slack {} = self.channel {
            match secrets.0.get("url") {
                None => checks.require(false, "secrets.url", "is required"),
                Some(url) => checks.url("secrets.url", url.expose_secret()),
            }
        }
        checks.0
    }
}

impl Managed for Receiver {
    const KIND: Kind = Kind::Receiver;

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn check(&self) -> Vec<FieldError> {
        let mut checks = Checks::default();
        checks.name(&self.name);
        checks.require((1..=MAX_ALERTS).contains(&self.max_alerts), "max_alerts", format!("must be 1 to {MAX_ALERTS}"));
        match &self.channel {
            Channel::Webhook { url, headers } => {
                checks.url("channel.url", url);
                checks.require(
                    headers.len() <= MAX_HEADERS,
                    "channel.headers",
                    format!("must be at most {MAX_HEADERS}"),
                );
                for (name, value) in headers {
                    checks.header(&format!("channel.headers.{name}"), name, value);
                }
            }
            Channel::Slack {} => {}
            Channel::Email { to } => {
                checks.require((1..=MAX_RECIPIENTS).contains(&to.len()), "channel.to", {
                    format!("must be 1 to {MAX_RECIPIENTS} addresses")
                });
                for (index, address) in to.iter().enumerate() {
                    let valid = address.parse::<lettre::Address>().is_ok() && address.len() <= 254;
                    checks.require(
                        valid,
                        &format!("channel.to[{index}]"),
                        "must be a mail address such as ada@example.org",
                    );
                }
            }
            Channel::Command { command, timeout } => {
                checks.require((1..=MAX_ARGUMENTS).contains(&command.len()), "channel.command", {
                    format!("must be a program and its arguments, at most {MAX_ARGUMENTS}")
                });
                let fit = |argument: &String| argument.len() <= MAX_ARGUMENT_BYTES && !argument.contains('\0');
                let named = command.first().is_none_or(|program| !program.is_empty());
                checks.require(named && command.iter().all(fit), "channel.command", {
                    format!("must be at most {MAX_ARGUMENT_BYTES} bytes each, without U+0000, and name a program")
                });
                let range = Duration::from_millis(100)..=Duration::from_secs(60);
                checks.require(range.contains(&timeout.0), "channel.timeout", "must be 100ms to 1min");
            }
        }
        checks.0
    }
}

/// Headers that the sender sets itself.
const OWN_HEADERS: [&str; 6] =
    ["content-type", "content-length", "host", "connection", "transfer-encoding", "x-sentistream-signature"];

impl Checks {
    fn url(&mut self, field: &str, text: &str) {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let bare = url.as_ref().is_none_or(|url| url.username().is_empty() && url.password().is_none());
        self.require(url.is_some() && text.len() <= MAX_URL_BYTES, field, "must be an http or https URL");
        self.require(bare, field, "must not hold a password: give it as the secret header.Authorization");
    }

    fn header(&mut self, field: &str, name: &str, value: &str) {
        let token =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        let visible = value.bytes().all(|b| b == b'\t' || (b >= b' ' && b != 0x7f));
        self.require(token && name.len() <= 100, field, "must be the name of a header");
        self.require(visible && value.len() <= MAX_HEADER_BYTES, field, "must be the value of a header, in one line");
        self.require(!OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()), field, "is set by the sender");
    }
}

/// What of a receiver is never shown: values by name.
#[derive(Clone, Debug, Default)]
pub struct Secrets(pub BTreeMap<String, SecretString>);

impl Secrets {
    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(ExposeSecret::expose_secret)
    }

    /// The names.
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// The headers among them.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(name, value)| Some((name.strip_prefix("header.")?, value.expose_secret())))
    }

    /// These with `changes`: a value replaces, `None` removes, what is not named stays.
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

    /// As JSON, in the clear: for the database alone.
    pub fn exposed(&self) -> String {
        let values: BTreeMap<_, _> = self.0.iter().map(|(name, value)| (name, value.expose_secret())).collect();
        // Texts by name are always JSON.
        serde_json::to_string(&values).unwrap_or_default()
    }

    /// Reads what [`Self::exposed`] wrote.
    pub fn read(text: &str) -> Self {
        let values: BTreeMap<String, String> = serde_json::from_str(text).unwrap_or_default();
        Self(values.into_iter().map(|(name, value)| (name, value.into())).collect())
    }
}
