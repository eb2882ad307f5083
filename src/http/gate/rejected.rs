//! The answers of the HTTP parser to requests that it cannot read. The parser creates these answers itself, without a
//! body. They are recognized by their bytes and replaced by problems of the API.
//!
//! Only a write that is exactly one answer of the parser is replaced. After a partial write, the next bytes are from
//! inside a response, and content may look like an answer of the parser.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::http::StatusCode;
use actix_web::web::BytesMut;
use tokio::io::AsyncWrite;

use crate::http::error::ApiError;

/// The maximum length of an answer of the parser, in bytes.
const MAX_LENGTH: usize = 256;
/// The starts of an answer. The parser uses the version of the last request that it could read, at first HTTP/1.1.
const VERSIONS: [&str; 2] = ["HTTP/1.1 ", "HTTP/1.0 "];
/// The first header of the answers. It identifies them, because every other error of this server has a body.
const LENGTH: &str = "content-length: 0\r\n";
/// The second header, which depends on the last request that the parser could read. It is absent when it would repeat
/// the default of the HTTP version, as after an HTTP/1.1 request that keeps the connection open.
const CONNECTIONS: [&str; 2] = ["connection: close\r\n", "connection: keep-alive\r\n"];
/// The last header. The parser adds no others.
const DATE: &str = "date: ";
/// The end of an answer.
const END: &str = "\r\n\r\n";

/// Writes the output of a connection, and replaces the answers of the parser in it.
pub struct Rejections {
    /// Whether the last write took its whole buffer, so that the next one may start a response.
    is_whole: bool,
    /// The rest of a problem that is sent instead of an answer of the parser.
    problem: BytesMut,
    /// The length of the answer that `problem` replaces.
    replaced: usize,
}

impl Default for Rejections {
    fn default() -> Self {
        Self { is_whole: true, problem: BytesMut::new(), replaced: 0 }
    }
}

impl Rejections {
    /// Writes `from` to `io`, or a problem if `from` is an answer of the parser.
    ///
    /// # Errors
    /// When `io` cannot be written.
    pub fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.problem.is_empty() {
            let problem = if self.is_whole { problem(from) } else { None };
            let Some(problem) = problem else {
                let written = ready!(Pin::new(io).poll_write(context, from))?;
                self.is_whole = written == from.len();
                return Poll::Ready(Ok(written));
            };
            self.problem.extend_from_slice(&problem);
            self.replaced = from.len();
        }
        while !self.problem.is_empty() {
            let written = ready!(Pin::new(&mut *io).poll_write(context, &self.problem))?;
            if written == 0 {
                return Poll::Ready(Ok(0));
            }
            let _ = self.problem.split_to(written);
        }
        // If the parser has appended to `from` since the first attempt, the next write is not the start of a response.
        self.is_whole = self.replaced == from.len();
        Poll::Ready(Ok(self.replaced))
    }
}

