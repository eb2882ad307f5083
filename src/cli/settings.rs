//! `sentistream config`

use clap::Args;
use serde_json::json;

use super::Verdict;
use super::output::Output;
use crate::config::{DEFAULT_TOML, Origin, Settings, Shown};

/// Print all settings and where each came from. Secrets are masked.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream config --changed                       only settings that differ from the default
  sentistream --set worker.tasks=4 config            the effective settings with this flag
  sentistream config --defaults > sentistream.toml   a file to start from")]
pub struct ConfigArgs {
    /// Only settings that are not the default.
    #[arg(long)]
    changed: bool,
    /// Print the defaults with an explanation of every key.
    #[arg(long, conflicts_with_all = ["changed", "json"])]
    pub defaults: bool,
    /// As JSON: {"section.key": {"value": …, "source": …}}.
    #[arg(long)]
    json: bool,
}

/// Prints the settings.
pub fn run(args: &ConfigArgs, settings: &Settings) -> anyhow::Result<Verdict> {
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
    Ok(Verdict::Good)
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
pub fn print_defaults() -> anyhow::Result<Verdict> {
    let mut output = Output::new();
    output.line(DEFAULT_TOML.trim_end())?;
    output.flush()?;
    Ok(Verdict::Good)
}
