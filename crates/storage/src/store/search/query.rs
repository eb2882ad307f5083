//! Queries for the text index.

use std::collections::BTreeSet;

use super::grams::{DENSE, SHORTEST, fold, is_found_alone, runs, symbol_pieces, whole_word, width};

/// The maximum number of grams in a query. Further grams would exclude few additional texts.
const MOST: usize = 64;

/// The syntax of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// For SQLite's `MATCH`.
    Fts5,
    /// For Postgres' `@@`.
    TsQuery,
}

/// The grams that all posts in the index have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The pieces of words.
    Pieces,
    /// The pieces of words, and also symbols, single characters and whole words.
    All,
}

/// The texts of the index queries for posts that contain some words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Finds every post that contains the words, and possibly other posts.
    pub candidates: String,
    /// The same as `candidates`, without the grams that are slow to find, which are prefixes of other grams. It finds
    /// more posts that do not contain the words. `None` if no gram or every gram is slow to find.
    pub quick: Option<String>,
    /// Whether all grams are slow to find.
    pub is_slow: bool,
    /// Finds only posts that contain the words, but possibly not all of these posts. `None` if no such query exists.
    pub certain: Option<String>,
    /// Finds the candidates that `certain` does not find; `None` if `certain` finds all candidates.
    pub uncertain: Option<String>,
}

impl Query {
    /// The query for `words`; `None` when they have no grams.
    pub fn new(words: &[String], dialect: Dialect, coverage: Coverage) -> Option<Self> {
        let mut needed = BTreeSet::new();
        let mut certain = Some(BTreeSet::new());
        for word in words {
            let word = Word::new(&fold(word), coverage);
            match (&mut certain, word.certain()) {
                (Some(certain), Some(gram)) => {
                    certain.insert(gram.clone());
                }
                _ => certain = None,
            }
            needed.extend(word.needed);
        }
        if needed.is_empty() {
            return None;
        }
        let all = |grams: Vec<&Gram>| {
            let terms: Vec<String> = grams.into_iter().take(MOST).map(|gram| gram.write(dialect)).collect();
            terms.join(dialect.and())
        };
        let candidates = all(needed.iter().collect());
        let plain: Vec<&Gram> = needed.iter().filter(|gram| !gram.prefix).collect();
        let is_slow = plain.is_empty();
        let quick = (!plain.is_empty() && plain.len() < needed.len()).then(|| all(plain));
        let uncertain = match &certain {
            Some(certain) if *certain == needed => None,
            Some(certain) => Some(dialect.without(&candidates, &all(certain.iter().collect()))),
            None => Some(candidates.clone()),
        };
        let certain = certain.map(|certain| all(certain.iter().collect()));
        Some(Self { candidates, quick, is_slow, certain, uncertain })
    }
}

impl Dialect {
    fn and(self) -> &'static str {
        match self {
            Self::Fts5 => " AND ",
            Self::TsQuery => " & ",
        }
    }

    fn without(self, all: &str, others: &str) -> String {
        match self {
            Self::Fts5 => format!("({all}) NOT ({others})"),
            Self::TsQuery => format!("{all} & !({others})"),
        }
    }
}

/// A gram that a text must contain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Gram {
    text: String,
    /// Whether longer grams that begin with `text` match too.
    prefix: bool,
}

impl Gram {
    fn whole(text: impl Into<String>) -> Self {
        Self { text: text.into(), prefix: false }
    }

    fn start(text: impl Into<String>) -> Self {
        Self { text: text.into(), prefix: true }
    }

    /// Writes the gram in the syntax of a query. Grams contain no ASCII symbols, so they need no escaping.
    fn write(&self, dialect: Dialect) -> String {
        match (dialect, self.prefix) {
            (Dialect::Fts5, false) => format!("\"{}\"", self.text),
            (Dialect::Fts5, true) => format!("\"{}\"*", self.text),
            (Dialect::TsQuery, false) => format!("'{}'", self.text),
            (Dialect::TsQuery, true) => format!("'{}':*", self.text),
        }
    }
}

/// A word and its grams.
struct Word {
    /// The grams of every text that contains the word.
    needed: BTreeSet<Gram>,
    /// A gram that occurs only in texts with the word; `None` if there is none besides the needed grams.
    whole: Option<Gram>,
    /// Whether the word has only one needed gram, and every text with this gram contains the word.
    is_gram: bool,
}

impl Word {
    fn new(folded: &str, coverage: Coverage) -> Self {
        let mut needed = BTreeSet::new();
        for run in runs(folded) {
            needed.extend(pieces(run, coverage));
        }
        if coverage == Coverage::All {
            let is_single = folded.chars().nth(1).is_none();
            symbol_pieces(folded, |piece| {
                // In a longer word each symbol is part of a pair, so symbols alone are not needed.
                if is_single || piece.len() > 1 {
                    needed.insert(Gram::whole(piece.iter().collect::<String>()));
                }
            });
        }
        // Both forms of the Greek sigma have the same grams, but a search distinguishes them, so the texts must be
        // checked.
        let distinct = !folded.contains('σ');
        let one_run = runs(folded).next() == Some(folded);
        let is_gram = distinct && (if one_run { needed.len() == 1 } else { is_symbol_piece(folded, &mut needed) });
        let whole = (one_run && distinct && coverage == Coverage::All).then(|| whole_word(folded)).flatten();
        Self { needed, whole: whole.map(Gram::whole), is_gram: is_gram && fits(folded) }
    }

