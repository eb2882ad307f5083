//! Grams: short pieces of a text, with which any part of a word can be found.
//!
//! A text is converted to lower case and split into runs of letters and digits. In most scripts the runs are cut into
//! pieces of three characters, one at each position. Scripts that do not separate words are cut into pieces of two,
//! because their words are short.

use std::collections::BTreeSet;

/// The syntax of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// For SQLite's `MATCH`.
    Fts5,
    /// For Postgres' `@@`.
    TsQuery,
}

/// The grams of `text`, each once, separated by spaces.
pub fn grams(text: &str) -> String {
    let folded = fold(text);
    let mut grams = BTreeSet::new();
    for run in runs(&folded) {
        let width = width(run);
        let starts: Vec<usize> = run.char_indices().map(|(at, _)| at).collect();
        for (index, &start) in starts.iter().enumerate() {
            let end = starts.get(index + width).copied().unwrap_or(run.len());
            // The pieces at the end of a run are shorter, so that a query for two characters finds them too.
            if starts.len() - index >= SHORTEST.min(width) || width == DENSE {
                grams.insert(&run[start..end]);
            }
        }
    }
    grams.into_iter().fold(String::new(), |mut list, gram| {
        if !list.is_empty() {
            list.push(' ');
        }
        list.push_str(gram);
        list
    })
}

/// The query for texts that may contain all of `words`; `None` when the words have no grams.
pub fn query(words: &[String], dialect: Dialect) -> Option<String> {
    let mut terms = BTreeSet::new();
    for word in words {
        let folded = fold(word);
        for run in runs(&folded) {
            terms.extend(needed(run).into_iter().map(|gram| gram.write(dialect)));
        }
    }
    let and = match dialect {
        Dialect::Fts5 => " AND ",
        Dialect::TsQuery => " & ",
    };
    (!terms.is_empty()).then(|| terms.into_iter().take(MOST).collect::<Vec<_>>().join(and))
}

/// The number of characters of a gram in most scripts, and the smallest number that can be searched.
const WIDTH: usize = 3;
const SHORTEST: usize = 2;
/// The maximum number of grams in a query. Further grams would hardly exclude more texts.
const MOST: usize = 64;
/// The number of characters of a gram in scripts without spaces between words.
const DENSE: usize = 2;

/// A gram that a text must contain.
struct Needed<'a> {
    text: &'a str,
    /// Whether a longer gram that begins with it matches too.
    prefix: bool,
}

impl Needed<'_> {
    /// Grams consist of letters and digits, so they need no escaping.
    fn write(&self, dialect: Dialect) -> String {
        match (dialect, self.prefix) {
            (Dialect::Fts5, false) => format!("\"{}\"", self.text),
            (Dialect::Fts5, true) => format!("\"{}\"*", self.text),
            (Dialect::TsQuery, false) => format!("'{}'", self.text),
            (Dialect::TsQuery, true) => format!("'{}':*", self.text),
        }
    }
}

/// The grams of every text that contains `run`.
fn needed(run: &str) -> Vec<Needed<'_>> {
    let width = width(run);
    let bounds: Vec<usize> = run.char_indices().map(|(at, _)| at).chain([run.len()]).collect();
    let length = bounds.len() - 1;
    if length < width {
        let enough = width == DENSE || length >= SHORTEST;
        return enough.then_some(Needed { text: run, prefix: true }).into_iter().collect();
    }
    bounds.windows(width + 1).map(|piece| Needed { text: &run[piece[0]..piece[width]], prefix: false }).collect()
}

/// Converts to lower case. The final form of the Greek sigma is replaced by the normal form.
fn fold(text: &str) -> String {
    text.to_lowercase().replace('ς', "σ")
}

/// The runs of letters and digits. Each run is either in a script without spaces between words or not.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    let kind = |c: char| if !c.is_alphanumeric() { None } else { Some(is_dense(c)) };
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let first = rest.chars().next()?;
            let end = rest.find(|c| kind(c) != kind(first)).unwrap_or(rest.len());
            let (run, behind) = rest.split_at(end);
            rest = behind;
            if kind(first).is_some() {
                return Some(run);
            }
        }
    })
}

fn width(run: &str) -> usize {
    if run.chars().next().is_some_and(is_dense) { DENSE } else { WIDTH }
}

/// Whether `c` belongs to a script that does not separate words by spaces: Chinese, Japanese, Korean syllables, Thai,
/// Lao, Khmer, Burmese.
fn is_dense(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1100..=0x11FF | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3100..=0x318F
        | 0x31F0..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xA960..=0xA97F | 0xAC00..=0xD7FF | 0xF900..=0xFAFF
        | 0xFF66..=0xFFDC | 0x20000..=0x323AF)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_cut_by_script() {
        assert_eq!(grams("Phones, 5G!"), "5g es hon nes one pho");
        assert_eq!(grams("東京で"), "で 京で 東京");
        assert_eq!(grams("a — b"), "");
        assert_eq!(query(&["Phone".to_owned()], Dialect::Fts5).unwrap(), "\"hon\" AND \"one\" AND \"pho\"");
        assert_eq!(query(&["5g".to_owned(), "京".to_owned()], Dialect::TsQuery).unwrap(), "'5g':* & '京':*");
        assert_eq!(query(&["c++".to_owned(), "%".to_owned()], Dialect::Fts5), None);
    }

    /// Whether the index would find a text with `grams` for `needed`.
    fn has(grams: &str, needed: &Needed<'_>) -> bool {
        let fits = |gram: &str| if needed.prefix { gram.starts_with(needed.text) } else { gram == needed.text };
        grams.split(' ').any(fits)
    }

    proptest! {
        #[test]
        fn text_has_all_grams_of_each_of_its_parts(text in "[a-zA-Z0-9 .,İßẞΣσς東京都の한국어ไทย'%-]{0,30}", from in 0..30_usize, length in 1..12_usize) {
            let lower = text.to_lowercase();
            let part: String = lower.chars().skip(from).take(length).collect();
            let indexed = grams(&text);
            let folded = fold(&part);
            for run in runs(&folded) {
                for gram in needed(run) {
                    prop_assert!(has(&indexed, &gram), "{:?} of {:?} in {:?}", gram.text, part, indexed);
                }
            }
        }
    }
}
