//! Lists of feeds as readers export them (<http://opml.org/spec2.opml>).

use quick_xml::events::Event;
use quick_xml::{Reader, XmlVersion};
use url::Url;

/// Why a list cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpmlError {
    #[error("is no OPML: {0}")]
    Malformed(String),
    #[error("holds no feed: an <outline> with an xmlUrl is expected")]
    Empty,
    #[error("the feed {0:?} has no http(s) URL")]
    Url(String),
}

/// The feeds of an OPML document, folders and all, each once.
///
/// # Errors
/// When it is no OPML, a feed has no URL, or there is none.
pub fn feeds_of(document: &str) -> Result<Vec<Url>, OpmlError> {
    let mut reader = Reader::from_str(document);
    let mut feeds: Vec<Url> = Vec::new();
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
                    let url = url.ok_or_else(|| OpmlError::Url(text.into_owned()))?;
                    if !feeds.contains(&url) {
                        feeds.push(url);
                    }
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if feeds.is_empty() { Err(OpmlError::Empty) } else { Ok(feeds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_found_in_folders_and_each_once() {
        let document = r#"<?xml version="1.0"?><opml version="2.0"><body>
            <outline text="News"><outline text="A" xmlUrl="https://a.example/feed?x=1&amp;y=2"/></outline>
            <outline text="B" xmlUrl="https://b.example/rss"/><outline text="B again" xmlUrl="https://b.example/rss"/>
        </body></opml>"#;
        let feeds: Vec<String> = feeds_of(document).unwrap().iter().map(Url::to_string).collect();
        assert_eq!(feeds, ["https://a.example/feed?x=1&y=2", "https://b.example/rss"]);
        for (document, expected) in [
            ("<opml><body></body></opml>", "holds no feed"),
            (r#"<opml><outline xmlUrl="file:///etc/passwd"/></opml>"#, "has no http(s) URL"),
            ("<opml><outline", "is no OPML"),
        ] {
            let error = feeds_of(document).unwrap_err().to_string();
            assert!(error.contains(expected), "{document}: {error}");
        }
    }
}