    /// A gram that occurs only in texts with the word.
    fn certain(&self) -> Option<&Gram> {
        if self.is_gram { self.needed.first() } else { self.whole.as_ref() }
    }
}

/// Whether a word is short enough to be one gram. A longer word such as `aaaa` may also have only one gram, which
/// occurs repeatedly.
fn fits(folded: &str) -> bool {
    let length = folded.chars().count();
    if runs(folded).next() == Some(folded) { length <= width(folded) } else { length <= DENSE }
}

/// Whether the word is one symbol, or two characters with at least one symbol. In this case its longest piece becomes
/// its only needed gram.
fn is_symbol_piece(folded: &str, needed: &mut BTreeSet<Gram>) -> bool {
    let length = folded.chars().count();
    let longest = needed.iter().filter(|gram| !gram.prefix).max_by_key(|gram| gram.text.chars().count()).cloned();
    match longest {
        Some(gram) if length <= DENSE && gram.text.chars().count() == length => {
            needed.clear();
            needed.insert(gram);
            true
        }
        _ => false,
    }
}

/// The grams of every text that contains `run`.
fn pieces(run: &str, coverage: Coverage) -> Vec<Gram> {
    let width = width(run);
    let bounds: Vec<usize> = run.char_indices().map(|(at, _)| at).chain([run.len()]).collect();
    let length = bounds.len() - 1;
    if length < width {
        let alone = coverage == Coverage::All && is_found_alone(run);
        let enough = width == DENSE || length >= SHORTEST || alone;
        return enough.then(|| Gram::start(run)).into_iter().collect();
    }
    bounds.windows(width + 1).map(|piece| Gram::whole(&run[piece[0]..piece[width]])).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::grams::grams;
    use super::*;

    fn query(words: &[&str], dialect: Dialect, coverage: Coverage) -> Option<Query> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Query::new(&words, dialect, coverage)
    }

    #[test]
    fn queries_have_the_grams_of_all_words() {
        let phone = query(&["Phone"], Dialect::Fts5, Coverage::All).unwrap();
        assert_eq!(phone.candidates, "\"hon\" AND \"one\" AND \"pho\"");
        assert_eq!(phone.certain.unwrap(), "\"\u{E000}phone\"");
        assert_eq!(phone.uncertain.unwrap(), "(\"hon\" AND \"one\" AND \"pho\") NOT (\"\u{E000}phone\")");
        let short = query(&["5g", "京"], Dialect::TsQuery, Coverage::Pieces).unwrap();
        assert_eq!((short.candidates.as_str(), short.uncertain), ("'5g':* & '京':*", None));
        assert_eq!(query(&["c++", "%"], Dialect::Fts5, Coverage::Pieces), None);
        let symbols = query(&["c++"], Dialect::TsQuery, Coverage::All).unwrap();
        assert_eq!(symbols.candidates, "'c\u{E02B}' & '\u{E02B}\u{E02B}'");
        assert_eq!(symbols.certain, None);
        let mixed = query(&["in", "phone"], Dialect::TsQuery, Coverage::All).unwrap();
        assert_eq!(mixed.quick.unwrap(), "'hon' & 'one' & 'pho'");
    }

    #[test]
    fn match_of_a_short_word_is_certain() {
        for word in ["the", "th", "東京", "京", "🙂", "%", "c+", "++", "$5", "é", "7"] {
            assert_eq!(query(&[word], Dialect::Fts5, Coverage::All).unwrap().uncertain, None, "{word}");
        }
        for word in ["love", "c++", "東京で", "aaaa", "+++", "σας"] {
            assert!(query(&[word], Dialect::Fts5, Coverage::All).unwrap().uncertain.is_some(), "{word}");
        }
    }

    /// Whether the index finds a text with `grams` when a query needs the gram `needed`.
    fn has(grams: &str, needed: &Gram) -> bool {
        let fits = |gram: &str| if needed.prefix { gram.starts_with(&needed.text) } else { gram == needed.text };
        grams.split(' ').any(fits)
    }

    const TEXT: &str = "[a-d0-2 .,+'!#İßẞΣσς東京都の한국어ไทย🙂❤\u{FE0F}é%-]{0,30}";

    proptest! {
        #[test]
        fn text_has_all_grams_of_each_of_its_words(text in TEXT, from in 0..30_usize, length in 1..12_usize) {
            let lower = text.to_lowercase();
            let part: String = lower.chars().skip(from).take(length).collect();
            let indexed = grams(&text);
            for word in part.split_whitespace() {
                for coverage in [Coverage::Pieces, Coverage::All] {
                    for gram in Word::new(&fold(word), coverage).needed {
                        prop_assert!(has(&indexed, &gram), "{:?} of {:?} in {:?}", gram.text, word, indexed);
                    }
                }
            }
        }

        #[test]
        fn text_with_the_certain_gram_of_a_word_contains_it(text in TEXT, word in "[a-d0-2+'#東京🙂é%]{1,6}") {
            let lower = text.to_lowercase();
            for coverage in [Coverage::Pieces, Coverage::All] {
                let parts = Word::new(&fold(&word), coverage);
                if let Some(gram) = parts.certain() {
                    prop_assert!(!has(&grams(&text), gram) || lower.contains(&word), "{:?} in {:?}", word, text);
                }
            }
        }
    }
}
