//! The answers of the HTTP parser to requests that it cannot read. It creates them itself, without a body, so they are
//! recognized by their bytes and replaced.

use actix_web::http::StatusCode;

use crate::http::error::ApiError;

/// The start of a response.
const VERSION: &[u8] = b"HTTP/1.1 ";
/// The headers of the parser's answers. Every other error of this server has a body.
const HEADERS: &[u8] = b"content-length: 0\r\nconnection: close\r\n";

/// The problem to send instead of `response`, if the parser has created it.
pub fn problem(response: &[u8]) -> Option<Vec<u8>> {
    let (status, rest) = response.strip_prefix(VERSION)?.split_at_checked(3)?;
    let headers = rest.iter().position(|byte| *byte == b'\n')? + 1;
    if !rest[headers..].starts_with(HEADERS) {
        return None;
    }
    let status = StatusCode::from_bytes(status).ok()?;
    let detail = match status {
        StatusCode::BAD_REQUEST => "the request is not valid HTTP/1.1",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "the head of the request is too large",
        StatusCode::REQUEST_TIMEOUT => "the head of the request did not arrive in time",
        _ => return None,
    };
    metrics::counter!("sentistream_http_malformed_total").increment(1);
    Some(ApiError::new(status, detail).with_request_id(&uuid::Uuid::now_v7().to_string()).to_http1())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_of_the_parser_are_replaced() {
        let of = |text: &str| problem(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        let date = "date: Sat, 21 Nov 2026 17:14:13 GMT\r\n\r\n";
        for line in ["400 Bad Request", "431 Request Header Fields Too Large", "408 Request Timeout"] {
            let bare = format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n{date}");
            let replaced = of(&bare).unwrap();
            assert!(
                replaced.starts_with(&format!("HTTP/1.1 {line}\r\ncontent-type: application/problem")),
                "{replaced}"
            );
        }
        for other in [
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 189\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 400 Bad Request",
            "HTTP/1.1 4",
            "\u{81}HTTP",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
