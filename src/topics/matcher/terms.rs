//! Finds which terms of all topics occur in a post. Sources and languages are terms too.
//!
//! Whole words are looked up in a table. Phrases are compared at the places where their rarest word occurs. An
//! automaton finds the beginnings and parts of words.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use rustc_hash::FxHashMap;

use super::lists::{Lists, Marks};
use crate::domain::Subject;
use crate::domain::words::{Bounds, composed};
use crate::terms::stop_words::is_stop_word;
use crate::terms::text::{fold, is_unspaced};
use crate::topics::node::Literal;

/// The number of every word that occurs in no term.
const UNKNOWN: u32 = u32::MAX;

/// Finds terms. The terms are numbered by kind: words, then phrases, parts of words, literals, authors, sources and
/// languages.
#[derive(Default)]
pub struct Terms {
    words: FxHashMap<Box<str>, u32>,
    /// For each word, the phrases whose rarest word it is.
    phrases: Lists<Phrase>,
    /// The numbers of the words of all phrases, in one list.
    phrase_words: Vec<u32>,
    /// Finds beginnings and parts of words in texts in normal form.
    parts: Finder,
    /// Finds literals in texts that are only composed (NFC), without the other steps of normalisation.
    literals: Finder,
    /// For each literal, the ends that must be at a word boundary.
    bounds: Vec<Bounds>,
    authors: FxHashMap<Box<str>, u32>,
    sources: FxHashMap<Box<str>, u32>,
    languages: Vec<(Box<str>, u32)>,
    count: usize,
}

/// Several consecutive words.
struct Phrase {
    term: u32,
    /// The number of words before the rarest word of the phrase.
    before: u32,
    /// The start of the phrase in [`Terms::phrase_words`], inclusive. `end` is exclusive.
    start: u32,
    end: u32,
}

/// An automaton. `first` is the number of the term for its first pattern; further patterns have consecutive numbers.
#[derive(Default)]
struct Finder {
    automaton: Option<AhoCorasick>,
    first: u32,
}

impl Terms {
    /// The number of terms. The numbers of terms are less than this.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds the terms that occur in a post to `found`. `normal` is the text of the post in normal form. `numbers` is a
    /// buffer.
    pub fn find(&self, subject: &Subject<'_>, normal: &str, numbers: &mut Vec<u32>, found: &mut Marks) {
        numbers.clear();
        let words = normal.split(' ').filter(|word| !word.is_empty());
        numbers.extend(words.map(|word| self.words.get(word).copied().unwrap_or(UNKNOWN)));
        for (at, &word) in numbers.iter().enumerate().filter(|(_, word)| **word != UNKNOWN) {
            found.add(word);
            for phrase in self.phrases.get(word as usize) {
                let words = &self.phrase_words[phrase.start as usize..phrase.end as usize];
                let place = at.checked_sub(phrase.before as usize).and_then(|start| numbers.get(start..));
                if place.is_some_and(|place| place.starts_with(words)) {
                    found.add(phrase.term);
                }
            }
        }
        if let Some(parts) = &self.parts.automaton {
            for part in parts.find_overlapping_iter(normal) {
                found.add(self.parts.first + part.pattern().as_u32());
            }
        }
        if let Some(literals) = &self.literals.automaton {
            let content = composed(subject.content);
            for literal in literals.find_overlapping_iter(&*content) {
                if self.bounds[literal.pattern()].hold(&content, &literal.range()) {
                    found.add(self.literals.first + literal.pattern().as_u32());
                }
            }
        }
        if let Some(author) = subject.author.filter(|_| !self.authors.is_empty())
            && let Some(&term) = self.authors.get(&*fold(author.trim_start_matches('@')))
        {
            found.add(term);
        }
        found.extend(self.sources.get(subject.source).copied());
        if let Some(lang) = subject.lang {
            found.extend(self.languages.iter().filter(|(tag, _)| is_variety(lang, tag)).map(|(_, term)| *term));
        }
    }
}

