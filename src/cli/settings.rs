//! The command `sentistream config`.

use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::output::Output;
use super::{CommandResult, Context};
use crate::app;
use crate::config::{Backends, DEFAULT_TOML, Origin, Settings, Shown};
use crate::settings::merge;

/// The timeout for reading the stored settings from the database.
const READ_LIMIT: Duration = Duration::from_secs(3);

/// Print all settings with the source of each value. Secrets are masked.
///
/// Settings that were changed in the dashboard come from the database. If the database does not answer, a note on
/// stderr reports that these settings are left out.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream config --changed                       only settings that differ from the default
  sentistream --set worker.tasks=4 config            the effective settings with this flag
  sentistream config --defaults > sentistream.toml   a file to start from")]
pub struct ConfigArgs {
    /// Print only settings that are not the default.
    #[arg(long)]
    changed: bool,
    /// Print the defaults with an explanation of every key.
    #[arg(long, conflicts_with_all = ["changed", "json"])]
    pub defaults: bool,
    /// Print JSON: {"section.key": {"value": …, "source": …}}.
    #[arg(long)]
    json: bool,
}

/// Prints the settings.
pub async fn run(args: &ConfigArgs, context: &Context) -> anyhow::Result<CommandResult> {
    let settings = in_force(context).await;
    let shown: Vec<_> = settings.shown().filter(|shown| !args.changed || shown.origin != Origin::Default).collect();
    let mut output = Output::new();
    if args.json {
        let all: serde_json::Map<_, _> = shown
            .into_iter()
            .map(|shown| (shown.key, json!({"value": shown.value, "source": shown.origin.to_string()})))
            .collect();
        output.json(&all)?;
    } else {
        print_toml(&shown, &mut output)?;
    }
    output.flush()?;
    Ok(CommandResult::Good)
}

/// The effective settings, including the values stored in the database.
async fn in_force(context: &Context) -> Settings {
    match &context.config.backends {
        Backends::Embedded { path } if !path.exists() => return context.settings.clone(),
        Backends::Embedded { .. } | Backends::Shared { .. } => {}
    }
    let reading = app::stored_settings(&context.config, context.clock.clone());
    match tokio::time::timeout(READ_LIMIT, reading).await {
        Ok(Ok(stored)) => {
            let (config, ignored) = merge(&context.config, &stored);
            for (key, reason) in ignored {
                note(&format!("a setting that was changed in the dashboard is not used: {key}: {reason}"));
            }
            config.settings
        }
        Ok(Err(error)) => {
            note(&format!("settings that were changed in the dashboard are not shown: {error}"));
            context.settings.clone()
        }
        Err(_) => {
            let limit = READ_LIMIT.as_secs();
            note(&format!("settings that were changed in the dashboard are not shown: no answer within {limit} s"));
            context.settings.clone()
        }
    }
}

/// Prints a note to stderr.
fn note(text: &str) {
    // A failure to write to stderr cannot be reported.
    let _ = writeln!(io::stderr(), "note: {text}");
}

/// Prints TOML with the origin of each value in a comment.
fn print_toml(shown: &[Shown], output: &mut Output) -> anyhow::Result<()> {
    let line = |shown: &Shown| {
        let name = shown.key.rsplit('.').next().unwrap_or_default();
        format!("{name} = {}", shown.value)
    };
    let width = shown.iter().map(|shown| line(shown).chars().count()).filter(|width| *width < 60).max().unwrap_or(0);
    let mut section = "";
    for setting in shown {
        let place = setting.key.rsplit_once('.').map_or("", |(place, _)| place);
        if place != section {
            output.line(format!("\n[{place}]"))?;
            section = place;
        }
        output.line(format!("{:<width$}  # {}", line(setting), setting.origin))?;
    }
    Ok(())
}

/// Prints the reference of all keys.
pub fn print_defaults() -> anyhow::Result<CommandResult> {
    let mut output = Output::new();
    output.line(DEFAULT_TOML.trim_end())?;
    output.flush()?;
    Ok(CommandResult::Good)
}
