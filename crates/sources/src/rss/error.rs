//! Why a feed cannot be read.

use url::Url;

use super::super::fetch::shown;

/// The maximum number of XML elements or JSON values of a document.
pub const MAX_ELEMENTS: usize = 400_000;

/// Why a document cannot be parsed.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The document is not RSS, Atom or JSON Feed.
    #[error("not a feed: {0}")]
    Malformed(#[from] feed_rs::parser::ParseFeedError),
    /// The feed parser panicked.
    #[error("the feed parser panicked on this document, which is a defect of the parser")]
    Panic,
    /// The document exceeds this many KiB.
    #[error("larger than {0} KiB")]
    TooLarge(usize),
    /// The document has more than `MAX_ELEMENTS` XML elements or JSON values, or is in UTF-16 and has too many entries.
    #[error(
        "has more than {} elements or values, or too many entries; read a feed or a page with fewer entries",
        MAX_ELEMENTS
    )]
    TooManyElements,
    /// The document is a web page that links to this feed.
    #[error("a web page, not a feed; the page links to {}", shown(.0))]
    Page(Url),
}
