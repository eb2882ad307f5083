//! The options of the notifier.

use std::time::Duration;

use anyhow::Context as _;

use crate::config::{self, Config};
use crate::domain::notify::{Receiver, Secrets};
use crate::notify::NotifyOptions;
use crate::notify::receivers::{SmtpCredentials, SmtpOptions, SmtpSecurity};
use crate::notify::retry::RetryOptions;
use crate::notify::setup::ReceiverWithSecrets;

use super::{external_url, instance};

/// Interval of the check for due notifications.
const NOTIFY_INTERVAL: Duration = Duration::from_secs(1);

/// Time to live of the notification lease.
const NOTIFY_LEASE: Duration = Duration::from_secs(30);

/// The options of the notifier.
///
/// # Errors
/// When the mail server's certificate cannot be read.
pub fn notify(config: &Config) -> anyhow::Result<NotifyOptions> {
    let alerts = &config.alerts;
    Ok(NotifyOptions {
        interval: NOTIFY_INTERVAL,
        holder: instance(),
        lease_ttl: NOTIFY_LEASE,
        external_url: external_url(config),
        receivers: receivers(&alerts.receivers),
        routes: alerts.routes.clone(),
        mute_timings: alerts.mute_timings.clone(),
        inhibit_rules: alerts.inhibit_rules.clone(),
        smtp: smtp(&alerts.smtp)?,
        allow_commands: alerts.allow_commands,
        retry: RetryOptions { give_up_after: alerts.give_up_after, ..RetryOptions::default() },
    })
}

fn receivers(given: &[(Receiver, Secrets)]) -> Vec<ReceiverWithSecrets> {
    let receiver = |(receiver, secrets): &(Receiver, Secrets)| ReceiverWithSecrets {
        receiver: receiver.clone(),
        secrets: secrets.clone(),
    };
    given.iter().map(receiver).collect()
}

fn smtp(smtp: &config::SmtpConfig) -> anyhow::Result<Option<SmtpOptions>> {
    let (Some(host), Some(from)) = (&smtp.host, &smtp.from) else { return Ok(None) };
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).with_context(|| format!("alerts.smtp.ca_file: cannot read {}", path.display()))
    };
    Ok(Some(SmtpOptions {
        host: host.clone(),
        port: smtp.port,
        security: match smtp.security {
            config::SmtpSecurity::StartTls => SmtpSecurity::StartTls,
            config::SmtpSecurity::Tls => SmtpSecurity::Tls,
            config::SmtpSecurity::None => SmtpSecurity::Plain,
        },
        credentials: smtp
            .username
            .clone()
            .map(|username| SmtpCredentials { username, password: smtp.password.clone().unwrap_or_default() }),
        from: from.clone(),
        authority: smtp.ca_file.as_ref().map(read).transpose()?,
    }))
}
