//! The command `sentistream man`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};

use super::CommandResult;
use super::output::Output;

/// Print the manual page, or write the pages of all commands to a folder.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream man | man -l -
  sentistream man --out /usr/local/share/man/man1")]
pub struct ManArgs {
    /// Write sentistream.1 and a page for each command to this folder, which must exist.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Renders the manual pages of `command`.
pub fn run(args: &ManArgs, command: Command) -> anyhow::Result<CommandResult> {
    if let Some(folder) = &args.out {
        clap_mangen::generate_to(command, folder)
            .with_context(|| format!("cannot write manual pages to {}", folder.display()))?;
        return Ok(CommandResult::Good);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    let mut output = Output::new();
    output.line(String::from_utf8_lossy(&page).trim_end())?;
    output.flush()?;
    Ok(CommandResult::Good)
}
