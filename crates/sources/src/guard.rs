//! Converts a panic of a source into an error.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

use super::{Batch, SourceError};

/// Reads a batch from a source with `next`. If the source panics, other sources and the server are not affected.
///
/// # Errors
///
/// Returns the error of the source, and [`SourceError::Transient`] if the source panics. The source must then be opened
/// again.
pub async fn guarded(next: impl Future<Output = Result<Batch, SourceError>>) -> Result<Batch, SourceError> {
    AssertUnwindSafe(next).catch_unwind().await.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
        Err(SourceError::Transient(format!("the source panicked, which is a defect: {message}")))
    })
}
