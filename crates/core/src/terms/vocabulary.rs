//! Assigns numbers to the terms of many texts, so that terms can be counted without copies of their text.

use rustc_hash::FxHashMap;

use super::each_term;
use super::stop_words::is_stop_term;

/// The terms of texts, each with a number. Stop terms have no number.
#[derive(Debug, Default)]
pub struct Vocabulary {
    numbers: FxHashMap<Box<str>, Option<u32>>,
    terms: Vec<Box<str>>,
}

impl Vocabulary {
    /// The numbers of the distinct terms of `text` without stop terms, in increasing order.
    pub fn telling(&mut self, text: &str) -> Vec<u32> {
        let mut found = Vec::new();
        each_term(text, &mut |term| found.extend(self.number(term)));
        found.sort_unstable();
        found.dedup();
        found
    }

    fn number(&mut self, term: &str) -> Option<u32> {
        if let Some(number) = self.numbers.get(term) {
            return *number;
        }
        let next = u32::try_from(self.terms.len()).ok().filter(|_| !is_stop_term(term));
        if next.is_some() {
            self.terms.push(term.into());
        }
        self.numbers.insert(term.into(), next);
        next
    }

    /// How many terms have a number.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// Whether no term has a number.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The term with `number`; empty if no term has this number.
    pub fn term(&self, number: u32) -> &str {
        usize::try_from(number).ok().and_then(|at| self.terms.get(at)).map_or("", AsRef::as_ref)
    }

    /// The number of `term`; `None` if no text contained it or it is a stop term.
    pub fn number_of(&self, term: &str) -> Option<u32> {
        self.numbers.get(term).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_numbered_once_without_stop_terms() {
        let mut vocabulary = Vocabulary::default();
        let first = vocabulary.telling("The refund, the REFUND never arrived");
        let names: Vec<&str> = first.iter().map(|number| vocabulary.term(*number)).collect();
        assert_eq!(names, ["refund", "never arrived", "arrived"]);
        let second = vocabulary.telling("refund");
        assert_eq!(second, [vocabulary.number_of("refund").unwrap()]);
        assert_eq!((vocabulary.number_of("the"), vocabulary.len()), (None, 3));
    }
}
