//! Admits connections to the HTTP parser: limits open connections, and waits for the first request of each.
//!
//! The parser allocates its buffers, 10 KiB and more, as soon as it gets a connection. A connection therefore waits
//! here until its first request has arrived. A waiting connection uses memory only for the bytes that it has sent.

mod connections;
mod files;
mod first;
mod rejected;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::Protocol;
use actix_http::error::DispatchError;
use actix_web::web::BytesMut;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::lifecycle::Shutdown;

use super::client::Proxies;
use super::error::ApiError;
use super::options::HttpOptions;
use connections::Connections;
use first::Missing;

pub use stream::{Admitted, ReceivedBytes};

/// The time in which the head of the first request must arrive.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum number of bytes per read.
const CHUNK: usize = 4 * 1024;
/// The maximum time that sent data may remain unacknowledged.
#[cfg(target_os = "linux")]
const UNREAD_LIMIT: Duration = Duration::from_secs(120);

/// A connection for the HTTP parser, and its client.
pub type Arrival = (Admitted, Protocol, Option<SocketAddr>);

/// Admits connections. Clones share the limits.
#[derive(Clone)]
pub struct Gate {
    connections: Connections,
    /// The time in which the body of the first request must arrive.
    body_timeout: Duration,
    shutdown: Arc<Shutdown>,
}

impl Gate {
    /// Creates a gate with the limits of `options`.
    pub fn new(options: &HttpOptions, shutdown: Shutdown) -> Self {
        let proxies = Proxies::new(options.trusted_proxies.clone());
        Self {
            connections: Connections::new(options.max_connections.min(files::connections()), proxies),
            body_timeout: options.request_timeout,
            shutdown: Arc::new(shutdown),
        }
    }

    /// Waits until the first request of the connection can be served.
    ///
    /// # Errors
    /// When the connection is over a limit, closed, or too slow.
    pub async fn admit(self, stream: TcpStream) -> Result<Arrival, DispatchError> {
        let client = stream.peer_addr().map_err(DispatchError::Io)?;
        let _ = stream.set_nodelay(true);
        limit_unacknowledged(&stream);
        let Some(place) = self.connections.open(client.ip()) else {
            return Err(refuse(&stream, too_many()).await);
        };
        let read = tokio::select! {
            read = self.first_request(&stream, Instant::now() + spread(client)) => read,
            () = place.displaced() => Err(End::Refused(too_many())),
        };
        match read {
            Ok(first) => {
                place.keep();
                Ok((Admitted::new(stream, first, place), Protocol::Http1, Some(client)))
            }
            Err(End::Closed(error)) => Err(DispatchError::Io(error)),
            Err(End::Refused(error)) => Err(refuse(&stream, error).await),
        }
    }

    /// Reads until the request is complete, or too large to wait for. The HTTP parser reads the rest of a large
    /// request.
    async fn first_request(&self, stream: &TcpStream, opened: Instant) -> Result<BytesMut, End> {
        let mut read = BytesMut::new();
        loop {
            let missing = first::missing(&read);
            let limit = match missing {
                Missing::Nothing => return Ok(read),
                Missing::Head => HEAD_TIMEOUT,
                Missing::Body => self.body_timeout,
            };
            tokio::select! {
                ready = stream.readable() => match ready.and_then(|()| receive(stream, &mut read)) {
                    Ok(0) => return Err(End::Closed(io::ErrorKind::UnexpectedEof.into())),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(End::Closed(error)),
                },
                () = tokio::time::sleep_until(opened + limit) => match missing {
                    Missing::Head => return Err(End::Refused(too_slow("head", limit))),
                    // A body that arrives too slowly is refused here: thousands of connections may wait, and the parser
                    // would allocate buffers for each.
                    Missing::Body => return Err(End::Refused(too_slow("body", limit))),
                    Missing::Nothing => return Ok(read),
                },
                () = self.shutdown.stopping() => return Ok(read),
            }
        }
    }
}

/// Why a connection does not get to the HTTP parser.
enum End {
    Closed(io::Error),
    Refused(ApiError),
}

fn too_many() -> ApiError {
    metrics::counter!("sentistream_http_connections_refused_total").increment(1);
    ApiError::unavailable("too many open connections; close some, or try again")
}

fn too_slow(part: &str, limit: Duration) -> ApiError {
    ApiError::too_slow(format!("the {part} of the request did not arrive within {} s", limit.as_secs()))
}

/// A fraction of a second that is added to the time limits of a connection. It prevents thousands of connections that
/// were opened at the same time from ending at the same time.
fn spread(client: SocketAddr) -> Duration {
    Duration::from_millis(u64::from(client.port()) % 1_000)
}

/// Appends what has arrived to `read`, up to [`CHUNK`] bytes. The buffer is on the stack, so that a waiting connection
/// needs no buffer.
fn receive(stream: &TcpStream, read: &mut BytesMut) -> io::Result<usize> {
    let mut chunk = [0; CHUNK];
    let count = stream.try_read(&mut chunk)?;
    read.extend_from_slice(&chunk[..count]);
    Ok(count)
}

/// Sends `error` as the answer, as far as the socket accepts it without waiting.
async fn refuse(stream: &TcpStream, error: ApiError) -> DispatchError {
    if stream.writable().await.is_ok() {
        // If received data remained unread, the kernel would reset the connection, and the client might not get the
        // answer.
        let _ = stream.try_read(&mut [0; CHUNK]);
        let _ = stream.try_write(&error.with_request_id(&uuid::Uuid::now_v7().to_string()).to_http1());
    }
    DispatchError::DisconnectTimeout
}

/// Lets the kernel close connections whose client acknowledges no data, because writes to them would wait forever.
fn limit_unacknowledged(stream: &TcpStream) {
    // An error is ignored, because the connection also works without this option.
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(UNREAD_LIMIT));
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}
