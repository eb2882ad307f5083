//! A webhook: other programs send JSON to `POST /api/hooks/NAME`, signed with a shared secret.
//!
//! The API checks the signature with a [`Hook`] and appends the posts. The source itself reads nothing, and exists so
//! that a webhook is listed, paused and resumed like every source.

mod signature;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::mapping::{Mapping, Reading};
use super::{Batch, Source, SourceError, SourceSpec};

pub use signature::{Claim, Scheme, SecretError, Signature};

/// The kind of the source.
pub const KIND: &str = "webhook";

/// The settings of a webhook.
#[derive(Clone)]
pub struct Hook {
    /// How requests are signed.
    pub signature: Signature,
    /// Where the fields of posts are in the body of a request.
    pub mapping: Mapping,
}

impl Hook {
    /// Extracts the posts from the body of a request; `None` when the body has more than `reading.max` items.
    pub fn read(&self, body: &Value, reading: Reading<'_>) -> Option<Batch> {
        (self.mapping.items(body).len() <= reading.max).then(|| self.mapping.read(body, reading))
    }
}

/// Creates the source `name`, which only reports its state.
pub fn spec(name: &str) -> SourceSpec {
    SourceSpec::new(KIND, name, |_| Box::new(Waiting { is_open: false }))
}

/// Waits without yielding posts, because the API receives them.
struct Waiting {
    is_open: bool,
}

impl Source for Waiting {
    fn next(&mut self, _: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(async move {
            // The first batch is empty. It reports that the source is connected.
            if std::mem::replace(&mut self.is_open, true) {
                std::future::pending::<()>().await;
            }
            Ok(Batch::default())
        })
    }
}
