//! The command `sentistream migrate`.

use clap::Args;

use super::output::Output;
use super::{CommandResult, Context, print_database};
use crate::app;

/// Create the database or update its schema, or check whether migrations are pending.
///
/// `serve` also migrates when it starts. Several instances may start at the same time.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream migrate
  sentistream migrate --check || echo \"migrations are pending\"")]
pub struct MigrateArgs {
    /// Change nothing; exit with 1 if migrations are pending.
    #[arg(long)]
    check: bool,
}

/// Migrates the database, or checks whether migrations are pending.
pub async fn run(args: &MigrateArgs, context: &Context) -> anyhow::Result<CommandResult> {
    print_database(context);
    let services = app::open_store(&context.config, context.clock.clone())?;
    let (names, done) = if args.check {
        (services.pending_migrations().await?, "pending")
    } else {
        (services.migrate().await?, "applied")
    };
    let mut output = Output::new();
    if names.is_empty() {
        output.line("the schema is up to date")?;
    }
    for name in &names {
        output.line(format!("{done}  {name}"))?;
    }
    output.flush()?;
    Ok(if args.check && !names.is_empty() { CommandResult::Bad } else { CommandResult::Good })
}
