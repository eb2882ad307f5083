//! Fuzz targets whose input is bytes or text.

use std::io::Cursor;

use sentistream::clock::Clock;
use sentistream::domain::{Op, RawFields, Timestamp};
use sentistream::http::ws::request::Request;
use sentistream::sources::file::{Format, PostReader, ReadOptions};
use sentistream::sources::rss;
use sentistream::topics::Query;

fn now() -> Timestamp {
    "2026-03-01T12:30:00Z".parse().expect("the time is not valid")
}

/// Parses an entry of the stream. Each line of the input is a field `name=value`.
pub fn entry(data: &[u8]) {
    let mut fields = RawFields::default();
    for line in data.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b'=');
        let name = parts.next().unwrap_or_default();
        fields.push(&String::from_utf8_lossy(name), parts.next().unwrap_or_default());
    }
    if let Ok(op) = Op::parse(&fields, now()) {
        assert!(Op::parse(&op.to_fields(), now()).is_ok(), "an accepted entry does not round-trip: {fields:?}");
    }
    let decoded = RawFields::decode(&fields.encode());
    assert!(decoded.is_some_and(|decoded| decoded.encode() == fields.encode()), "fields do not round-trip: {fields:?}");
    let _ = RawFields::decode(data);
}

/// Parses the query of a topic.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = Query::parse(text) {
        assert!(!error.to_string().is_empty());
    }
}

/// Parses the input as a feed and as a list of feeds (OPML).
pub fn feed(data: &[u8]) {
    let url = "https://a.example/feed.xml".parse().expect("the URL is not valid");
    if let Ok(parsed) = rss::parse(data, &url, &url) {
        let shown = format!("{parsed:?}");
        assert!(shown.len() < 64 * data.len() + 4_096, "{} bytes expand to {}", data.len(), shown.len());
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = rss::feeds_of(text);
    }
}

/// Parses a file of posts. The first byte of the input selects the format.
pub fn file(data: &[u8]) {
    let Some((kind, content)) = data.split_first() else { return };
    let format = [None, Some(Format::Ndjson), Some(Format::Json), Some(Format::Csv), Some(Format::Excel)];
    let options = ReadOptions { format: format[usize::from(*kind) % format.len()], ..ReadOptions::default() };
    let Ok(mut reader) = PostReader::new(Box::new(Cursor::new(content.to_vec())), &options) else { return };
    let clock = Clock::fixed(now());
    for round in 0.. {
        assert!(round <= content.len() + 2, "the reader does not reach the end of the file");
        match reader.chunk(10, &clock) {
            Ok(chunk) if !chunk.finished => {}
            _ => break,
        }
    }
}

/// Handles a text frame of a WebSocket client.
pub fn websocket(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(message) = Request::parse(text) {
        assert!(message.len() <= text.len() + 4_096, "{} bytes get an error of {} bytes", text.len(), message.len());
    }
}