/// Whether `lang` is `tag` or a variety of it: `en-US` is English.
fn is_variety(lang: &str, tag: &str) -> bool {
    let (lang, tag) = (lang.as_bytes(), tag.as_bytes());
    lang.len() >= tag.len()
        && lang[..tag.len()].eq_ignore_ascii_case(tag)
        && lang.get(tag.len()).is_none_or(|next| matches!(next, b'-' | b'_'))
}

/// A term, by its number among the terms of its kind. [`TermsBuilder::number`] gives its number among all terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TermId {
    /// A whole word.
    Word(u32),
    /// Consecutive whole words.
    Phrase(u32),
    /// A part of the text that may begin or end inside a word.
    Part(u32),
    /// A text that is only composed, without the other steps of normalisation.
    Literal(u32),
    /// The folded name of an author.
    Author(u32),
    /// The name of a source.
    Source(u32),
    /// A language tag in lower case.
    Language(u32),
}

/// Collects the terms of queries. Equal terms are stored once.
#[derive(Default)]
pub struct TermsBuilder {
    words: FxHashMap<Box<str>, u32>,
    phrases: FxHashMap<Box<[u32]>, u32>,
    parts: FxHashMap<Box<str>, u32>,
    literals: HashMap<Literal, u32>,
    authors: FxHashMap<Box<str>, u32>,
    sources: FxHashMap<Box<str>, u32>,
    languages: FxHashMap<Box<str>, u32>,
}

impl TermsBuilder {
    /// The number of collected terms.
    pub fn count(&self) -> usize {
        self.number(TermId::Language(self.languages.len() as u32)) as usize
    }

    /// Adds a pattern of the normal form: whole words if it begins and ends with a space, otherwise a part of a word.
    pub fn pattern(&mut self, pattern: &str) -> TermId {
        let inside =
            pattern.strip_prefix(' ').and_then(|rest| rest.strip_suffix(' ')).filter(|words| !words.is_empty());
        let Some(words) = inside else { return TermId::Part(number(&mut self.parts, pattern)) };
        if !words.contains(' ') {
            return TermId::Word(number(&mut self.words, words));
        }
        let words: Box<[u32]> = words.split(' ').map(|word| number(&mut self.words, word)).collect();
        let next = self.phrases.len() as u32;
        TermId::Phrase(*self.phrases.entry(words).or_insert(next))
    }

    /// Adds a text that is only composed, without the other steps of normalisation.
    pub fn literal(&mut self, literal: &Literal) -> TermId {
        let next = self.literals.len() as u32;
        TermId::Literal(*self.literals.entry(literal.clone()).or_insert(next))
    }

    /// Adds the author with this folded name.
    pub fn author(&mut self, name: &str) -> TermId {
        TermId::Author(number(&mut self.authors, name))
    }

    /// Adds the source with this name.
    pub fn source(&mut self, name: &str) -> TermId {
        TermId::Source(number(&mut self.sources, name))
    }

    /// Adds a language, which includes its varieties.
    pub fn language(&mut self, tag: &str) -> TermId {
        TermId::Language(number(&mut self.languages, tag))
    }

    /// The number of a term among all terms. Call this only after all terms are collected.
    pub fn number(&self, term: TermId) -> u32 {
        let phrases = self.words.len() as u32;
        let parts = phrases + self.phrases.len() as u32;
        let literals = parts + self.parts.len() as u32;
        let authors = literals + self.literals.len() as u32;
        let sources = authors + self.authors.len() as u32;
        let languages = sources + self.sources.len() as u32;
        match term {
            TermId::Word(number) => number,
            TermId::Phrase(number) => phrases + number,
            TermId::Part(number) => parts + number,
            TermId::Literal(number) => literals + number,
            TermId::Author(number) => authors + number,
            TermId::Source(number) => sources + number,
            TermId::Language(number) => languages + number,
        }
    }

