//! Divides the output of a connection into small parts. The HTTP server keeps a buffer of the size of the largest part
//! while the connection is open. Without the division, a part could contain the frames of many events.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

use crate::http::options::WRITE_BUFFER;

/// The size of the buffer that the server allocates for each connection, in bytes.
const BUFFER: usize = 8 * 1024;
/// The maximum size of a part, in bytes. The server adds a part to a buffer that has less than [`WRITE_BUFFER`] bytes,
/// so that the buffer does not grow.
const PART: usize = BUFFER - WRITE_BUFFER;

/// A body whose chunks are divided into parts of at most `PART` bytes.
pub struct Slices {
    body: BoxBody,
    rest: Bytes,
}

impl Slices {
    /// Divides the chunks of `body`.
    pub fn new(body: BoxBody) -> Self {
        Self { body, rest: Bytes::new() }
    }
}

impl MessageBody for Slices {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_next(context)) {
                Some(Ok(chunk)) => self.rest = chunk,
                end => return Poll::Ready(end),
            }
        }
        let length = self.rest.len().min(PART);
        Poll::Ready(Some(Ok(self.rest.split_to(length))))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use actix_web::body::BodyStream;
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn chunks_are_divided_and_keep_their_order() {
        let chunks = [vec![1; 20_000], vec![2; 3], vec![3; PART]];
        let stream = stream::iter(chunks.clone().map(|chunk| Ok::<_, Infallible>(Bytes::from(chunk))));
        let mut body = Slices::new(BodyStream::new(stream).boxed());
        let mut parts = Vec::new();
        while let Some(part) = std::future::poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
            parts.push(part.expect("a part"));
        }
        assert!(parts.iter().all(|part| part.len() <= PART));
        assert_eq!(parts.concat(), chunks.concat());
    }
}
