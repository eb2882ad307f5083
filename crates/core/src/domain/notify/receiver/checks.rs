//! Validation of receivers.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use url::Url;

use super::{Channel, Receiver};
use crate::domain::FieldError;
use crate::domain::notify::{Checks, Kind, Managed, Secrets};

const MAX_HEADERS: usize = 20;
const MAX_HEADER_BYTES: usize = 2_000;
const MAX_RECIPIENTS: usize = 50;
const MAX_ARGUMENTS: usize = 50;
const MAX_ARGUMENT_BYTES: usize = 2_000;
const MAX_SECRET_BYTES: usize = 4_000;
const MAX_URL_BYTES: usize = 2_000;
/// The maximum number of alerts in one message, for all receivers.
const MAX_ALERTS: u32 = 1_000;

impl Receiver {
    /// All validation errors of the receiver and its secrets.
    pub fn check_with(&self, secrets: &Secrets) -> Vec<FieldError> {
        let mut checks = Checks(self.check());
        for (name, secret) in &secrets.0 {
            let (field, value) = (format!("secrets.{name}"), secret.expose_secret());
            let known = self.channel.takes_secret(name);
            checks.require(known, &field, format!("is not a secret of {} receivers: remove it", self.channel.kind()));
            if let Some(header) = name.strip_prefix("header.").filter(|_| known) {
                checks.header(&field, header, value);
            }
            checks.require((1..=MAX_SECRET_BYTES).contains(&value.len()), &field, {
                format!("must be 1 to {MAX_SECRET_BYTES} bytes")
            });
            let visible = name.starts_with("header.") || value.bytes().all(|byte| byte.is_ascii_graphic());
            checks.require(!known || visible || name == "signing_key", &field, "must be visible ASCII without spaces");
        }
        for name in self.channel.required_secrets() {
            let field = format!("secrets.{name}");
            match secrets.get(name) {
                None => checks.require(false, &field, "is required"),
                Some(value) if *name == "url" => checks.url(&field, value),
                Some(_) => {}
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
        if let Some(url) = self.channel.url() {
            checks.url("channel.url", url);
        }
        checks.channel(&self.channel);
        if self.channel.has_text() {
            checks.0.extend(self.templates.check());
        } else {
            let message =
                format!("do not apply to {} receivers, whose format is fixed: remove them", self.channel.kind());
            checks.require(self.templates.is_empty(), "templates", message);
        }
        checks.0
    }
}

/// Headers that SentiStream sets itself.
const OWN_HEADERS: [&str; 6] =
    ["content-type", "content-length", "host", "connection", "transfer-encoding", "x-sentistream-signature"];

impl Checks {
    fn channel(&mut self, channel: &Channel) {
        match channel {
            Channel::Webhook { headers, .. } => {
                self.require(
                    headers.len() <= MAX_HEADERS,
                    "channel.headers",
                    format!("must have at most {MAX_HEADERS} headers"),
                );
                for (name, value) in headers {
                    self.header(&format!("channel.headers.{name}"), name, value);
                }
            }
            Channel::Email { to } => {
                self.require((1..=MAX_RECIPIENTS).contains(&to.len()), "channel.to", {
                    format!("must be 1 to {MAX_RECIPIENTS} addresses")
                });
                for (index, address) in to.iter().enumerate() {
                    let valid = address.parse::<lettre::Address>().is_ok() && address.len() <= 254;
                    let field = format!("channel.to[{index}]");
                    self.require(valid, &field, "must be a mail address such as ada@example.org");
                }
            }
            Channel::Command { command, timeout } => {
                self.command(command);
                let range = Duration::from_millis(100)..=Duration::from_secs(60);
                self.require(range.contains(&timeout.0), "channel.timeout", "must be 100ms to 1min");
            }
            Channel::Telegram { chat_id, .. } => {
                let is_id = chat_id.parse::<i64>().is_ok();
                let is_name = chat_id.len() <= 100 && chat_id.strip_prefix('@').is_some_and(|name| is_token(name, "_"));
                self.require(is_id || is_name, "channel.chat_id", "must be the id of a chat, or @channelname");
            }
            Channel::Ntfy { topic, .. } => {
                let valid = topic.len() <= 64 && is_token(topic, "-_");
                self.require(valid, "channel.topic", "must be 1 to 64 letters, digits, - or _");
            }
            Channel::Alertmanager { resolve_timeout, .. } => {
                let range = Duration::from_secs(60)..=Duration::from_secs(31 * 86_400);
                self.require(range.contains(&resolve_timeout.0), "channel.resolve_timeout", "must be 1min to 31d");
            }
            Channel::Slack {}
            | Channel::PagerDuty { .. }
            | Channel::Opsgenie { .. }
            | Channel::Teams {}
            | Channel::Discord {} => {}
        }
    }

    fn command(&mut self, command: &[String]) {
        self.require((1..=MAX_ARGUMENTS).contains(&command.len()), "channel.command", {
            format!("must be a program and its arguments, at most {MAX_ARGUMENTS} texts in all")
        });
        let fit = |argument: &String| argument.len() <= MAX_ARGUMENT_BYTES && !argument.contains('\0');
        let named = command.first().is_none_or(|program| !program.is_empty());
        self.require(named && command.iter().all(fit), "channel.command", {
            format!("must start with a program; each text must be at most {MAX_ARGUMENT_BYTES} bytes without U+0000")
        });
    }

    fn url(&mut self, field: &str, text: &str) {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let bare = url.as_ref().is_none_or(|url| url.username().is_empty() && url.password().is_none());
        self.require(
            url.is_some() && text.len() <= MAX_URL_BYTES,
            field,
            "must be an http or https URL of at most 2000 bytes",
        );
        self.require(bare, field, "must not contain a user or a password: use a secret of the receiver instead");
    }

    fn header(&mut self, field: &str, name: &str, value: &str) {
        let visible = value.bytes().all(|b| b == b'\t' || (b >= b' ' && b != 0x7f));
        self.require(is_token(name, "!#$%&'*+-.^_`|~") && name.len() <= 100, field, "must have a valid header name");
        self.require(
            visible && value.len() <= MAX_HEADER_BYTES,
            field,
            "must be a value in one line of at most 2000 bytes",
        );
        self.require(
            !OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()),
            field,
            "is set by SentiStream: remove it",
        );
    }
}

/// Whether `text` is not empty and contains only ASCII letters, digits and `others`.
fn is_token(text: &str, others: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}
