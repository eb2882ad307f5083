//! The command `sentistream doctor`.

mod data;
mod machine;
mod model;
mod sign_in;

use clap::Args;
use serde::Serialize;

use super::output::Output;
use super::{CommandResult, Context};
use crate::app;
use crate::config::{Config, ConfigError, Origin, Role};
use crate::secrets::Vault;

/// Check configuration, encryption of secrets, database, stream, sources, models, sign-in, disk, clock and ports.
///
/// Each problem is printed with a remedy. Nothing is changed. Exits with 1 if a check fails. Warnings are not failures.
/// The command can be used before the first start and while the server runs.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream doctor
  sentistream --config prod.toml doctor --json")]
pub struct DoctorArgs {
    /// Print JSON: {"ok": …, "checks": [{"name", "state", "finding", "remedy"}]}. The state is good, warning, broken
    /// or skipped.
    #[arg(long)]
    json: bool,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Good,
    /// The checked part works, but may need a change.
    Warning,
    Broken,
    /// The check did not run, because another problem must be solved first, or because the configuration does not use
    /// the checked part.
    Skipped,
}

/// A check and its finding.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    finding: String,
    remedy: Option<String>,
}

impl Check {
    fn good(name: &'static str, finding: impl Into<String>) -> Self {
        Self { name, state: State::Good, finding: finding.into(), remedy: None }
    }

    fn skipped(name: &'static str, finding: impl Into<String>) -> Self {
        Self { name, state: State::Skipped, finding: finding.into(), remedy: None }
    }

    fn warning(name: &'static str, finding: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Warning, finding: finding.into(), remedy: Some(remedy.into()) }
    }

    fn broken(name: &'static str, finding: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Broken, finding: finding.into(), remedy: Some(remedy.into()) }
    }
}

/// Runs every check.
pub async fn run(args: &DoctorArgs, context: &Context) -> anyhow::Result<CommandResult> {
    let mut checks = vec![configuration(context), secrets(&context.config)];
    checks.extend(data::check(context).await);
    checks.push(model::check(&context.config).await);
    checks.extend(model::routes(&context.config).await);
    checks.extend(sign_in::check(&context.config).await);
    checks.push(machine::disk(&context.config));
    checks.extend(machine::ports(&context.config).await);
    report(args, &checks)
}

/// The report when the configuration is invalid.
pub fn misconfigured(args: &DoctorArgs, error: &ConfigError) -> anyhow::Result<CommandResult> {
    let remedy = "correct the settings; `sentistream config --defaults` explains every key";
    let mut checks: Vec<_> =
        error.0.iter().map(|problem| Check::broken("config", problem.to_string(), remedy)).collect();
    for name in ["secrets", "database", "stream", "sources", "model", "disk", "clock", "ports"] {
        checks.push(Check::skipped(name, "needs a valid configuration"));
    }
    report(args, &checks)
}

fn configuration(context: &Context) -> Check {
    let (config, settings) = (&context.config, &context.settings);
    let changed = settings.shown().filter(|shown| shown.origin != Origin::Default).count();
    let is_open = config.server.listen.iter().any(|address| !address.is_loopback());
    if config.has_role(Role::Api) && is_open && !config.server.auth.is_configured() {
        return Check::warning(
            "config",
            "the API is reachable from other machines, and server.auth has no credentials: requests need an account or \
             the token that the first start prints",
            "create accounts (`sentistream user add`), set server.auth.tokens, or listen on 127.0.0.1",
        );
    }
    Check::good(
        "config",
        format!("valid; settings that are not the default: {changed} (`sentistream config --changed`)"),
    )
}

/// Checks whether the secrets of receivers and sources are encrypted in the database. The check does not create a
/// missing key file of an embedded database, because the first start creates it.
fn secrets(config: &Config) -> Check {
    let Some(path) = app::key_file_in_use(config) else {
        return Check::warning(
            "secrets",
            "secrets of receivers and sources are stored unencrypted in the database",
            "write a key with `openssl rand -base64 32` to a file of mode 0600 and set database.key_file to it",
        );
    };
    let shown = path.display();
    if !path.exists() && config.database.key_file.is_none() {
        return Check::good("secrets", format!("the first start creates the key file {shown}"));
    }
    match Vault::open(&path) {
        Ok(_) => Check::good("secrets", format!("encrypted with the key in {shown}")),
        Err(error) => Check::broken("secrets", error.to_string(), "set database.key_file to a file with the key"),
    }
}

fn report(args: &DoctorArgs, checks: &[Check]) -> anyhow::Result<CommandResult> {
    let broken = checks.iter().filter(|check| check.state == State::Broken).count();
    let mut output = Output::new();
    if args.json {
        output.json(&serde_json::json!({"ok": broken == 0, "checks": checks}))?;
    } else {
        for check in checks {
            let state = match check.state {
                State::Good => "ok",
                State::Warning => "WARNING",
                State::Broken => "BROKEN",
                State::Skipped => "-",
            };
            output.line(format!("{state:<8} {:<9} {}", check.name, check.finding))?;
            if let Some(remedy) = &check.remedy {
                output.line(format!("{:<18} → {remedy}", ""))?;
            }
        }
        let summary = match broken {
            0 => "no problems found".to_owned(),
            1 => "1 check failed".to_owned(),
            more => format!("{more} checks failed"),
        };
        output.line(format!("\n{summary}"))?;
    }
    output.flush()?;
    Ok(if broken == 0 { CommandResult::Good } else { CommandResult::Bad })
}
