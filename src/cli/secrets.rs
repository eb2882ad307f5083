//! The command `sentistream secrets`.

use clap::Subcommand;

use super::output::Output;
use super::{CommandResult, Context, Misuse};
use crate::app;
use crate::secrets::Vault;

/// Manage the encryption of secrets in the database.
#[derive(Subcommand)]
pub enum SecretsCommand {
    /// Encrypt the secrets of receivers and sources with a new key and remove the old keys.
    ///
    /// A running server reloads the changed key file. Keep a copy of the old key file for as long as you keep older
    /// backups of the database.
    #[command(after_help = "Example:\n  sentistream secrets rotate")]
    Rotate,
}

/// Runs a command.
pub async fn run(command: &SecretsCommand, context: &Context) -> anyhow::Result<CommandResult> {
    let SecretsCommand::Rotate = command;
    let path = app::key_file_in_use(&context.config).ok_or_else(|| {
        Misuse(
            "secrets are not encrypted: write a key with `openssl rand -base64 32` and set database.key_file"
                .to_owned(),
        )
    })?;
    // This call creates the key file of the embedded database if the file is missing.
    let store = app::open_store(&context.config, context.clock.clone())?;
    let rotation = Vault::begin_rotation(&path)?;
    let objects = store.reseal_secrets().await?;
    rotation.finish()?;
    let mut output = Output::new();
    output.line(format!(
        "encrypted the secrets of {objects} receivers and sources with a new key in {}",
        path.display()
    ))?;
    output.flush()?;
    Ok(CommandResult::Good)
}
