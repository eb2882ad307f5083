//! Parsers of untrusted text: queries, entries, feeds, files.

use sentistream::clock::Clock;
use sentistream::domain::{Op, RawFields, Timestamp};
use sentistream::sources::file::{Format, PostReader, ReadOptions};
use sentistream::sources::rss;
use sentistream::topics::Query;

use super::{cases, mutator};

const QUERIES: [&str; 6] = [
    "acme OR #acme -giveaway lang:en",
    "\"acme phone\" (love OR hate) -(spam ad)",
    "author:\"ada\" source:web -source:forum",
    "((((((a))))))",
    "a AND NOT b OR c",
    "#tag @name héllo 😀",
];

#[test]
fn any_query_is_parsed_or_refused() {
    let mut mutator = mutator("query");
    for _ in 0..cases(3_000) {
        let seed = mutator.pick(&QUERIES);
        // A panic fails the test. An error must have a position.
        if let Err(error) = Query::parse(&mutator.text(seed)) {
            assert!(!error.to_string().is_empty());
        }
    }
}

const FIELDS: [(&str, &str); 10] = [
    ("post_id", "demo-1"),
    ("source", "web"),
    ("content", "I love it"),
    ("author", "ada"),
    ("created_at", "2026-01-31T12:00:00Z"),
    ("lang", "en"),
    ("url", "https://example.org/1"),
    ("reply_to", "demo-0"),
    ("op", "replace"),
    ("edited_at", "2026-01-31T13:00:00Z"),
];

#[test]
fn any_entry_is_parsed_or_refused() {
    let mut mutator = mutator("entry");
    let now: Timestamp = "2026-03-01T12:30:00Z".parse().expect("a time");
    for _ in 0..cases(3_000) {
        let mut fields = RawFields::default();
        for (name, value) in FIELDS {
            if mutator.below(8) > 0 {
                let name = if mutator.below(20) == 0 { mutator.text(name) } else { name.to_owned() };
                let value = if mutator.below(2) == 0 { mutator.bytes(value.as_bytes()) } else { value.into() };
                fields.push(&name, value);
            }
        }
        if let Ok(op) = Op::parse(&fields, now) {
            let again = Op::parse(&op.to_fields(), now);
            assert!(again.is_ok(), "an accepted entry round-trips: {fields:?}");
        }
        let _ = RawFields::decode(&mutator.bytes(&fields.encode()));
    }
}

const FEEDS: [&str; 3] = [
    r#"<?xml version="1.0"?><rss version="2.0"><channel><title>t</title><link>https://a.example/</link><item><guid>1</guid>
       <title>A &amp; B</title><description><![CDATA[<p>x</p>]]></description><pubDate>Sat, 31 Jan 2026 12:00:00 GMT</pubDate>
       </item></channel></rss>"#,
    r#"<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><entry><id>e</id><title type="html">&lt;b&gt;x&lt;/b&gt;</title>
       <updated>2026-01-31T12:00:00Z</updated><link href="../e"/></entry></feed>"#,
    r#"{"version": "https://jsonfeed.org/version/1.1", "title": "t", "items": [{"id": "1", "content_text": "x"}]}"#,
];

/// Entities that expand exponentially ("billion laughs"). A parser must not expand them.
const LAUGHS: &str = r#"<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c
    "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY x SYSTEM "file:///etc/passwd">]><rss><channel><item><title>&c;&x;</title></item>
    </channel></rss>"#;

#[test]
fn any_feed_is_parsed_or_refused() {
    let mut mutator = mutator("feed");
    let url = "https://a.example/feed.xml".parse().expect("a URL");
    let seeds = [FEEDS[0], FEEDS[1], FEEDS[2], LAUGHS];
    for _ in 0..cases(800) {
        let seed = mutator.pick(&seeds);
        let document = mutator.bytes(seed.as_bytes());
        if let Ok(parsed) = rss::parse(&document, &url, &url) {
            let shown = format!("{parsed:?}");
            assert!(!shown.contains("root:") && shown.len() < 64 * document.len() + 4_096, "{shown}");
        }
        let opml = mutator
            .text(r#"<opml><body><outline text="a"><outline xmlUrl="https://a.example/f"/></outline></body></opml>"#);
        let _ = rss::feeds_of(&opml);
    }
}

const LINES: &str = "{\"post_id\": \"a\", \"source\": \"web\", \"content\": \"x\", \"created_at\": 1767225600}\n\
                     {\"post_id\": \"b\", \"source\": \"web\", \"content\": \"\\ud83d\\ude00\", \"extra\": [1, {}]}\r\n";
const TABLE: &str = "post_id,source,content,author,created_at\na,web,\"x, \"\"y\"\"\",ada,2026-01-31T12:00:00Z\nb,web,\"two\nlines\",,\n";

#[test]
fn any_file_of_posts_is_read_to_the_end() {
    let mut mutator = mutator("file");
    let clock = Clock::fixed("2026-03-01T12:30:00Z".parse().expect("a time"));
    for _ in 0..cases(1_000) {
        for (format, seed) in [(Format::Ndjson, LINES), (Format::Csv, TABLE)] {
            let bytes = mutator.bytes(seed.as_bytes());
            let most = bytes.len() + 2;
            let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
            let Ok(mut reader) = PostReader::new(Box::new(std::io::Cursor::new(bytes)), &options) else { continue };
            for round in 0.. {
                assert!(round <= most, "the end of the file is found");
                match reader.chunk(10, &clock) {
                    Ok(chunk) if !chunk.finished => {}
                    _ => break,
                }
            }
        }
    }
}
