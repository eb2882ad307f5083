//! The command `sentistream sign-in`.

use clap::Args;

use super::output::Output;
use super::{CommandResult, Context, require_database};
use crate::app;
use crate::http::auth::COMMAND_LINE;
use crate::store::security::SecurityEvent;

/// Print a link that signs a browser in to the dashboard, with every scope.
///
/// The link works once, within an hour. Use it if you have lost the token of the first start.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream sign-in
  docker exec sentistream sentistream sign-in")]
pub struct SignInArgs {}

/// Creates a code in the configured database and prints the link.
pub async fn run(context: &Context) -> anyhow::Result<CommandResult> {
    require_database(context)?;
    let store = app::open_store(&context.config, context.clock.clone())?;
    let code = app::sign_in::code(&store, &context.clock).await?;
    store.record_security(&[event(context)]).await?;
    let mut output = Output::new();
    output.line(app::sign_in::link(&app::external_url(&context.config), &code))?;
    output.flush()?;
    Ok(CommandResult::Good)
}

/// The event for the audit log, which records that the link grants every scope.
fn event(context: &Context) -> SecurityEvent {
    SecurityEvent {
        id: 0,
        at: context.clock.now(),
        actor: COMMAND_LINE.to_owned(),
        address: None,
        outcome: "allowed".to_owned(),
        action: "sentistream sign-in".to_owned(),
        target: String::new(),
        status: 0,
        request_id: uuid::Uuid::now_v7().to_string(),
    }
}