/// The problem to send instead of `response`, if the parser has created it.
fn problem(response: &[u8]) -> Option<Vec<u8>> {
    if response.len() > MAX_LENGTH {
        return None;
    }
    let head = std::str::from_utf8(response).ok()?.strip_suffix(END)?;
    let (line, headers) = head.split_once("\r\n")?;
    let (status, detail) = match VERSIONS.iter().find_map(|version| line.strip_prefix(*version))? {
        "400 Bad Request" => (StatusCode::BAD_REQUEST, "the request is not valid HTTP/1.1"),
        "431 Request Header Fields Too Large" => {
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the head of the request is too large")
        }
        "408 Request Timeout" => (StatusCode::REQUEST_TIMEOUT, "the head of the request did not arrive in time"),
        _ => return None,
    };
    let headers = headers.strip_prefix(LENGTH)?;
    let headers = CONNECTIONS.iter().find_map(|connection| headers.strip_prefix(*connection)).unwrap_or(headers);
    if headers.strip_prefix(DATE)?.contains(['\r', '\n']) {
        return None;
    }
    metrics::counter!("sentistream_http_malformed_total").increment(1);
    Some(ApiError::new(status, detail).with_request_id(&uuid::Uuid::now_v7().to_string()).to_http1())
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    const REJECTION: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\
                             date: Sat, 21 Nov 2026 17:14:13 GMT\r\n\r\n";
    const REPLACED: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem";

    /// A connection that takes a limited number of bytes.
    struct Narrow {
        room: usize,
        written: String,
    }

    impl Narrow {
        fn new(room: usize) -> Self {
            Self { room, written: String::new() }
        }
    }

    impl AsyncWrite for Narrow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
            let count = from.len().min(self.room);
            if count == 0 {
                return Poll::Pending;
            }
            self.room -= count;
            self.written.push_str(std::str::from_utf8(&from[..count]).unwrap());
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Writes `text`. Returns the number of bytes that were written, or `None` while the connection is full.
    fn write(rejections: &mut Rejections, io: &mut Narrow, text: &str) -> Option<usize> {
        let mut context = Context::from_waker(Waker::noop());
        match rejections.poll_write(io, &mut context, text.as_bytes()) {
            Poll::Ready(written) => Some(written.unwrap()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn only_answers_of_the_parser_are_replaced() {
        let of = |text: &str| problem(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        let date = "date: Sat, 21 Nov 2026 17:14:13 GMT\r\n\r\n";
        for line in ["400 Bad Request", "431 Request Header Fields Too Large", "408 Request Timeout"] {
            // The answers to the first request, after an HTTP/1.1 request, and after two kinds of HTTP/1.0 requests.
            for (version, connection) in
                [("1.1", "connection: close\r\n"), ("1.1", ""), ("1.0", "connection: keep-alive\r\n"), ("1.0", "")]
            {
                let bare = format!("HTTP/{version} {line}\r\ncontent-length: 0\r\n{connection}{date}");
                let replaced = of(&bare).unwrap();
                assert!(
                    replaced.starts_with(&format!("HTTP/1.1 {line}\r\ncontent-type: application/problem")),
                    "{replaced}"
                );
                assert!(replaced.contains("\r\nconnection: close\r\n"), "{replaced}");
            }
        }
        for other in [
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 189\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-request-id: 1\r\ndate: today\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: today\r\nx-request-id: 1\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: today\r\n",
            "HTTP/1.1 400 Bad Request",
            "HTTP/1.1 4",
            "\u{81}HTTP",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn rejection_after_a_response_is_replaced() {
        let (mut rejections, mut io) = (Rejections::default(), Narrow::new(4_096));
        let response = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(write(&mut rejections, &mut io, response), Some(response.len()));
        let rejection = REJECTION.replace("connection: close\r\n", "");
        assert_eq!(write(&mut rejections, &mut io, &rejection), Some(rejection.len()));
        assert!(io.written.starts_with(&format!("{response}{REPLACED}")), "{}", io.written);
        assert!(io.written.ends_with('}'), "{}", io.written);
    }

    #[test]
    fn partly_written_problem_continues_with_the_next_write() {
        let (mut rejections, mut io) = (Rejections::default(), Narrow::new(10));
        assert_eq!(write(&mut rejections, &mut io, REJECTION), None);
        io.room = 4_096;
        let longer = format!("{REJECTION}more");
        assert_eq!(write(&mut rejections, &mut io, &longer), Some(REJECTION.len()));
        assert_eq!(write(&mut rejections, &mut io, "more"), Some(4));
        assert!(io.written.starts_with(REPLACED) && io.written.ends_with("}more"), "{}", io.written);
    }

    #[test]
    fn body_that_looks_like_a_rejection_is_unchanged() {
        let start = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
        let (mut rejections, mut io) = (Rejections::default(), Narrow::new(start.len()));
        let response = format!("{start}{REJECTION}");
        assert_eq!(write(&mut rejections, &mut io, &response), Some(start.len()));
        assert_eq!(write(&mut rejections, &mut io, REJECTION), None);
        io.room = 4_096;
        assert_eq!(write(&mut rejections, &mut io, REJECTION), Some(REJECTION.len()));
        assert_eq!(io.written, response);
        // The next write starts a response again.
        assert_eq!(write(&mut rejections, &mut io, REJECTION), Some(REJECTION.len()));
        assert!(io.written.starts_with(&format!("{response}{REPLACED}")), "{}", io.written);
    }

    #[test]
    fn rejection_followed_by_more_bytes_is_unchanged() {
        for more in ["x", "\r\n\r\n", REJECTION] {
            let (mut rejections, mut io) = (Rejections::default(), Narrow::new(4_096));
            let bytes = format!("{REJECTION}{more}");
            assert_eq!(write(&mut rejections, &mut io, &bytes), Some(bytes.len()));
            assert_eq!(io.written, bytes);
        }
    }
}
