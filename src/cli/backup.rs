//! The command `sentistream backup`.

use std::path::PathBuf;

use clap::Args;

use super::output::Output;
use super::{CommandResult, Context, Misuse, require_database};
use crate::config::Backends;
use crate::sqlite;

/// Copy the embedded database, with its queue, to a file while the server runs.
///
/// The copy contains everything that was committed before the command started, but not the key file that decrypts the
/// secrets in the database. The copy is compacted and checked. To restore it, stop the server, replace the file of
/// database.url with the copy, and delete the -wal and -shm files beside it if they exist. With Postgres use pg_dump
/// instead.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream backup /backup/sentistream-$(date +%F).db
  sentistream --set database.url=sqlite:///data/sentistream.db backup copy.db")]
pub struct BackupArgs {
    /// The file to write. It must not exist.
    file: PathBuf,
}

/// Copies the database and prints the size of the copy.
pub async fn run(args: BackupArgs, context: &Context) -> anyhow::Result<CommandResult> {
    let Backends::Embedded { path } = &context.config.backends else {
        let how =
            "backup copies the embedded database; with Postgres use `pg_dump --format=custom`, see docs/operations.md";
        return Err(Misuse(how.to_owned()).into());
    };
    require_database(context)?;
    let (from, to) = (path.clone(), args.file.clone());
    let size = tokio::task::spawn_blocking(move || sqlite::back_up(&from, &to)).await??;
    let mut output = Output::new();
    output.line(format!("{} has {} KiB", args.file.display(), size.div_ceil(1024)))?;
    output.flush()?;
    Ok(CommandResult::Good)
}
