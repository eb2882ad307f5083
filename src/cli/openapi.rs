//! `sentistream openapi`

use super::CommandResult;
use super::output::Output;
use crate::http::openapi;

/// Prints the description of the API.
pub fn run() -> anyhow::Result<CommandResult> {
    let mut output = Output::new();
    output.line(openapi::document_json().trim_end())?;
    output.flush()?;
    Ok(CommandResult::Good)
}
