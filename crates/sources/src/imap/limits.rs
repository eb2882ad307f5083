//! Limits the data that a mail server may send.
//!
//! The parser of `async-imap` has no sufficient limits: it allocates a literal of up to 512 MiB as soon as its size is
//! announced, buffers a response of any length, and recurses for nested lists. This layer therefore checks the size of
//! literals, the length of responses, the number of lists and the bytes per command before the parser receives them.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The maximum size of a literal in bytes. At most this many bytes of each mail are read.
pub const MAX_LITERAL: u32 = 128 * 1024;
/// The maximum size of a response without its literals, in bytes. For responses to `SEARCH`, [`MAX_SEARCH`] applies.
const MAX_RESPONSE: usize = 256 * 1024;
/// The maximum size of a response to `SEARCH` in bytes. It is one line with a number per mail, so 2 MiB are enough for
/// 190,000 mails. `async-imap` parses the whole line again after every read of at most 4 KiB, so the time to parse it
/// grows with the square of its length.
const MAX_SEARCH: usize = 2 * 1024 * 1024;
/// The maximum size of all responses to one command, in bytes.
const MAX_COMMAND: usize = 16 * 1024 * 1024;
/// The maximum number of lists in a response. The commands of this source cause responses with one list.
const MAX_LISTS: usize = 24;
/// The number of bytes at the start of a response that show its kind.
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
    /// A literal is announced where this source expects none, or a response to `FETCH` ends before its list does. In
    /// this data the parser may see other response boundaries than this layer, so the limits could not be applied.
    #[error("the server sent a response with an unexpected literal or line break")]
    Structure,
    /// A response is too long.
    #[error("the server sent a line of more than {} KiB", MAX_RESPONSE / 1_024)]
    Response,
    /// A response to `SEARCH` is too long.
    #[error("the server sent a search result of more than {} MiB", MAX_SEARCH / 1_048_576)]
    Search,
    /// A response has too many lists.
    #[error("the server sent more than {MAX_LISTS} lists in a response")]
    Lists,
    /// All responses to a command together are too long.
    #[error("the server sent more than {} MiB for one command", MAX_COMMAND / 1_048_576)]
    Command,
}

/// Tracks lines and literals in responses (RFC 9051, section 4.3).
///
/// The bytes of a literal are not checked, so the parser must also treat them as a literal. Otherwise a server could
/// hide responses in them. Therefore only `FETCH` and `LIST` may contain literals. A literal in another response ends
/// the connection.
#[derive(Debug, Default)]
struct Scan {
    /// The number of bytes since the last command.
    received: usize,
    /// The number of bytes of the current response, without its literals.
    response: usize,
    lists: usize,
    /// The number of lists in the current response that are not closed.
    open: usize,
    /// Whether the current response has quotation marks.
    has_quotes: bool,
    /// Whether the last byte, apart from spaces and the line break, closed a list.
    has_closed: bool,
    /// The last byte of the current response, apart from literals.
    previous: u8,
    /// The number of bytes of the current literal that are still expected.
    skip: usize,
    announced: Announced,
    /// Whether a literal is expected where `announced` begins.
    is_expected: bool,
    /// The first bytes of the current response.
    head: Vec<u8>,
}

/// The part of a literal's announcement ` {123}CRLF` that was read.
#[derive(Clone, Copy, Debug, Default)]
enum Announced {
    #[default]
    Nothing,
    Opened,
    Digits(u64),
    Closed(u64),
    Return(u64),
}

