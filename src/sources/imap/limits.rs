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
/// The maximum size of a response without its literals, in bytes. The response to `SEARCH` is one line with a number per
/// mail, so only [`MAX_COMMAND`] limits it.
const MAX_RESPONSE: usize = 256 * 1024;
/// The maximum size of all responses to one command, in bytes.
const MAX_COMMAND: usize = 16 * 1024 * 1024;
/// The maximum number of lists in a response. The commands of this source cause responses with one list.
const MAX_LISTS: usize = 24;
/// The number of first bytes that show the kind of a response.
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
    /// A literal is announced where this source expects none, or a response to `FETCH` ends before its list does. The
    /// parser may divide such data into other responses than this layer, so the limits could not be applied to it.
    #[error("the server sent a response with an unexpected literal or line break")]
    Structure,
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
///
/// The bytes of a literal are not checked, so the parser must also treat them as a literal. Otherwise a server could
/// hide responses in them. Therefore only `FETCH` and `LIST` may contain literals. All others end the connection.
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
        if self.response > MAX_RESPONSE && self.kind() != Kind::Search {
            return Err(Excess::Response);
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
    /// In a response to `FETCH` the parser reads the value of an unknown attribute up to the next `)`, or up to the next
    /// space if it is not a list, even over line breaks. A literal is therefore only expected after a space, directly in
    /// the list of attributes, and without quotation marks before it, which could contain parentheses. The other kinds
    /// have no such values.
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
        // zeros that `head` does not contain the third word.
        let is_fetch = (third.eq_ignore_ascii_case(b"FETCH") && words.next().is_some()) || head.len() == HEAD;
        if first == b"*" && is_number && is_fetch {
            return Kind::Fetch;
        }
        let statuses: [&[u8]; 5] = [b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"];
        let is_status = statuses.iter().any(|word| second.trim_ascii_end().eq_ignore_ascii_case(word));
        if is_status { Kind::Text } else { Kind::Other }
    }

    fn end_response(&mut self) -> Result<(), Excess> {
        // The parser could continue an attribute of a list that is not closed.
        if self.kind() == Kind::Fetch && !self.has_closed {
            return Err(Excess::Structure);
        }
        self.head.clear();
        *self = Self { received: self.received, head: std::mem::take(&mut self.head), ..Self::default() };
        Ok(())
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
        assert_eq!(scanned(format!("* OK [ALERT] ((((({{12}}.\r\n{mail}A1 OK done\r\n").as_bytes()), Ok(()));
    }

    #[test]
    fn large_literal_is_refused_before_it_arrives() {
        assert_eq!(scanned(b"* 1 FETCH (BODY[] {4294967296}\r\n"), Err(Excess::Literal(4_294_967_296)));
        assert_eq!(scanned(b"* 1 FETCH (BODY[] {400000000}\r\n"), Err(Excess::Literal(400_000_000)));
    }

    #[test]
    fn literals_of_fetch_and_list_are_skipped() {
        for line in [
            "* 1 FETCH (UID 7 FLAGS (\\Seen) MODSEQ (12) BODY[]<0> {4}\r\n((((",
            "* 4294967295 fetch (BODY[HEADER.FIELDS (TO)] {4}\r\n\r\n{9 BODY[TEXT] {4}\r\n))))",
            "* 1 FETCH (BODY[] {0}\r\n",
        ] {
            assert_eq!(scanned(format!("{line} UID 7) \r\nA1 OK done\r\n").as_bytes()), Ok(()), "{line}");
        }
        let braces = "* 1 FETCH (UID 7 INTERNALDATE \"({12}\" BODY[] \"{5}\")\r\n";
        assert_eq!(scanned(braces.as_bytes()), Ok(()));
        assert_eq!(scanned(b"* LIST (\\Marked) \"/\" {5}\r\n\r\n(\"{\r\nA1 OK listed\r\n"), Ok(()));
    }

    #[test]
    fn literal_that_the_parser_may_not_see_is_refused() {
        let tag = "a".repeat(40);
        for line in [
            "* OK hello {131072}\r\n",
            "* ok [BADCHARSET ({131072}\r\n",
            "+x {131072}\r\n",
            "+ {131072}\r\n",
            "+{131072}\r\n",
            &format!("{tag} OK x {{131072}}\r\n"),
            &format!("{tag} {{131072}}\r\n"),
            "A1 OK\r\n* SEARCH {131072}\r\n",
            "* STATUS {131072}\r\n",
            "* 1 FETCH {131072}\r\n",
            "* 1 FETCH (X ({131072}\r\n",
            "* 1 FETCH (X (a {131072}\r\n",
            "* 1 FETCH (X a{131072}\r\n",
            "* 1 FETCH (X ~{131072}\r\n",
            "* 1 FETCH (X {131072+}\r\n",
            "* 1 FETCH (X {}\r\n",
            "* 1 FETCH (X (\r\n",
            "* 1 FETCH (X a\r\n",
            "* 1 FETCH (X a\n",
            "* 0000000000000000000000000000000001 FETCH (X (\r\n",
            "* 1 FETCH (Y \")\" X ( {131072}\r\n",
            "* 1 FETCH (BODY[] {2}\r\nab X a{131072}\r\n",
        ] {
            for attack in [format!("* 1 FETCH (BODYSTRUCTURE {}", "(".repeat(25)), large_fetch()] {
                assert_eq!(scanned(format!("{line}{attack}").as_bytes()), Err(Excess::Structure), "{line}");
            }
        }
    }

    #[test]
    fn data_after_a_text_is_checked() {
        let tag = "a".repeat(40);
        for text in ["+x {131072}.\r\n", "* OK {131072+}\r\n", "* OK {}\r\n", &format!("{tag} OK x {{131072 }}\r\n")] {
            let nested = format!("{text}* 1 FETCH (BODYSTRUCTURE {}", "(".repeat(25));
            assert_eq!(scanned(nested.as_bytes()), Err(Excess::Lists), "{text}");
            let large = format!("{text}{}", large_fetch());
            assert_eq!(scanned(large.as_bytes()), Err(Excess::Literal(500_000_000)), "{text}");
        }
    }

    #[test]
    fn search_line_is_limited_only_by_its_command() {
        let line = |hits: usize| format!("* SEARCH{}\r\n", " 4294967295".repeat(hits));
        assert_eq!(scanned(format!("{}A1 OK searched\r\n", line(40_000)).as_bytes()), Ok(()));
        assert_eq!(scanned(line(MAX_COMMAND / 11).as_bytes()), Err(Excess::Command));
        assert_eq!(scanned(format!("{}{}", line(1), "a".repeat(MAX_RESPONSE + 1)).as_bytes()), Err(Excess::Response));
    }

    fn large_fetch() -> String {
        "* 1 FETCH (UID 1 BODY[] {500000000}\r\n".to_owned()
    }

    #[test]
    fn endless_and_nested_responses_are_refused() {
        assert_eq!(scanned(&[b'a'; MAX_RESPONSE + 1]), Err(Excess::Response));
        assert_eq!(scanned("* 1 FETCH (BODYSTRUCTURE ((((((((((((((((((((((((((".as_bytes()), Err(Excess::Lists));
        assert_eq!(scanned(&b"* 1 EXISTS\r\n".repeat(MAX_COMMAND / 12 + 1)), Err(Excess::Command));
    }
}
