//! The command `sentistream openapi`.

use super::CommandResult;
use super::output::Output;
use crate::http::routes;

/// Prints the description of the API.
pub fn run() -> anyhow::Result<CommandResult> {
    let mut output = Output::new();
    output.line(routes::openapi_json().trim_end())?;
    output.flush()?;
    Ok(CommandResult::Good)
}