    /// Builds the finder of all collected terms.
    ///
    /// # Errors
    /// When there are more terms than an automaton supports.
    pub fn build(self) -> Result<Terms, BuildError> {
        let first = |kind: fn(u32) -> TermId| self.number(kind(0));
        let (phrase, part, literal) = (first(TermId::Phrase), first(TermId::Part), first(TermId::Literal));
        let numbered = |names: &FxHashMap<Box<str>, u32>, kind: fn(u32) -> TermId| -> Vec<(Box<str>, u32)> {
            names.iter().map(|(name, number)| (name.clone(), self.number(kind(*number)))).collect()
        };
        let count = self.count();
        let words = in_order(&self.words);
        let mut by_word: Vec<Vec<Phrase>> = words.iter().map(|_| Vec::new()).collect();
        let mut phrase_words = Vec::new();
        let mut phrases: Vec<(&Box<[u32]>, &u32)> = self.phrases.iter().collect();
        phrases.sort_unstable_by_key(|(_, number)| **number);
        for (numbers, number) in phrases {
            let start = phrase_words.len() as u32;
            phrase_words.extend_from_slice(numbers);
            // Characters of scripts without spaces have equal estimates, so the character with the fewest phrases is
            // chosen.
            let cost = |word: u32| (frequency(words[word as usize]), by_word[word as usize].len());
            let cheaper = |one: &(usize, &u32), other: &(usize, &u32)| {
                let (one, other) = (cost(*one.1), cost(*other.1));
                one.0.total_cmp(&other.0).then(one.1.cmp(&other.1))
            };
            if let Some((before, &word)) = numbers.iter().enumerate().min_by(cheaper) {
                let (before, end) = (before as u32, phrase_words.len() as u32);
                by_word[word as usize].push(Phrase { term: phrase + number, before, start, end });
            }
        }
        let mut literals: Vec<(&Literal, &u32)> = self.literals.iter().collect();
        literals.sort_unstable_by_key(|(_, number)| **number);
        let texts: Vec<&str> = literals.iter().map(|(literal, _)| &*literal.text).collect();
        Ok(Terms {
            phrases: Lists::new(by_word),
            phrase_words,
            parts: Finder::new(&in_order(&self.parts), part)?,
            literals: Finder::new(&texts, literal)?,
            bounds: literals.iter().map(|(literal, _)| literal.bounds()).collect(),
            authors: numbered(&self.authors, TermId::Author).into_iter().collect(),
            sources: numbered(&self.sources, TermId::Source).into_iter().collect(),
            languages: numbered(&self.languages, TermId::Language),
            words: self.words,
            count,
        })
    }
}

impl Finder {
    fn new(patterns: &[&str], first: u32) -> Result<Self, BuildError> {
        let automaton = match patterns {
            [] => None,
            patterns => Some(AhoCorasick::builder().match_kind(MatchKind::Standard).build(patterns)?),
        };
        Ok(Self { automaton, first })
    }
}

fn number(numbers: &mut FxHashMap<Box<str>, u32>, text: &str) -> u32 {
    if let Some(number) = numbers.get(text) {
        return *number;
    }
    let next = numbers.len() as u32;
    numbers.insert(text.into(), next);
    next
}

/// The texts, sorted by their numbers.
fn in_order(numbers: &FxHashMap<Box<str>, u32>) -> Vec<&str> {
    let mut texts = vec![""; numbers.len()];
    for (text, number) in numbers {
        texts[*number as usize] = text;
    }
    texts
}

/// The estimated share of posts that contain a pattern of the normal form. Longer words are rarer.
pub fn frequency(pattern: &str) -> f32 {
    let words = pattern.split(' ').filter(|word| !word.is_empty()).map(|word| {
        let rate = if word.chars().any(is_unspaced) { 0.3 } else { 0.6_f32 };
        if is_stop_word(word) { 1.0 } else { rate.powi(word.chars().count().min(12) as i32) }
    });
    words.product()
}
