//! What to keep of everything that is said.

use std::borrow::Cow;
use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;

/// Which posts are taken: those that pass every condition that is set.
#[derive(Debug)]
pub struct Filter {
    languages: BTreeSet<String>,
    keywords: Option<AhoCorasick>,
    authors: BTreeSet<String>,
    sample: f64,
}

impl Filter {
    /// Of posts in `languages` (BCP 47 without a region), with one of `keywords` in any case, by `authors` (DIDs),
    /// the share `sample` of 0 to 1. An empty list is no condition.
    ///
    /// # Errors
    /// When the keywords are too many to look for.
    pub fn new(languages: &[String], keywords: &[String], authors: &[String], sample: f64) -> Result<Self, String> {
        let lower: Vec<_> = keywords.iter().map(|word| word.to_lowercase()).filter(|word| !word.is_empty()).collect();
        let searched = (!lower.is_empty()).then(|| AhoCorasick::new(&lower)).transpose();
        Ok(Self {
            languages: languages.iter().map(|language| language.to_lowercase()).collect(),
            keywords: searched.map_err(|error| format!("the keywords cannot be searched for: {error}"))?,
            authors: authors.iter().cloned().collect(),
            sample,
        })
    }

    /// The authors that are taken; empty: all.
    pub fn authors(&self) -> &BTreeSet<String> {
        &self.authors
    }

    /// Whether it leaves out posts by their content, which a deletion does not repeat.
    pub fn is_selective(&self) -> bool {
        !self.languages.is_empty() || self.keywords.is_some()
    }

    /// Whether hours may pass without a post.
    pub fn is_sparse(&self) -> bool {
        !self.authors.is_empty()
    }

    /// Whether this author is one of them.
    pub fn takes_author(&self, did: &str) -> bool {
        self.authors.is_empty() || self.authors.contains(did)
    }

    /// Whether one of `langs` is, whatever its region.
    pub fn takes_languages(&self, langs: &[Cow<'_, str>]) -> bool {
        let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_lowercase();
        self.languages.is_empty() || langs.iter().any(|tag| self.languages.contains(&primary(tag)))
    }

    /// Whether `text` holds one of the keywords.
    pub fn takes_text(&self, text: &str) -> bool {
        self.keywords.as_ref().is_none_or(|keywords| keywords.is_match(&text.to_lowercase()))
    }

    /// Whether the post `id` is in the sample: always the same answer for the same post.
    pub fn draws(&self, id: &str) -> bool {
        // FNV-1a and the finisher of splitmix64: the same on every machine and in every version.
        let hash = id
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.sample >= 1.0 || ((mixed ^ (mixed >> 31)) as f64) < self.sample * u64::MAX as f64
    }
}
