//! `sentistream openapi`

use super::Verdict;

/// Prints the description of the API.
pub fn run() -> anyhow::Result<Verdict> {
    Ok(Verdict::Good)
}
