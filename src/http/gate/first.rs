//! Whether the first request of a connection is complete. The HTTP parser reads the same bytes afterwards and decides
//! what they mean, so a wrong result here only costs memory or time.

/// The number of bytes above which the server no longer waits for the rest of a request.
const MOST: usize = 16 * 1024;
/// The maximum number of headers that the HTTP parser accepts.
const MOST_HEADERS: usize = 96;
/// The last chunk of a body without trailers. The bytes of another request may follow.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// The end of trailers.
const LAST_LINE: &[u8] = b"\r\n\r\n";

/// The part of a request that has not arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A part of the head.
    Head,
    /// A part of a body of up to 16 KiB.
    Body,
    /// Nothing: the HTTP parser can get the connection.
    Nothing,
}

/// What is missing after the bytes `read`.
pub fn missing(read: &[u8]) -> Missing {
    if read.len() >= MOST {
        return Missing::Nothing;
    }
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(read) {
        Ok(httparse::Status::Partial) => Missing::Head,
        Ok(httparse::Status::Complete(head)) if lacks_body(request.headers, &read[head..]) => Missing::Body,
        // The HTTP parser answers a malformed request.
        Ok(httparse::Status::Complete(_)) | Err(_) => Missing::Nothing,
    }
}

fn lacks_body(headers: &[httparse::Header<'_>], body: &[u8]) -> bool {
    let value = |name: &str| {
        let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.map(|header| header.value)
    };
    // With `Expect: 100-continue`, the client waits for an answer before it sends the body.
    if value("expect").is_some() {
        return false;
    }
    if let Some(encoding) = value("transfer-encoding") {
        // The HTTP parser refuses other encodings.
        return encoding.trim_ascii().eq_ignore_ascii_case(b"chunked") && lacks_chunks(body);
    }
    let announced = value("content-length").and_then(|length| std::str::from_utf8(length).ok()?.trim().parse().ok());
    announced.is_some_and(|length: usize| length <= MOST && body.len() < length)
}

fn lacks_chunks(body: &[u8]) -> bool {
    let has_last_chunk = body.windows(LAST_CHUNK.len()).any(|window| window == LAST_CHUNK);
    !has_last_chunk && !body.ends_with(LAST_LINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Missing {
        missing(text.as_bytes())
    }

    #[test]
    fn request_is_complete_with_its_short_body() {
        assert_eq!(of(""), Missing::Head);
        assert_eq!(of("GET / HTTP/1.1\r\nhost: x\r\n"), Missing::Head);
        assert_eq!(of("GET / HTTP/1.1\r\nhost: x\r\n\r\n"), Missing::Nothing);
        assert_eq!(of("GET / HTTP/1.1\nhost: x\n\n"), Missing::Nothing);
        assert_eq!(of("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab"), Missing::Body);
        assert_eq!(of("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"), Missing::Nothing);
        assert_eq!(of("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"), Missing::Body);
        assert_eq!(of("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"), Missing::Nothing);
        let next = "POST / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\nPOST / HT";
        assert_eq!(of(next), Missing::Nothing);
        assert_eq!(of("POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\na"), Missing::Nothing);
    }

    #[test]
    fn malformed_large_or_expect_continue_request_is_not_delayed() {
        assert_eq!(of("\u{16}\u{3}\u{1}"), Missing::Nothing);
        assert_eq!(of("GET / HTTP/9\r\n"), Missing::Nothing);
        assert_eq!(of(&format!("GET /{}", "x".repeat(MOST))), Missing::Nothing);
        assert_eq!(of("POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\na"), Missing::Nothing);
        assert_eq!(of("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\na"), Missing::Nothing);
        assert_eq!(of("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"), Missing::Nothing);
    }
}
