//! `sentistream openapi`

use super::Verdict;
use super::output::Output;
use crate::http::openapi;

/// Prints the description of the API.
pub fn run() -> anyhow::Result<Verdict> {
    let mut output = Output::new();
    output.line(openapi::document_json().trim_end())?;
    output.flush()?;
    Ok(Verdict::Good)
}
