//! A connection whose first bytes were read before the HTTP parser got it, and the count of its bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use actix_web::web::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::connections::Place;
use super::rejected::Rejections;

/// The number of bytes that the HTTP parser has received on a connection. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct ReceivedBytes(Arc<AtomicU64>);

impl ReceivedBytes {
    /// The number of bytes that were received so far.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection that was admitted to the HTTP parser.
pub struct Admitted {
    io: TcpStream,
    first: BytesMut,
    rejections: Rejections,
    received: ReceivedBytes,
    _place: Place,
}

impl Admitted {
    /// Wraps the connection `io`. The parser first reads the bytes `first`, which were already received.
    pub fn new(io: TcpStream, first: BytesMut, place: Place) -> Self {
        Self { io, first, rejections: Rejections::default(), received: ReceivedBytes::default(), _place: place }
    }

    /// The count of the bytes that the HTTP parser receives on the connection.
    pub fn received(&self) -> ReceivedBytes {
        self.received.clone()
    }
}

impl AsyncRead for Admitted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = to.filled().len();
        if self.first.is_empty() {
            ready!(Pin::new(&mut self.io).poll_read(context, to))?;
        } else {
            let count = self.first.len().min(to.remaining());
            to.put_slice(&self.first.split_to(count));
            if self.first.is_empty() {
                self.first = BytesMut::new();
            }
        }
        self.received.0.fetch_add((to.filled().len() - before) as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Admitted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.rejections.poll_write(&mut this.io, context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
