//! Spelling, typing errors, and names of accounts in generated texts.

use rand::Rng;
use rand::rngs::StdRng;

/// The name of an account. It consists of `words`, with separators and a number that depend on `index`.
pub fn account(words: String, index: usize) -> String {
    match index % 4 {
        0 => words,
        1 => format!("{words}{}", index % 97),
        2 => words.replace('_', ""),
        _ => format!("{}_{}", words.replace('_', "."), index % 89),
    }
}

/// Capitalises the first letter.
pub fn capitalise(text: &mut String) {
    capitalise_at(text, 0);
}

/// Capitalises each sentence, and adds a full stop at the end.
pub fn sentence_case(text: &mut String) {
    let mut at = 0;
    capitalise_at(text, at);
    while let Some(stop) = text[at..].find(['.', '!', '?', '\n']) {
        at += stop + 1;
        if let Some(next) = text[at..].find(|c: char| !c.is_whitespace())
            && next > 0
        {
            capitalise_at(text, at + next);
        }
    }
    if text.ends_with(char::is_alphanumeric) {
        text.push('.');
    }
}

fn capitalise_at(text: &mut String, at: usize) {
    if let Some(first) = text[at..].chars().next().filter(char::is_ascii_lowercase) {
        text.replace_range(at..=at, first.to_ascii_uppercase().encode_utf8(&mut [0; 4]));
    }
}

/// Swaps two letters of a word, or removes one.
pub fn typo(text: &mut String, rng: &mut StdRng) {
    let bytes = text.as_bytes();
    let inner = |at: &usize| bytes[at - 1..at + 3].iter().all(u8::is_ascii_lowercase);
    let last = bytes.len().saturating_sub(3);
    if last < 2 {
        return;
    }
    let from = rng.random_range(1..last);
    if let Some(at) = (from..last).find(inner) {
        let letter = text.remove(at);
        if rng.random_bool(0.7) {
            text.insert(at + 1, letter);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn sentences_begin_with_a_capital_and_end_with_a_stop() {
        let mut text = "the bill tripled. they laugh! version 1.4 is öld? \n\nok".to_owned();
        sentence_case(&mut text);
        assert_eq!(text, "The bill tripled. They laugh! Version 1.4 is öld? \n\nOk.");
    }

    #[test]
    fn typo_leaves_any_text_valid() {
        let mut rng = StdRng::seed_from_u64(1);
        for text in ["", "a", "ab", "abc", "abcd", "最高！ abcdef 😍", "ééééééé"] {
            for _ in 0..50 {
                let mut changed = text.to_owned();
                typo(&mut changed, &mut rng);
                assert!(changed.len().abs_diff(text.len()) <= 1);
            }
        }
    }
}
