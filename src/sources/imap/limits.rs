//! Limits the data that a mail server may send.
//!
//! The parser of `async-imap` has no sufficient limits: it allocates a literal of up to 512 MiB as soon as its size is
//! announced, buffers a response of any length, and recurses for nested lists. This layer therefore checks the size of
//! literals, the length of responses, the number of lists and the bytes per command before the parser receives them.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The maximum size of a literal in bytes, which is also the number of bytes that are read of a mail.
pub const MAX_LITERAL: u32 = 128 * 1024;
/// The maximum size of a response without its literals, in bytes.
const MAX_RESPONSE: usize = 256 * 1024;
/// The maximum size of all responses to one command, in bytes.
const MAX_COMMAND: usize = 16 * 1024 * 1024;
/// The maximum number of lists in a response. The commands of this source cause responses with one list.
const MAX_LISTS: usize = 24;
/// The number of first bytes that show whether a response is a human-readable text.
const HEAD: usize = 32;

/// A connection, with or without TLS.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A connection that fails when the server exceeds a limit.
pub struct Limited {
    wire: Box<dyn Wire>,
    scan: Scan,
}

impl Limited {
    pub fn new(wire: Box<dyn Wire>) -> Self {
        Self { wire, scan: Scan::default() }
    }

    /// Returns the connection without limits, for the TLS handshake.
    pub fn into_wire(self) -> Box<dyn Wire> {
        self.wire
    }

    /// Resets the byte count for the next command.
    pub fn begin_command(&mut self) {
        self.scan.received = 0;
    }
}

impl fmt::Debug for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limited").field("received", &self.scan.received).finish_non_exhaustive()
    }
}

impl AsyncRead for Limited {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut *self.wire).poll_read(cx, buffer))?;
        let checked = self.scan.take(&buffer.filled()[before..]);
        Poll::Ready(checked.map_err(|excess| io::Error::new(io::ErrorKind::InvalidData, excess)))
    }
}

impl AsyncWrite for Limited {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.wire).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.wire).poll_shutdown(cx)
    }
}

/// The limit that the server exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// A literal is too large.
    #[error("the server announced {0} bytes where at most {MAX_LITERAL} were requested")]
    Literal(u64),
    /// A response is too long.
    #[error("the server sent a line of more than {} KiB", MAX_RESPONSE / 1_024)]
    Response,
    /// A response has too many lists.
    #[error("the server sent more than {MAX_LISTS} lists in a response")]
    Lists,
    /// All responses to a command together are too long.
    #[error("the server sent more than {} MiB for one command", MAX_COMMAND / 1_048_576)]
    Command,
}

/// Tracks lines and literals in responses (RFC 9051, section 4.3).
#[derive(Debug, Default)]
struct Scan {
    /// The number of bytes since the last command.
    received: usize,
    /// The number of bytes of the current response, without its literals.
    response: usize,
    lists: usize,
    /// The number of bytes of the current literal that are still expected.
    skip: usize,
    announced: Announced,
    /// The first bytes of the current response.
    head: Vec<u8>,
}

/// The part of a literal's announcement `{123}CRLF` that was read.
#[derive(Clone, Copy, Debug, Default)]
enum Announced {
    #[default]
    Nothing,
    Digits(u64),
    Closed(u64),
    Return(u64),
}

impl Scan {
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Excess> {
        self.received += bytes.len();
        if self.received > MAX_COMMAND {
            return Err(Excess::Command);
        }
        while let Some((byte, rest)) = bytes.split_first() {
            if self.skip > 0 {
                let step = self.skip.min(bytes.len());
                self.skip -= step;
                bytes = &bytes[step..];
            } else {
                self.byte(*byte)?;
                bytes = rest;
            }
        }
        Ok(())
    }

    fn byte(&mut self, byte: u8) -> Result<(), Excess> {
        self.response += 1;
        if self.response > MAX_RESPONSE {
            return Err(Excess::Response);
        }
        if self.head.len() < HEAD {
            self.head.push(byte);
        }
        if byte == b'(' && !self.is_text() {
            self.lists += 1;
            if self.lists > MAX_LISTS {
                return Err(Excess::Lists);
            }
        }
        self.announced = match (self.announced, byte) {
            (_, b'{') => Announced::Digits(0),
            (Announced::Digits(size), b'0'..=b'9') => {
                Announced::Digits(size.saturating_mul(10).saturating_add(u64::from(byte - b'0')))
            }
            (Announced::Digits(size), b'}') => Announced::Closed(size),
            (Announced::Closed(size), b'\r') => Announced::Return(size),
            (Announced::Return(size), b'\n') => {
                match usize::try_from(size) {
                    Ok(bytes) if size <= u64::from(MAX_LITERAL) && !self.is_text() => self.skip = bytes,
                    Ok(_) if size <= u64::from(MAX_LITERAL) => self.end_response(),
                    _ => return Err(Excess::Literal(size)),
                }
                Announced::Nothing
            }
            (_, b'\n') => {
                self.end_response();
                Announced::Nothing
            }
            _ => Announced::Nothing,
        };
        Ok(())
    }

    /// Whether the response is a human-readable text, which cannot contain literals. Without this check a server could
    /// announce a literal that the parser does not see, and hide another literal in it.
    fn is_text(&self) -> bool {
        let mut words = self.head.split(u8::is_ascii_whitespace);
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let words: [&[u8]; 5] = [b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"];
        first == b"+" || words.iter().any(|word| second.eq_ignore_ascii_case(word))
    }

    fn end_response(&mut self) {
        self.response = 0;
        self.lists = 0;
        self.head.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(bytes: &[u8]) -> Result<(), Excess> {
        // The limits apply regardless of how the data is split into packets.
        let mut in_steps = Scan::default();
        let stepwise = bytes.chunks(7).try_for_each(|chunk| in_steps.take(chunk));
        assert_eq!(Scan::default().take(bytes), stepwise);
        stepwise
    }

    #[test]
    fn usual_responses_are_accepted() {
        let mail = format!("* 1 FETCH (UID 7 BODY[]<0> {{{}}}\r\n{})\r\n", 2_000, "({9999999999}\r\n(".repeat(125));
        assert_eq!(scanned(format!("* OK [ALERT] ((((({{12}}\r\n{mail}A1 OK done\r\n").as_bytes()), Ok(()));
    }

    #[test]
    fn large_literal_is_refused_before_it_arrives() {
        assert_eq!(scanned(b"* 1 FETCH (BODY[] {4294967296}\r\n"), Err(Excess::Literal(4_294_967_296)));
        assert_eq!(scanned(b"* 1 FETCH (BODY[] {400000000}\r\n"), Err(Excess::Literal(400_000_000)));
        // The parser treats the first line as text, so `{100}` does not announce a literal.
        let hidden = b"* OK hello {100}\r\n* 1 FETCH (BODY[] {400000000}\r\n";
        assert_eq!(scanned(hidden), Err(Excess::Literal(400_000_000)));
    }

    #[test]
    fn endless_and_nested_responses_are_refused() {
        assert_eq!(scanned(&[b'a'; MAX_RESPONSE + 1]), Err(Excess::Response));
        assert_eq!(scanned("* 1 FETCH (BODYSTRUCTURE ((((((((((((((((((((((((((".as_bytes()), Err(Excess::Lists));
        assert_eq!(scanned(&b"* 1 EXISTS\r\n".repeat(MAX_COMMAND / 12 + 1)), Err(Excess::Command));
    }
}
