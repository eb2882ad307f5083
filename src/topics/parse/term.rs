//! Parses the terms and fields of a query.

use super::super::node::{Comparison, Field, Glob, Literal, Near, Node, Phrase};
use super::{Fault, OPERAND};
use crate::domain::LabelSet;
use crate::domain::label::LabelError;
use crate::domain::words::composed;
use crate::terms::text::{MARKS, fold, is_unspaced, normal, words_of};

/// The minimum number of consecutive letters in a word with wildcards. With fewer letters the word would match nearly
/// every post.
const MIN_LETTERS: usize = 2;
/// Characters that a word may contain between its letters.
const JOINERS: &str = ".-'’_&/:@,·";

/// Parses a word, `#tag` or `@name`, possibly with wildcards.
pub fn word(text: &str, position: usize) -> Result<Node, Fault> {
    check_characters(text, position)?;
    let marked = text.starts_with(['#', '@', '＃', '＠']);
    if text.contains(['*', '?']) {
        if marked {
            return beginning_of_mark(text, position);
        }
        return wild(text, position);
    }
    let pattern = normal(text);
    if marked {
        // A hashtag or mention without wildcards.
        return match pattern.split_once(MARKS) {
            Some((_, mark)) => Ok(Node::Text(mark.to_owned())),
            None => Err(nothing(text, position)),
        };
    }
    if pattern.trim().is_empty() {
        return Err(nothing(text, position));
    }
    Ok(Node::Text(words_pattern(&pattern)))
}

/// Parses a phrase, possibly with wildcards.
pub fn phrase(text: &str, position: usize) -> Result<Node, Fault> {
    let pattern = normal(text);
    if !words_of(&pattern).is_empty() && text.contains(['*', '?']) {
        return wild(text, position);
    }
    if words_of(&pattern).is_empty() {
        return Err(Fault::new(position, "this phrase contains no word: to search for symbols, use raw:\"…\""));
    }
    Ok(Node::Text(words_pattern(&pattern)))
}

/// Parses `"…"~n`: all words in any order, with at most `n` other words between neighbours.
pub fn close(text: &str, distance: usize, position: usize) -> Result<Node, Fault> {
    let words = globs(text, position)?;
    if words.len() < 2 {
        return Err(Fault::new(position, "expected at least two words between the quotes before ~"));
    }
    let groups = words.into_iter().map(|word| vec![Phrase(vec![word])]).collect();
    Ok(Node::Near(Near { groups, distance, ordered: false }))
}

/// Parses `{…}`: a word with exactly this case and these accents.
pub fn exact(text: &str, position: usize) -> Result<Node, Fault> {
    if !text.chars().any(char::is_alphanumeric) {
        return Err(Fault::new(position, "expected a word between { and }"));
    }
    Ok(Node::Literal(Literal { text: composed(text.trim()).into_owned(), whole_words: true }))
}

/// A warning about a likely mistake in a valid word.
pub fn warning(text: &str, position: usize) -> Option<Fault> {
    let operator = text.to_uppercase();
    if ["OR", "AND", "NOT"].contains(&&*operator) {
        return Some(Fault::new(position, format!("{text} is treated as a word: write {operator} for the operator")));
    }
    if operator.starts_with("NEAR/") {
        return Some(Fault::new(position, format!("{text} is treated as words: write {operator} for the operator")));
    }
    if text.ends_with([',', '.', ';', '!', ':']) {
        return Some(Fault::new(position, format!("the punctuation mark at the end of {text} is ignored")));
    }
    None
}

