//! Receivers: the destinations of notifications.

mod checks;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::Templates;
use crate::domain::human_duration::HumanDuration;

/// A destination of notifications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// The name: 1 to 100 characters. It must be unique, and cannot be changed, because routes refer to it.
    #[schema(example = "on-call")]
    pub name: String,
    /// The service that the messages are sent to, with its settings.
    pub channel: Channel,
    /// Whether the receiver gets notifications about resolved alerts. Default: true.
    #[serde(default = "yes")]
    pub send_resolved: bool,
    /// The maximum number of alerts in one message: 1 to 1000. A message about more alerts says how many it leaves out.
    /// Default: 100.
    #[serde(default = "default_max_alerts")]
    pub max_alerts: u32,
    /// Templates that replace the default title and text of messages. Not for the kinds `webhook`, `command` and
    /// `alertmanager`, whose format is fixed.
    #[serde(default, skip_serializing_if = "Templates::is_empty")]
    pub templates: Templates,
}

fn yes() -> bool {
    true
}

fn default_max_alerts() -> u32 {
    100
}

/// The service that the messages are sent to, with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Channel {
    /// A POST of JSON in Alertmanager's webhook format, version 4. Secrets: `signing_key` (signs each request with
    /// HMAC-SHA256) and `header.NAME` (headers whose values are hidden).
    Webhook {
        /// The URL that requests are sent to: http or https.
        url: String,
        /// At most 20 headers that are added to each request. Their values are visible to users.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// An incoming webhook of Slack, or of a compatible service (Mattermost, Rocket.Chat). Secret: `url`.
    Slack {},
    /// Mail through the SMTP server of the configuration, one message per recipient.
    Email {
        /// The addresses of the recipients, 1 to 50.
        #[schema(min_items = 1)]
        to: Vec<String>,
    },
    /// Runs a program on the server, with the JSON of a webhook on its standard input. Requires
    /// `alerts.allow_commands = true` in the configuration.
    Command {
        /// The program and its arguments, at most 50 texts in all. They are not interpreted by a shell.
        #[schema(min_items = 1)]
        command: Vec<String>,
        /// The time after which the program is stopped: 100ms to 1min. Default: 10s.
        #[serde(default = "default_timeout")]
        #[schema(value_type = String, example = "10s")]
        timeout: HumanDuration,
    },
    /// PagerDuty's Events API v2: one incident per group of alerts. Secret: `routing_key`.
    PagerDuty {
        /// The URL of the endpoint. Default: the URL of the US region. For the EU region it is
        /// `https://events.eu.pagerduty.com/v2/enqueue`.
        #[serde(default = "default_pagerduty")]
        url: String,
    },
    /// Opsgenie's alert API: one alert per group of alerts. Secret: `api_key`.
    Opsgenie {
        /// The URL of the API. Default: the URL of the US region. For the EU region it is
        /// `https://api.eu.opsgenie.com`.
        #[serde(default = "default_opsgenie")]
        url: String,
    },
    /// A workflow of Microsoft Teams that posts to a channel when it receives a webhook request. Secret: `url`.
    Teams {},
    /// A webhook of a Discord channel. Secret: `url`.
    Discord {},
    /// A bot of Telegram. Secret: `bot_token`.
    Telegram {
        /// The id of the chat, or `@channelname`.
        #[schema(example = "-1001234567890")]
        chat_id: String,
        /// The id of the topic, for a group that is organised in topics; null for other chats.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread_id: Option<i64>,
        /// The URL of the Bot API server. Default: the URL of Telegram.
        #[serde(default = "default_telegram")]
        url: String,
    },
    /// A topic of an ntfy server. Secret: `token` (optional).
    Ntfy {
        /// The URL of the server. Default: `https://ntfy.sh`.
        #[serde(default = "default_ntfy")]
        url: String,
        /// The name of the topic: 1 to 64 letters, digits, `-` or `_`.
        topic: String,
    },
    /// Forwards each alert to an Alertmanager (`POST /api/v2/alerts`), which routes and notifies according to its own
    /// configuration. Secrets: `header.NAME`.
    Alertmanager {
        /// The URL without `/api/v2/alerts`.
        #[schema(example = "http://alertmanager:9093")]
        url: String,
        /// The time after which the Alertmanager resolves an alert that was not sent again. It must be longer than the
        /// `repeat_interval` of the routes to this receiver. 1min to 31d; default: 1d.
        #[serde(default = "default_resolve_timeout")]
        #[schema(value_type = String, example = "1d")]
        resolve_timeout: HumanDuration,
    },
}

