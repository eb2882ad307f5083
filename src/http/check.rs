//! Runs a check of a service with a time limit.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Why a check of a service failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckError {
    /// The service is unavailable or answered with an error, or the check panicked.
    #[error("{0}")]
    Failed(Arc<dyn std::error::Error + Send + Sync>),
    /// The service did not answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
}

/// The result of `check`. A check that takes longer than `limit` continues in the background: cancelling it could leave
/// a connection unusable.
///
/// # Errors
/// When the check fails or takes longer than `limit`.
pub async fn within<T, E>(
    limit: Duration,
    check: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, CheckError>
where
    T: Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    match tokio::time::timeout(limit, tokio::spawn(check)).await {
        Ok(Ok(result)) => result.map_err(|error| CheckError::Failed(Arc::new(error))),
        Ok(Err(panic)) => Err(CheckError::Failed(Arc::new(panic))),
        Err(_) => Err(CheckError::TimedOut(limit)),
    }
}