/// Parses the field `name:value`.
pub fn field(name: &str, value: &str, position: usize) -> Result<Node, Fault> {
    if value.trim().is_empty() {
        return Err(Fault::new(position, format!("expected a value directly after {name}:")));
    }
    let lower = value.trim().to_lowercase();
    let field = match name {
        "raw" => return Ok(Node::Literal(Literal { text: composed(value).into_owned(), whole_words: false })),
        "source" => return Ok(Node::Source(lower)),
        "lang" if value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => return Ok(Node::Lang(lower)),
        "lang" => return Err(Fault::new(position, "expected a language tag after lang:, such as en or pt-BR")),
        "site" if !lower.contains('/') => Field::Site(lower.trim_start_matches("www.").to_owned()),
        "site" => {
            return Err(Fault::new(
                position,
                "expected a host after site:, such as example.com; to search for a path, use url:",
            ));
        }
        "url" => Field::Url(lower),
        "links" => Field::Links(lower),
        "is" if lower == "reply" => Field::Reply,
        "is" => return Err(Fault::new(position, "unknown value of is: expected is:reply")),
        "has" if lower == "emoji" => Field::Emoji,
        "has" if lower == "link" => Field::Link,
        "has" => return Err(Fault::new(position, "unknown value of has: expected has:emoji or has:link")),
        "hashtags" => hashtags(&lower, position)?,
        "sentiment" => return labels(name, lower.parse().map(LabelSet::sentiment), position),
        "emotion" => return labels(name, lower.parse().map(LabelSet::emotion), position),
        _ => return Ok(Node::Author(fold(value.trim_start_matches('@')).into_owned())),
    };
    Ok(Node::Field(field))
}

/// Parses a condition on the result of the analysis.
fn labels(name: &str, set: Result<LabelSet, LabelError>, position: usize) -> Result<Node, Fault> {
    set.map(Node::Labels).map_err(|error| Fault::new(position, format!("{name}: {error}")))
}

fn hashtags(value: &str, position: usize) -> Result<Field, Fault> {
    let (comparison, number) = [
        (">=", Comparison::AtLeast),
        ("<=", Comparison::AtMost),
        (">", Comparison::More),
        ("<", Comparison::Less),
        ("", Comparison::Equal),
    ]
    .into_iter()
    .find_map(|(sign, comparison)| value.strip_prefix(sign).map(|number| (comparison, number)))
    .unwrap_or((Comparison::Equal, value));
    let number =
        number.parse().map_err(|_| Fault::new(position, "expected a number after hashtags:, such as hashtags:>3"))?;
    Ok(Field::Hashtags(comparison, number))
}

/// The phrases that an operand of NEAR matches.
pub fn alternatives(node: Node, position: usize) -> Result<Vec<Phrase>, Fault> {
    match node {
        Node::Text(pattern) => Ok(vec![Phrase(words_of_pattern(&pattern))]),
        Node::Phrase(phrase) => Ok(vec![phrase]),
        Node::Or(nodes) => {
            let phrases: Result<Vec<Vec<Phrase>>, Fault> =
                nodes.into_iter().map(|node| alternatives(node, position)).collect();
            Ok(phrases?.into_iter().flatten().collect())
        }
        _ => Err(Fault::new(position, "expected a word, a \"phrase\", or (several of them with OR) beside NEAR")),
    }
}

/// The words of a pattern. For a hashtag or mention, these are the words without the sign.
fn words_of_pattern(pattern: &str) -> Vec<Glob> {
    let plain = pattern.replace(['#', '@'], " ");
    let mut words: Vec<Glob> = words_of(&normal(&plain)).into_iter().map(|word| Glob(word.to_owned())).collect();
    // A pattern without a space at its end matches all words that begin with its last word.
    if let (false, Some(Glob(last))) = (pattern.ends_with(' '), words.last_mut()) {
        last.push('*');
    }
    words
}

/// The words of a pattern in normal form, without the hashtags and mentions after the words.
fn words_pattern(pattern: &str) -> String {
    match pattern.split_once(MARKS) {
        Some((words, _)) => words.to_owned(),
        None => pattern.to_owned(),
    }
}

