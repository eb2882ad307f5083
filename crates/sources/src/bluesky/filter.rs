//! Filters that select posts.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use aho_corasick::AhoCorasick;

/// The conditions that a post must meet to be kept.
#[derive(Clone, Debug)]
pub struct FilterOptions {
    /// BCP 47 tags without a region; empty: all languages.
    pub languages: Vec<String>,
    /// The text of a post must contain at least one of these, ignoring case, also as a part of a longer word; empty:
    /// all posts.
    pub keywords: Vec<String>,
    /// The share of posts to keep, from 0 to 1.
    pub sample: f64,
}

impl Default for FilterOptions {
    fn default() -> Self {
        Self { languages: Vec::new(), keywords: Vec::new(), sample: 1.0 }
    }
}

/// The conditions in a form that matches many posts quickly. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Filter {
    languages: BTreeSet<String>,
    words: Arc<[String]>,
    keywords: Option<AhoCorasick>,
    authors: BTreeSet<String>,
    sample: f64,
}

/// Why a filter cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("the keywords take too much memory; use fewer or shorter ones")]
pub struct FilterError(#[from] aho_corasick::BuildError);

impl Filter {
    /// A filter that keeps posts of all authors.
    ///
    /// # Errors
    /// When there are too many keywords.
    pub fn new(options: &FilterOptions) -> Result<Self, FilterError> {
        let keywords = options.keywords.iter().map(|word| word.to_lowercase());
        let keywords: Vec<_> = keywords.filter(|word| !word.is_empty()).collect();
        Ok(Self {
            languages: options.languages.iter().map(|language| language.to_lowercase()).collect(),
            keywords: (!keywords.is_empty()).then(|| AhoCorasick::new(&keywords)).transpose()?,
            words: keywords.into(),
            authors: BTreeSet::new(),
            sample: options.sample,
        })
    }

    /// Keeps only posts of these accounts; empty: all accounts.
    #[must_use]
    pub fn with_authors(self, dids: BTreeSet<String>) -> Self {
        Self { authors: dids, ..self }
    }

    /// The accounts whose posts are kept; empty: all accounts.
    pub fn authors(&self) -> &BTreeSet<String> {
        &self.authors
    }

    /// The keywords in lower case; empty: posts are not filtered by keyword.
    pub fn keywords(&self) -> &[String] {
        &self.words
    }

    /// Whether the filter depends on the content of posts, which an event of a deletion does not contain.
    pub fn is_selective(&self) -> bool {
        !self.languages.is_empty() || self.keywords.is_some()
    }

    /// Whether hours may pass without an event, because only posts of selected accounts are read.
    pub fn is_sparse(&self) -> bool {
        !self.authors.is_empty()
    }

    /// Whether posts of this account are kept.
    pub fn takes_author(&self, did: &str) -> bool {
        self.authors.is_empty() || self.authors.contains(did)
    }

    /// Whether posts with these language tags are kept. Regions are ignored.
    pub fn takes_languages(&self, langs: &[Cow<'_, str>]) -> bool {
        let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_lowercase();
        self.languages.is_empty() || langs.iter().any(|tag| self.languages.contains(&primary(tag)))
    }

    /// Whether `text` contains one of the keywords, also as a part of a longer word. `true` if there are no keywords.
    pub fn takes_text(&self, text: &str) -> bool {
        self.keywords.as_ref().is_none_or(|keywords| keywords.is_match(&text.to_lowercase()))
    }

    /// Whether the post `id` is in the sample. The result for an id never changes.
    pub fn samples(&self, id: &str) -> bool {
        // FNV-1a with the finalizer of splitmix64 gives the same result on every machine and in every version.
        let hash = id
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.sample >= 1.0 || ((mixed ^ (mixed >> 31)) as f64) < self.sample * u64::MAX as f64
    }
}
