//! Sends one request to a local server over plain HTTP/1.1.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::config::Address;

/// The maximum number of bytes of the response that are read.
const LONGEST: u64 = 64 << 10;

/// The request to send.
pub struct Probe<'a> {
    /// The host and port of the server.
    pub address: &'a Address,
    /// The path of the request, which starts with `/`.
    pub path: &'a str,
    /// The timeout of the whole request.
    pub timeout: Duration,
}

/// The response.
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The text after the head, truncated when the whole response is longer than 64 KiB.
    pub body: String,
}

/// Sends the request and reads the response.
///
/// # Errors
/// When no server listens at the address, or no HTTP response arrives within the timeout.
pub async fn get(probe: Probe<'_>) -> io::Result<Answer> {
    tokio::time::timeout(probe.timeout, send(&probe)).await.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", probe.timeout.as_secs()))
    })?
}

async fn send(probe: &Probe<'_>) -> io::Result<Answer> {
    let Probe { address, path, .. } = probe;
    let mut connection = TcpStream::connect((address.host.as_str(), address.port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.take(LONGEST).read_to_end(&mut answer).await?;
    parse(&String::from_utf8_lossy(&answer))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}