/// Parses `#acm*`: hashtags or mentions that begin with this text.
fn beginning_of_mark(text: &str, position: usize) -> Result<Node, Fault> {
    let beginning = text.trim_end_matches('*');
    if beginning.contains(['*', '?']) {
        return Err(Fault::new(position, "in a hashtag or mention, * is allowed only at the end, as in #acme*"));
    }
    check_letters(beginning, position)?;
    match normal(beginning).split_once(MARKS) {
        Some((_, mark)) => Ok(Node::Text(mark.trim_end().to_owned())),
        None => Err(nothing(text, position)),
    }
}

fn wild(text: &str, position: usize) -> Result<Node, Fault> {
    let words = globs(text, position)?;
    // A single word that ends with `*` needs no wildcards, because a pattern can match the beginning of a word.
    if let [Glob(word)] = words.as_slice()
        && let Some(beginning) = word.strip_suffix('*')
        && !beginning.contains(['*', '?'])
    {
        return Ok(Node::Text(format!(" {beginning}")));
    }
    Ok(Node::Phrase(Phrase(words)))
}

/// Parses the words of a text with wildcards.
fn globs(text: &str, position: usize) -> Result<Vec<Glob>, Fault> {
    // Two obsolete Georgian letters replace the wildcards, because letters stay inside their words during
    // normalisation.
    const STAR: char = '\u{10F8}';
    const MAYBE: char = '\u{10F9}';
    let safe: String = text
        .chars()
        .map(|c| match c {
            '*' => STAR,
            '?' => MAYBE,
            c => c,
        })
        .collect();
    let normal = normal(&safe);
    let words: Vec<Glob> =
        words_of(&normal).into_iter().map(|word| Glob(word.replace(STAR, "*").replace(MAYBE, "?"))).collect();
    // In scripts without spaces each character is a word, so a wildcard after it has no effect and is dropped.
    let words: Vec<Glob> = if text.chars().any(is_unspaced) {
        words.into_iter().filter(|word| !is_only_wild(word)).collect()
    } else {
        words
    };
    if words.is_empty() {
        return Err(nothing(text, position));
    }
    if let Some(Glob(alone)) = words.iter().find(|word| is_only_wild(word)) {
        return Err(Fault::new(
            position,
            format!("{alone} must be part of a word, as in acme*; to allow other words between two words, use NEAR/n"),
        ));
    }
    for word in words.iter().filter(|word| word.is_wild()) {
        check_letters(word.seed().trim(), position)?;
    }
    Ok(words)
}

fn is_only_wild(word: &Glob) -> bool {
    word.0.chars().all(|c| matches!(c, '*' | '?'))
}

fn check_letters(text: &str, position: usize) -> Result<(), Fault> {
    if text.chars().filter(|c| c.is_alphanumeric()).count() < MIN_LETTERS {
        return Err(Fault::new(
            position,
            format!("expected at least {MIN_LETTERS} consecutive letters next to * or ?"),
        ));
    }
    Ok(())
}

/// Rejects characters that normalisation would remove, because the query would then match other texts than intended.
fn check_characters(text: &str, position: usize) -> Result<(), Fault> {
    let chars: Vec<char> = text.trim_end_matches([',', '.', ';', '!', ':']).chars().collect();
    let start = usize::from(text.starts_with(['#', '@', '＃', '＠']));
    let is_sign = |c: char| c.is_ascii_punctuation() || matches!(c, '€' | '£' | '¥' | '™' | '®' | '©');
    let wrong = chars.iter().enumerate().skip(start).find(|(at, c)| {
        let joins = JOINERS.contains(**c) && *at > start;
        is_sign(**c) && !joins && !matches!(c, '*' | '?' | '_')
    });
    match wrong {
        Some((at, c)) if chars.iter().any(|c| c.is_alphanumeric()) => Err(Fault::new(
            position + at,
            format!("{c} is not part of a word: write raw:\"{text}\" to search for the text as it is written"),
        )),
        _ => Ok(()),
    }
}

fn nothing(text: &str, position: usize) -> Fault {
    Fault::new(position, format!("{OPERAND}, found {text}"))
}
