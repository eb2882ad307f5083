//! The command `sentistream completions SHELL`.

use clap::{Args, Command};
use clap_complete::Shell;

use super::CommandResult;
use super::output::Output;

/// Print a script that completes commands and flags in a shell.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream completions bash > /etc/bash_completion.d/sentistream
  sentistream completions zsh  > ~/.zfunc/_sentistream
  sentistream completions fish > ~/.config/fish/completions/sentistream.fish")]
pub struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Prints the script for `command`.
pub fn run(args: &CompletionsArgs, command: &mut Command) -> anyhow::Result<CommandResult> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "sentistream", &mut script);
    let mut output = Output::new();
    output.line(String::from_utf8_lossy(&script).trim_end())?;
    output.flush()?;
    Ok(CommandResult::Good)
}
