//! Finds the words of a text that a query looks for.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use unicode_segmentation::UnicodeSegmentation;

use super::node::{Literal, Node, Phrase};
use super::query::Query;
use crate::domain::words::composed;
use crate::terms::text::{normal, words_of};

/// A text divided into words in normal form, each with its position in the text.
pub struct Words<'t> {
    text: &'t str,
    /// The words in normal form, separated by spaces.
    joined: String,
    /// For each word, its position in `joined` and its range of bytes in the text.
    places: Vec<(usize, Range<usize>)>,
    /// The composed text, which only literals need.
    composed: OnceLock<Composed<'t>>,
}

impl<'t> Words<'t> {
    /// Divides `text` into words.
    pub fn of(text: &'t str) -> Self {
        let (mut joined, mut places) = (" ".to_owned(), Vec::new());
        for (at, piece) in text.split_word_bound_indices() {
            if piece.chars().all(char::is_whitespace) {
                continue;
            }
            for word in words_of(&normal(piece)) {
                places.push((joined.len(), at..at + piece.len()));
                joined.push_str(word);
                joined.push(' ');
            }
        }
        Self { text, joined, places, composed: OnceLock::new() }
    }

    /// The ranges of bytes at which the text contains terms of `query`, in the order of the text. Terms that must not
    /// occur and conditions on other properties of a post have no range.
    pub fn mentions(&self, query: &Query) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        self.collect(&query.node, &mut found);
        found.sort_unstable_by_key(|place| (place.start, std::cmp::Reverse(place.end)));
        found.dedup_by(|next, first| next.start < first.end);
        found
    }

    fn collect(&self, node: &Node, found: &mut Vec<Range<usize>>) {
        match node {
            Node::And(nodes) | Node::Or(nodes) => nodes.iter().for_each(|node| self.collect(node, found)),
            Node::Text(pattern) => self.pattern(pattern, found),
            Node::Phrase(phrase) => self.phrase(phrase, found),
            Node::Near(near) => near.groups.iter().flatten().for_each(|phrase| self.phrase(phrase, found)),
            Node::Literal(literal) => self.literal(literal, found),
            Node::Not(_) | Node::Author(_) | Node::Source(_) | Node::Lang(_) | Node::Field(_) | Node::Labels(_) => {}
        }
    }

    fn pattern(&self, pattern: &str, found: &mut Vec<Range<usize>>) {
        // `joined` does not contain the signs `#` and `@`, so the words of a hashtag or mention are searched for.
        let words = pattern.contains(['#', '@']).then(|| {
            let name = normal(pattern);
            format!(" {} ", words_of(&name).join(" "))
        });
        let pattern = words.as_deref().unwrap_or(pattern);
        if pattern.trim().is_empty() {
            return;
        }
        let lead = usize::from(pattern.starts_with(' '));
        for (at, text) in self.joined.match_indices(pattern) {
            let (start, end) = (at + lead, at + text.trim_end().len());
            found.extend(within(&self.places, start, end));
        }
    }

    /// Adds the ranges of a literal. Like the matcher, this searches the composed text.
    fn literal(&self, literal: &Literal, found: &mut Vec<Range<usize>>) {
        let bounds = literal.bounds();
        let composed = self.composed.get_or_init(|| Composed::of(self.text));
        let ranges = composed.text.match_indices(&literal.text).map(|(at, part)| at..at + part.len());
        let ranges = ranges.filter(|range| bounds.hold(&composed.text, range));
        found.extend(ranges.filter_map(|range| match &composed.places {
            Some(places) => within(places, range.start, range.end),
            None => Some(range),
        }));
    }

    fn phrase(&self, phrase: &Phrase, found: &mut Vec<Range<usize>>) {
        let words: Vec<&str> = self.joined.split(' ').filter(|word| !word.is_empty()).collect();
        let length = phrase.0.len().max(1);
        for start in phrase.starts(&words) {
            if let (Some(first), Some(last)) = (self.places.get(start), self.places.get(start + length - 1)) {
                found.push(first.1.start..last.1.end);
            }
        }
    }
}

/// A text in composed form (NFC).
struct Composed<'t> {
    text: Cow<'t, str>,
    /// For each grapheme, its position in `text` and its range of bytes in the original text. `None` if `text` is the
    /// original text.
    places: Option<Vec<(usize, Range<usize>)>>,
}

impl<'t> Composed<'t> {
    fn of(text: &'t str) -> Self {
        if let Cow::Borrowed(text) = composed(text) {
            return Self { text: Cow::Borrowed(text), places: None };
        }
        // No character is composed of parts of two graphemes, so each grapheme is composed separately.
        let (mut joined, mut places) = (String::new(), Vec::new());
        for (at, grapheme) in text.grapheme_indices(true) {
            places.push((joined.len(), at..at + grapheme.len()));
            joined.push_str(&composed(grapheme));
        }
        Self { text: Cow::Owned(joined), places: Some(places) }
    }
}

/// Converts a range of a joined text to a range of bytes in the original text. For each part of the joined text,
/// `places` has its position and its range in the original text. `None` if no part is in the range.
fn within(places: &[(usize, Range<usize>)], start: usize, end: usize) -> Option<Range<usize>> {
    let first = places.partition_point(|(at, _)| *at <= start).checked_sub(1)?;
    let last = places.partition_point(|(at, _)| *at < end).checked_sub(1)?;
    Some(places.get(first)?.1.start..places.get(last)?.1.end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mentions<'t>(query: &str, text: &'t str) -> Vec<&'t str> {
        let query = Query::parse(query).unwrap();
        Words::of(text).mentions(&query).into_iter().map(|place| &text[place]).collect()
    }

    #[test]
    fn mentions_are_the_words_as_they_are_in_the_text() {
        for (query, text, expected) in [
            ("acme", "I love ACME, and Acme's phones", &["ACME", "Acme's"][..]),
            ("\"acme phone\"", "my Acme-Phone and the acme phone", &["Acme-Phone", "acme phone"]),
            ("acme OR apex", "Apex beats acme.", &["Apex", "acme"]),
            ("acme -apex", "acme only", &["acme"]),
            ("#acme", "so good #Acme!", &["Acme"]),
            ("pho*", "two Phones", &["Phones"]),
            ("cafe", "das CAFÉ", &["CAFÉ"]),
            ("東京", "私は東京が好き", &["東京"]),
            ("source:web", "acme", &[]),
            ("{us}", "Trust me, I love us", &["us"]),
            ("{tệ}", "dịch vụ tệ quá, tệp", &["tệ"]),
            ("{tệ}", "vu\u{323} te\u{323}\u{302} qua\u{301}", &["te\u{323}\u{302}"]),
            ("{te\u{323}\u{302}}", "dịch vụ tệ quá", &["tệ"]),
            ("raw:\"C++ tệ\"", "qua\u{301} C++ te\u{323}\u{302}!", &["C++ te\u{323}\u{302}"]),
        ] {
            assert_eq!(mentions(query, text), expected, "{query} in {text:?}");
        }
    }

    proptest! {
        #[test]
        fn mentions_in_any_text_are_valid_ranges(text in "(acme|Ac|me|#|@|'|é|ß|ﬁ|日|👍🏽|\u{301}|-|\\.| |\n|don't){0,16}") {
            for query in ["acme", "\"me ac\"", "ac*", "日", "#acme", "{é}"] {
                let query = Query::parse(query).unwrap();
                for place in Words::of(&text).mentions(&query) {
                    prop_assert!(text.get(place).is_some_and(|part| !part.is_empty()));
                }
            }
        }
    }
}