/// The kind of a response, as its first bytes show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fetch,
    List,
    Search,
    /// A human-readable text, which contains no lists.
    Text,
    Other,
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
            match self.kind() {
                Kind::Search if self.response > MAX_SEARCH => return Err(Excess::Search),
                Kind::Search => {}
                _ => return Err(Excess::Response),
            }
        }
        if self.head.len() < HEAD {
            self.head.push(byte);
        }
        self.count(byte)?;
        self.announced = match (self.announced, byte) {
            (_, b'{') => {
                self.is_expected = self.expects_literal();
                Announced::Opened
            }
            (Announced::Opened, b'0'..=b'9') => Announced::Digits(u64::from(byte - b'0')),
            (Announced::Digits(size), b'0'..=b'9') => {
                Announced::Digits(size.saturating_mul(10).saturating_add(u64::from(byte - b'0')))
            }
            (Announced::Digits(size), b'}') => Announced::Closed(size),
            (Announced::Closed(size), b'\r') => Announced::Return(size),
            (Announced::Return(size), b'\n') => {
                self.skip = match usize::try_from(size) {
                    Ok(bytes) if size <= u64::from(MAX_LITERAL) && self.is_expected => bytes,
                    Ok(_) if size <= u64::from(MAX_LITERAL) => return Err(Excess::Structure),
                    _ => return Err(Excess::Literal(size)),
                };
                Announced::Nothing
            }
            (_, b'\n') => {
                self.end_response()?;
                return Ok(());
            }
            _ => Announced::Nothing,
        };
        self.previous = byte;
        Ok(())
    }

    /// Counts lists and quotation marks.
    fn count(&mut self, byte: u8) -> Result<(), Excess> {
        match byte {
            b'(' if self.kind() != Kind::Text => {
                self.lists += 1;
                self.open += 1;
                if self.lists > MAX_LISTS {
                    return Err(Excess::Lists);
                }
            }
            b')' => self.open = self.open.saturating_sub(1),
            b'"' => self.has_quotes = true,
            _ => {}
        }
        self.has_closed = byte == b')' || (self.has_closed && matches!(byte, b' ' | b'\r' | b'\n'));
        Ok(())
    }

    /// Whether the parser treats a literal at this position as a literal.
    ///
    /// In a response to `FETCH` the parser reads the value of an unknown attribute up to the next `)`, or up to the
    /// next space if the value is not a list. Line breaks do not end the value. A literal is therefore expected only
    /// after a space, directly in the list of attributes, and only if no quotation mark precedes it, because quoted
    /// text could contain parentheses. The other responses have no unknown attributes.
    fn expects_literal(&self) -> bool {
        let is_value = self.previous == b' ';
        match self.kind() {
            Kind::Fetch => is_value && self.open == 1 && !self.has_quotes,
            Kind::List => is_value,
            Kind::Search | Kind::Text | Kind::Other => false,
        }
    }

    fn kind(&self) -> Kind {
        let head = self.head.as_slice();
        let begins = |with: &[u8]| head.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
        if head.starts_with(b"+") {
            return Kind::Text;
        }
        if begins(b"* LIST ") {
            return Kind::List;
        }
        if begins(b"* SEARCH") {
            return Kind::Search;
        }
        let mut words = head.split(|byte| *byte == b' ');
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let third = words.next().unwrap_or_default();
        let is_number = !second.is_empty() && second.iter().all(u8::is_ascii_digit);
        // A fourth word begins when the space after the third was read. The parser also accepts numbers with so many
        // zeros that `head` does not contain the third word. Such a response is treated as a response to `FETCH`.
        let is_fetch = (third.eq_ignore_ascii_case(b"FETCH") && words.next().is_some()) || head.len() == HEAD;
        if first == b"*" && is_number && is_fetch {
            return Kind::Fetch;
        }
        let statuses: [&[u8]; 5] = [b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"];
        let is_status = statuses.iter().any(|word| second.trim_ascii_end().eq_ignore_ascii_case(word));
        if is_status { Kind::Text } else { Kind::Other }
    }

    fn end_response(&mut self) -> Result<(), Excess> {
        // If the list is not closed, the parser could continue an attribute after the line break.
        if self.kind() == Kind::Fetch && !self.has_closed {
            return Err(Excess::Structure);
        }
        self.head.clear();
        *self = Self { received: self.received, head: std::mem::take(&mut self.head), ..Self::default() };
        Ok(())
    }
}
