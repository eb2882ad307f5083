//! Texts as terms are looked for in them: words in lower case, each bounded by spaces.
//!
//! `I ❤️ #Acme-Phones!` becomes ` i ❤ # acme phones `. A term is brought into the same form, so that looking for it
//! is looking for a substring: a word is ` acme `, the beginning of one ` acm`, a hashtag `# acme `, a phrase
//! ` acme phones `. Words are bounded as UAX #29 says, and at every apostrophe, dot and hyphen too; scripts without
//! spaces fall apart into characters, of which a term is then a phrase.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use unicode_segmentation::UnicodeSegmentation;

/// Appends the form of `text` to `out`. It begins and ends with a space.
pub fn push_words(text: &str, out: &mut String) {
    out.push(' ');
    if text.is_ascii() {
        push_ascii(text, out);
    } else if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        push_unicode(text, out);
    } else {
        push_unicode(&text.nfc().collect::<String>(), out);
    }
}

/// `text` in NFC and lower case, for comparing names.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    text.nfc().flat_map(lower).collect()
}

fn push_ascii(text: &str, out: &mut String) {
    let bytes = text.as_bytes();
    let is_word = |at: usize| bytes.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let mut at = 0;
    while at < bytes.len() {
        if is_word(at) {
            let start = at;
            while is_word(at) {
                at += 1;
            }
            push_token(&text[start..at], out, |word, out| {
                let from = out.len();
                out.push_str(word);
                out[from..].make_ascii_lowercase();
            });
        } else {
            let marks = matches!(bytes[at], b'#' | b'@') && (at == 0 || !is_word(at - 1)) && is_word(at + 1);
            if marks {
                push_mark(bytes[at].into(), out);
            }
            at += 1;
        }
    }
}

fn push_unicode(text: &str, out: &mut String) {
    let mut mark = None;
    let mut after_word = false;
    for piece in text.split_word_bounds() {
        let Some(first) = piece.chars().next() else { continue };
        if piece.chars().any(char::is_alphanumeric) {
            if let Some(mark) = mark.take() {
                push_mark(mark, out);
            }
            for word in piece.split(splits_words) {
                push_token(word, out, |word, out| out.extend(word.chars().flat_map(lower)));
            }
            after_word = true;
            continue;
        }
        mark = match first {
            '#' | '＃' if !after_word => Some('#'),
            '@' | '＠' if !after_word => Some('@'),
            _ => None,
        };
        if is_symbol(first) {
            out.extend(piece.chars().filter(|c| *c != VARIATION));
            out.push(' ');
        }
        after_word = false;
    }
}

/// Appends a word and the space behind it, without the underscores at its ends.
fn push_token(word: &str, out: &mut String, push: impl Fn(&str, &mut String)) {
    let word = word.trim_matches('_');
    if !word.is_empty() {
        push(word, out);
        out.push(' ');
    }
}

fn push_mark(mark: char, out: &mut String) {
    out.push(mark);
    out.push(' ');
}

/// Asks for the coloured form of a character; it makes no other word.
const VARIATION: char = '\u{FE0F}';

/// Characters that UAX #29 keeps inside of words between letters.
fn splits_words(c: char) -> bool {
    (c.is_ascii_punctuation() && c != '_')
        || matches!(c, '·' | '‘' | '’' | '‧' | '․' | '：' | '．' | '，' | '；' | '＇')
}

/// Emoji and other signs that people look for; not punctuation.
fn is_symbol(c: char) -> bool {
    !c.is_ascii()
        && !c.is_whitespace()
        && !c.is_control()
        && !matches!(c, '\u{A1}'..='\u{BF}' | '\u{2000}'..='\u{206F}' | '\u{3000}'..='\u{303F}' | '\u{FE00}'..='\u{FE6F}'
            | '\u{FF00}'..='\u{FF0F}' | '\u{FF1A}'..='\u{FF20}' | '\u{FF3B}'..='\u{FF40}' | '\u{FF5B}'..='\u{FF65}')
}

/// A final sigma is a sigma.
fn lower(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().map(|c| if c == 'ς' { 'σ' } else { c })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_bounded_and_folded_in_every_script() {
        for (text, expected) in [
            ("I love the ACME-Phone!", " i love the acme phone "),
            ("#Acme, @ada.b and a#b me@acme.com", " # acme @ ada b and a b me acme com "),
            ("don't __init__ 3.14", " don t init 3 14 "),
            ("Don’t STRAẞE ΟΔΟΣ", " don t straße οδοσ "),
            ("Cafe\u{301} CAFÉ", " café café "),
            ("東京#東京", " 東 京 東 京 "),
            ("I ❤️ #東京 👍🏽", " i ❤ # 東 京 👍🏽 "),
            ("привет,Мир…", " привет мир "),
            ("", " "),
        ] {
            let mut out = String::new();
            push_words(text, &mut out);
            assert_eq!(out, expected, "{text:?}");
        }
    }
}
