//! Finds whole words in texts, for filters.

use std::borrow::Cow;
use std::ops::{Range, RangeInclusive};

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// `is_bounded` accepts only characters before this one.
const END: char = '\u{2000}';

/// Whether a word that begins or ends with `c` needs a word boundary next to `c`. This applies to letters, digits and
/// combining marks of scripts that separate words, such as Latin, Greek, Cyrillic, Arabic and Devanagari. Thai, Lao,
/// Tibetan, Burmese, Khmer, Chinese and Japanese do not separate words, and Korean attaches particles to them.
fn is_bounded(c: char) -> bool {
    let is_spaced = c < '\u{E00}'
        || matches!(c, '\u{10A0}'..='\u{10FF}' | '\u{1200}'..='\u{139F}')
        || ('\u{1E00}'..END).contains(&c);
    is_spaced && (c.is_alphanumeric() || is_combining_mark(c))
}

/// The letters, digits and combining marks that need word boundaries (see [`Bounds`]), as ranges in ascending order.
pub fn bounded() -> Vec<RangeInclusive<char>> {
    let mut ranges: Vec<RangeInclusive<char>> = Vec::new();
    for c in ('\0'..END).filter(|c| is_bounded(*c)) {
        match ranges.last_mut() {
            Some(last) if u32::from(*last.end()) + 1 == u32::from(c) => *last = *last.start()..=c,
            _ => ranges.push(c..=c),
        }
    }
    ranges
}

/// `text` with composed characters (NFC): a letter followed by a combining accent becomes one character, so that equal
/// words of different keyboards are equal.
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

/// The ends of a word or phrase that must be at a word boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Whether the first character must be at a word boundary.
    pub start: bool,
    /// Whether the last character must be at a word boundary.
    pub end: bool,
}

impl Bounds {
    /// The boundaries that `word` requires. It must be composed.
    pub fn of(word: &str) -> Self {
        let (first, last) = (word.chars().next(), word.chars().next_back());
        Self { start: first.is_some_and(is_bounded), end: last.is_some_and(is_bounded) }
    }

    /// Whether the required word boundaries exist around `range` of `text`. The range must be valid in `text`.
    pub fn hold(self, text: &str, range: &Range<usize>) -> bool {
        let (before, after) = (text[..range.start].chars().next_back(), text[range.end..].chars().next());
        !(self.start && before.is_some_and(is_bounded) || self.end && after.is_some_and(is_bounded))
    }
}

/// Whether `text` contains `word`, which must be composed and in lower case, as a whole word.
pub fn holds_word(text: &str, word: &str) -> bool {
    let (text, bounds) = (composed(text).to_lowercase(), Bounds::of(word));
    text.match_indices(word).any(|(at, found)| bounds.hold(&text, &(at..at + found.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_filter_ignores_parts_of_other_words() {
        for (text, word, expected) in [
            ("My cat sleeps", "cat", true),
            ("CAT!", "cat", true),
            ("a category, a bobcat", "cat", false),
            ("category and cat", "cat", true),
            ("アイスコーヒー", "コーヒー", true),
            ("삼성이", "삼성", true),
            ("über", "ber", false),
            ("C++", "c++", true),
            ("ฉันชอบกาแฟมาก", "กาแฟ", true),
            ("Acmeが好き", "acme", true),
            ("dịch vụ tệ quá", "tệ", true),
            ("tải tệp", "tệ", false),
            ("cà phê Huế", "hu", false),
            ("वह क्या है", "क", false),
        ] {
            assert_eq!(holds_word(text, word), expected, "{word} in {text}");
        }
    }

    #[test]
    fn word_is_found_with_separate_combining_marks() {
        for (text, expected) in [
            ("vu\u{323} te\u{323}\u{302} qua\u{301}", true),
            ("d\u{1ecb}ch v\u{1ee5} t\u{ea}\u{323}", true),
            ("ta\u{309}i te\u{323}\u{302}p", false),
        ] {
            assert_eq!(holds_word(text, "tệ"), expected, "{text}");
        }
        assert!(!holds_word("vu\u{323} te\u{323}\u{302}", "te"), "an accent belongs to its letter");
    }

    #[test]
    fn ranges_contain_every_character_that_needs_boundaries() {
        let ranges = bounded();
        for c in '\0'..='\u{FFFF}' {
            assert_eq!(ranges.iter().any(|range| range.contains(&c)), is_bounded(c), "{c:?}");
        }
    }
}