fn default_timeout() -> HumanDuration {
    HumanDuration(Duration::from_secs(10))
}

fn default_resolve_timeout() -> HumanDuration {
    HumanDuration(Duration::from_secs(86_400))
}

fn default_pagerduty() -> String {
    "https://events.pagerduty.com/v2/enqueue".to_owned()
}

fn default_opsgenie() -> String {
    "https://api.opsgenie.com".to_owned()
}

fn default_telegram() -> String {
    "https://api.telegram.org".to_owned()
}

fn default_ntfy() -> String {
    "https://ntfy.sh".to_owned()
}

impl Channel {
    /// The name of the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack {} => "slack",
            Self::Email { .. } => "email",
            Self::Command { .. } => "command",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Opsgenie { .. } => "opsgenie",
            Self::Teams {} => "teams",
            Self::Discord {} => "discord",
            Self::Telegram { .. } => "telegram",
            Self::Ntfy { .. } => "ntfy",
            Self::Alertmanager { .. } => "alertmanager",
        }
    }

    /// Whether messages have a title and a text, which templates can replace.
    pub fn has_text(&self) -> bool {
        !matches!(self, Self::Webhook { .. } | Self::Command { .. } | Self::Alertmanager { .. })
    }

    /// Whether the receiver tracks alerts itself, so that notifications of firing alerts must be repeated.
    pub fn is_alertmanager(&self) -> bool {
        matches!(self, Self::Alertmanager { .. })
    }

    /// The recipients that get separate messages; a single `None` for receivers that get one message for everyone.
    pub fn recipients(&self) -> Vec<Option<&str>> {
        match self {
            Self::Email { to } => to.iter().map(|address| Some(address.as_str())).collect(),
            _ => vec![None],
        }
    }

    /// The destination that the secrets are sent to. If it changes, the secrets of the receiver must be set again.
    pub fn destination(&self) -> Option<String> {
        match self.url() {
            Some(url) => Url::parse(url).ok().map(|url| url.origin().ascii_serialization()),
            None => Some(self.kind().to_owned()),
        }
    }

    /// The URL of the channel; `None` if the URL is a secret, or the channel has no URL.
    fn url(&self) -> Option<&str> {
        match self {
            Self::Webhook { url, .. }
            | Self::PagerDuty { url }
            | Self::Opsgenie { url }
            | Self::Telegram { url, .. }
            | Self::Ntfy { url, .. }
            | Self::Alertmanager { url, .. } => Some(url),
            Self::Slack {} | Self::Email { .. } | Self::Command { .. } | Self::Teams {} | Self::Discord {} => None,
        }
    }

    /// The names of the required secrets.
    fn required_secrets(&self) -> &'static [&'static str] {
        match self {
            Self::Slack {} | Self::Teams {} | Self::Discord {} => &["url"],
            Self::PagerDuty { .. } => &["routing_key"],
            Self::Opsgenie { .. } => &["api_key"],
            Self::Telegram { .. } => &["bot_token"],
            Self::Webhook { .. }
            | Self::Email { .. }
            | Self::Command { .. }
            | Self::Ntfy { .. }
            | Self::Alertmanager { .. } => &[],
        }
    }

    /// Whether the receiver uses a secret with this name.
    fn takes_secret(&self, name: &str) -> bool {
        let optional = match self {
            Self::Webhook { .. } => name == "signing_key" || name.starts_with("header."),
            Self::Alertmanager { .. } => name.starts_with("header."),
            Self::Ntfy { .. } => name == "token",
            _ => false,
        };
        optional || self.required_secrets().contains(&name)
    }
}
