//! Parses lists of feeds that feed readers export (<http://opml.org/spec2.opml>).

use quick_xml::events::Event;
use quick_xml::{Reader, XmlVersion};
use url::Url;

/// An error in an OPML document.
#[derive(Debug, thiserror::Error)]
pub enum OpmlError {
    /// The document is not well-formed OPML.
    #[error("is not OPML: {0}")]
    Malformed(String),
    /// The document has no feed with an http or https URL.
    #[error("contains no feed with an http or https URL: expected an <outline> with an xmlUrl")]
    Empty,
}

/// The feeds in an OPML document.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FeedList {
    /// Feeds with an http or https URL, without duplicates.
    pub feeds: Vec<Url>,
    /// URLs of other schemes, such as `feed:`.
    pub skipped: Vec<String>,
}

/// Parses an OPML document. Feeds in folders are included.
///
/// # Errors
/// When the document is not OPML, or contains no feed with an http or https URL.
pub fn feeds_of(document: &str) -> Result<FeedList, OpmlError> {
    let mut reader = Reader::from_str(document);
    let mut list = FeedList::default();
    loop {
        match reader.read_event().map_err(|e| OpmlError::Malformed(e.to_string()))? {
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == "outline" => {
                let attributes = tag.attributes().filter_map(Result::ok);
                let mut feed = attributes.filter(|attribute| attribute.key.as_ref().eq_ignore_ascii_case("xmlUrl"));
                if let Some(feed) = feed.next() {
                    let text = feed
                        .normalized_value(XmlVersion::Implicit1_0)
                        .map_err(|e| OpmlError::Malformed(e.to_string()))?;
                    let url = Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
                    match url {
                        Some(url) if !list.feeds.contains(&url) => list.feeds.push(url),
                        Some(_) => {}
                        None => list.skipped.push(text.into_owned()),
                    }
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if list.feeds.is_empty() { Err(OpmlError::Empty) } else { Ok(list) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_in_folders_are_found_once() {
        let document = r#"<?xml version="1.0"?><opml version="2.0"><body>
            <outline text="News"><outline text="A" xmlUrl="https://a.example/feed?x=1&amp;y=2"/></outline>
            <outline text="B" xmlUrl="https://b.example/rss"/><outline text="B again" xmlUrl="https://b.example/rss"/>
            <outline text="C" xmlUrl="feed://c.example/rss"/>
        </body></opml>"#;
        let list = feeds_of(document).unwrap();
        assert_eq!(list.skipped, ["feed://c.example/rss"]);
        let feeds: Vec<String> = list.feeds.iter().map(Url::to_string).collect();
        assert_eq!(feeds, ["https://a.example/feed?x=1&y=2", "https://b.example/rss"]);
        for (document, expected) in [
            ("<opml><body></body></opml>", "contains no feed"),
            (r#"<opml><outline xmlUrl="file:///etc/passwd"/></opml>"#, "contains no feed"),
            ("<opml><outline", "is not OPML"),
        ] {
            let error = feeds_of(document).unwrap_err().to_string();
            assert!(error.contains(expected), "{document}: {error}");
        }
    }
}
