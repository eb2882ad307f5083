//! Sources that read everything new at once. [`Polled`] returns the result in parts of the requested size.

use futures_util::future::BoxFuture;

use super::{Batch, Source, SourceError};

/// A source that reads everything new at once.
pub trait Poll: Send {
    /// Reads one batch of any size. As with [`Source::next`], the caller drops the future only together with the
    /// source.
    ///
    /// # Errors
    /// When nothing can be read.
    fn poll(&mut self) -> BoxFuture<'_, Result<Batch, SourceError>>;
}

/// Turns a [`Poll`] into a source that returns parts of the requested size.
pub struct Polled<P> {
    inner: P,
    /// The part of the last batch that was not returned yet.
    rest: Option<Batch>,
}

impl<P: Poll> Polled<P> {
    pub fn new(inner: P) -> Self {
        Self { inner, rest: None }
    }
}

impl<P: Poll> Source for Polled<P> {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(async move {
            let mut batch = match self.rest.take() {
                Some(rest) => rest,
                None => self.inner.poll().await?,
            };
            self.rest = batch.cut(max.max(1));
            Ok(batch)
        })
    }
}
