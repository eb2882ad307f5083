//! Word boundaries around literals.

use std::ops::Range;

use super::node::Literal;
use crate::domain::words::is_bounded;

/// Which ends of a literal must be at a word boundary.
#[derive(Clone, Copy)]
pub struct Bounds {
    start: bool,
    end: bool,
}

impl Bounds {
    /// The boundaries that `literal` requires.
    pub fn of(literal: &Literal) -> Self {
        // Characters that are not part of a word need a boundary only in whole words, such as the last one of {C++}.
        let is_word = |c: Option<char>| c.is_some_and(|c| is_bounded(c) || literal.whole_words && !c.is_alphanumeric());
        Self { start: is_word(literal.text.chars().next()), end: is_word(literal.text.chars().next_back()) }
    }

    /// Whether the required word boundaries exist around a literal at `range` of `text`.
    pub fn hold(self, text: &str, range: &Range<usize>) -> bool {
        let is_word = |c: Option<char>| c.is_some_and(is_bounded);
        let before = is_word(text[..range.start].chars().next_back());
        let after = is_word(text[range.end..].chars().next());
        !(self.start && before || self.end && after)
    }
}
