//! The normal form in which texts are searched: case-folded words that are separated by spaces.
//!
//! `I ❤️ #Acme-Phones!` becomes ` i ❤ acme phones ␁ #acme `: first the words, then U+0001, then the hashtags and
//! mentions with their signs. A query term is converted to the same form, so that a search is a search for a substring:
//! a word is ` acme `, the beginning of a word is ` acm`, a hashtag is ` #acme `, and a phrase is ` acme phones `.
//!
//! Characters are compared in NFKC, with full case folding (`STRASSE` is equal to `straße`), without the accents of
//! Latin and Greek letters, and without skin tones. Words end at the boundaries of UAX #29, and also at apostrophes,
//! dots and hyphens; `don't` becomes `dont`. Texts in Han, kana and Hangul are split into characters, so a term in one
//! of these scripts is a phrase of characters.

use std::borrow::Cow;

use unicode_normalization::char::decompose_canonical;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_segmentation::UnicodeSegmentation;

/// Separates the words from the hashtags and mentions.
pub const MARKS: &str = "\u{1}";

/// Appends the normal form of `text` to `out`. The form begins and ends with a space.
pub fn push_words(text: &str, out: &mut String) {
    out.push(' ');
    let bytes = text.as_bytes();
    let mut marks = String::new();
    let mut at = 0;
    // Words and normalisation never cross a space. Parts between spaces can therefore be converted separately: ASCII
    // parts on a fast path, all others by the rules of Unicode.
    while let Some(other) = bytes[at..].iter().position(|byte| !byte.is_ascii()).map(|found| at + found) {
        let start = bytes[at..other].iter().rposition(|byte| is_space(*byte)).map_or(at, |found| at + found);
        let end = bytes[other..].iter().position(|byte| is_space(*byte)).map_or(bytes.len(), |found| other + found);
        push_ascii(&text[at..start], out);
        push_marks(&text[at..start], &mut marks);
        push_other(&text[start..end], out, &mut marks);
        at = end;
    }
    push_ascii(&text[at..], out);
    push_marks(&text[at..], &mut marks);
    if !marks.is_empty() {
        out.push_str(MARKS);
        out.push(' ');
        out.push_str(&marks);
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n')
}

/// Appends the words, the hashtags and the mentions of a text that contains spaces only at its beginning.
fn push_other(text: &str, out: &mut String, marks: &mut String) {
    if text.chars().all(is_simple) {
        push_simple(text, out);
        push_marks(text, marks);
    } else if is_nfkc_quick(text.chars()) == IsNormalized::Yes {
        push_unicode(text, out);
        push_marks(text, marks);
    } else {
        let text: String = text.nfkc().collect();
        push_unicode(&text, out);
        push_marks(&text, marks);
    }
}

/// Whether words that contain `c` can be found without UAX #29, as sequences of letters, digits and underscores. This
/// applies to ASCII, letters of European languages and common punctuation. NFKC does not change these letters.
fn is_simple(c: char) -> bool {
    c.is_ascii()
        || matches!(c, '\u{410}'..='\u{44F}' | 'ё' | 'Ё' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{131}'
            | '\u{134}'..='\u{13E}' | '\u{141}'..='\u{148}' | '\u{14A}'..='\u{17E}')
        || matches!(c, '‘' | '’' | '“' | '”' | '„' | '…' | '–' | '—' | '«' | '»')
}

fn push_simple(text: &str, out: &mut String) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let run = &rest[start..];
        let end = run.find(|c| !is_word(c)).unwrap_or(run.len());
        rest = &run[end..];
        let word = run[..end].trim_matches('_');
        if word.is_empty() {
            continue;
        }
        word.chars().for_each(|c| push_folded(c, out));
        let mut after = rest.chars();
        let is_negation = run[..end].ends_with(['n', 'N'])
            && matches!(after.next(), Some('\'' | '’'))
            && matches!(after.next(), Some('t' | 'T'))
            && !after.next().is_some_and(is_word);
        if is_negation {
            out.push('t');
            rest = after.as_str();
        }
        out.push(' ');
    }
}

/// The normal form of `text`.
pub fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_words(text, &mut out);
    out
}

/// The words of a text in normal form, in order.
pub fn words_of(normal: &str) -> Vec<&str> {
    normal.split(' ').take_while(|word| *word != MARKS).filter(|word| !word.is_empty()).collect()
}

/// `text` in NFKC and folded, for the comparison of names.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    let mut folded = String::with_capacity(text.len());
    text.nfkc().for_each(|c| push_folded(c, &mut folded));
    Cow::Owned(folded)
}

/// Whether a word of a normal form is an emoji.
pub fn is_emoji(word: &str) -> bool {
    word.chars().next().is_some_and(|c| {
        matches!(c, '\u{1F1E6}'..='\u{1F1FF}' | '\u{1F300}'..='\u{1FAFF}' | '\u{2600}'..='\u{27BF}' | '\u{2B50}' | '\u{2B55}'
            | '\u{231A}' | '\u{231B}' | '\u{23E9}'..='\u{23FA}' | '\u{2B05}'..='\u{2B07}' | '\u{2B1B}' | '\u{2B1C}')
    })
}

fn is_ascii_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn push_ascii(text: &str, out: &mut String) {
    let bytes = text.as_bytes();
    let is_word = |at: usize| bytes.get(at).copied().is_some_and(is_ascii_word);
    let mut at = 0;
    while at < bytes.len() {
        if !is_word(at) {
            at += 1;
            continue;
        }
        let start = at;
        while is_word(at) {
            at += 1;
        }
        let word = text[start..at].trim_matches('_');
        if word.is_empty() {
            continue;
        }
        let from = out.len();
        out.push_str(word);
        if is_negation(bytes.get(at - 1).copied(), &bytes[at..]) {
            out.push('t');
            at += 2;
        }
        out[from..].make_ascii_lowercase();
        out.push(' ');
    }
}

/// Whether `'t` follows an `n` and ends the word: `don't` becomes `dont`.
fn is_negation(before: Option<u8>, after: &[u8]) -> bool {
    matches!(before, Some(b'n' | b'N'))
        && matches!(after, [b'\'', b't' | b'T', rest @ ..] if !rest.first().copied().is_some_and(is_ascii_word))
}

fn push_unicode(text: &str, out: &mut String) {
    for piece in text.split_word_bounds() {
        let Some(first) = piece.chars().next() else { continue };
        if piece.chars().any(char::is_alphanumeric) {
            push_piece(piece, out);
        } else if is_symbol(first) {
            let from = out.len();
            out.extend(piece.chars().filter(|c| !is_variant(*c)));
            if out.len() > from {
                out.push(' ');
            }
        }
    }
}

fn push_piece(piece: &str, out: &mut String) {
    let negation = ["n't", "n’t", "N'T", "N’T"].iter().any(|end| piece.ends_with(end));
    let joined: Cow<'_, str> =
        if negation { piece.chars().filter(|c| !matches!(c, '\'' | '’')).collect() } else { piece.into() };
    for word in joined.split(splits_words).map(|word| word.trim_matches('_')).filter(|word| !word.is_empty()) {
        let mut open = false;
        for c in word.chars().filter(|c| !is_variant(*c)) {
            let alone = is_unspaced(c);
            if alone && open {
                out.push(' ');
            }
            let from = out.len();
            push_folded(c, out);
            open = !alone && (open || out.len() > from);
            if alone && out.len() > from {
                out.push(' ');
            }
        }
        if open {
            out.push(' ');
        }
    }
}

/// Appends each hashtag and mention as one word.
fn push_marks(text: &str, out: &mut String) {
    if !text.bytes().any(|byte| matches!(byte, b'#' | b'@')) {
        return;
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut before = None;
    for (at, c) in text.char_indices() {
        let starts = !before.is_some_and(is_word);
        before = Some(c);
        if !starts || !matches!(c, '#' | '@') {
            continue;
        }
        let rest = &text[at + 1..];
        let name = if c == '#' { word_at(rest) } else { handle_at(rest) };
        if name.is_empty() {
            continue;
        }
        out.push(c);
        name.chars().filter(|c| !is_variant(*c)).for_each(|c| push_folded(c, out));
        out.push(' ');
    }
}

fn word_at(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || is_mark(c))).unwrap_or(text.len());
    text[..end].trim_end_matches('_')
}

/// The name of an account at the start of `text`: words that are joined by dots, hyphens or an `@` (`ada.example`,
/// `ada@social.example`). Only host names may contain hyphens.
fn handle_at(text: &str) -> &str {
    let mut end = word_at(text).len();
    while end > 0 {
        let mut rest = text[end..].chars();
        let joins = matches!(rest.next(), Some('.' | '-' | '@'));
        let next = if joins { word_at(rest.as_str()).len() } else { 0 };
        if next == 0 {
            break;
        }
        end += 1 + next;
    }
    let handle = &text[..end];
    if handle.contains('.') { handle } else { handle.split('-').next().unwrap_or(handle) }
}

/// Appends `c` folded: without case, and without the accents of Latin and Greek letters.
fn push_folded(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c.to_ascii_lowercase());
        return;
    }
    match c {
        'а'..='я' => return out.push(c),
        'А'..='Я' => return out.extend(char::from_u32(u32::from(c) + 32)),
        _ if is_ignored(c) => return,
        // These scripts have no case and no accents.
        _ if is_unspaced(c) => return out.push(c),
        _ => {}
    }
    // Lower, upper and lower case in this order give the same result for ß, ẞ and SS, for σ and ς, and for ſ and s.
    for c in c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase) {
        let mut base = None;
        let mut accents = false;
        decompose_canonical(c, |part| {
            if base.is_none() {
                base = Some(part);
            }
            accents |= is_mark(part);
        });
        match base {
            Some('е') if c == 'ё' => out.push('е'),
            Some(base) if is_mark(base) => {}
            Some(base) if accents && (base.is_ascii_alphabetic() || matches!(base, '\u{370}'..='\u{3FF}')) => {
                out.push(base);
            }
            _ => out.push(c),
        }
    }
}

/// A combining diacritical mark.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// Characters that are ignored: Arabic and Hebrew vowel signs, and the tatweel, which only lengthens words.
fn is_ignored(c: char) -> bool {
    matches!(c, '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}' | '\u{5C2}' | '\u{640}' | '\u{64B}'..='\u{652}' | '\u{670}')
}

/// Whether `c` selects a variant of the preceding character, such as its colour or skin tone.
fn is_variant(c: char) -> bool {
    matches!(c, '\u{FE0E}' | '\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}')
}

/// Whether `c` is a character of Han, kana or Hangul. Each of these characters is one word.
pub fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11FF}' | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30FF}' | '\u{3130}'..='\u{318F}'
        | '\u{31F0}'..='\u{31FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}'
        | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}')
}

/// Characters that UAX #29 allows inside words but that separate words here.
fn splits_words(c: char) -> bool {
    (c.is_ascii_punctuation() && c != '_') || matches!(c, '·' | '‘' | '’' | '‧' | '․')
}

/// Emoji and other symbols that users search for, without punctuation.
fn is_symbol(c: char) -> bool {
    !c.is_ascii()
        && !c.is_whitespace()
        && !c.is_control()
        && !is_mark(c)
        && !matches!(c, '\u{A1}'..='\u{BF}' | '\u{2000}'..='\u{206F}' | '\u{3000}'..='\u{303F}' | '\u{FE00}'..='\u{FE6F}'
            | '\u{FF00}'..='\u{FF0F}' | '\u{FF1A}'..='\u{FF20}' | '\u{FF3B}'..='\u{FF40}' | '\u{FF5B}'..='\u{FF65}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn normal_form_separates_and_folds_words_of_any_script() {
        for (text, expected) in [
            ("I love the ACME-Phone!", " i love the acme phone "),
            ("#Acme, @ada.b and a#b me@acme.com", " acme ada b and a b me acme com \u{1} #acme @ada.b "),
            ("@acme-fans of @acme.evil.example.", " acme fans of acme evil example \u{1} @acme @acme.evil.example "),
            ("don't Don’t can't __init__ 3.14", " dont dont cant init 3 14 "),
            ("acme's L’Oréal", " acme s l oreal "),
            ("STRAẞE straße STRASSE ΟΔΟΣ οδός", " strasse strasse strasse οδοσ οδοσ "),
            ("Cafe\u{301} CAFÉ cafe", " cafe cafe cafe "),
            ("ＡＣＭＥ İSTANBUL ﬁne", " acme istanbul fine "),
            ("мой ёж", " мой еж "),
            ("東京#東京", " 東 京 東 京 "),
            ("アイスコーヒー ｺｰﾋｰ", " ア イ ス コ ー ヒ ー コ ー ヒ ー "),
            ("삼성이 좋아", " 삼 성 이 좋 아 "),
            ("I ❤️ #東京 👍🏽", " i ❤ 東 京 👍 \u{1} #東京 "),
            ("привет,Мир…", " привет мир "),
            ("", " "),
        ] {
            assert_eq!(normal(text), expected, "{text:?}");
        }
    }

    /// Reference implementation: converts the whole text at once by the rules of Unicode, without the fast path.
    fn plainly(text: &str) -> String {
        let text: String = text.nfkc().collect();
        let (mut words, mut marks) = (" ".to_owned(), String::new());
        push_unicode(&text, &mut words);
        push_marks(&text, &mut marks);
        if marks.is_empty() { words } else { format!("{words}{MARKS} {marks}") }
    }

    proptest! {
        #[test]
        fn normal_form_of_parts_equals_that_of_the_whole_text(
            text in "(ab|Don|['’]t|é|Ж|ё|ß|#|@|_|\\.|…|—|“|日|コ|👍🏽|\u{301}|ﬁ|¼|Ａ|\u{A0}|\u{200D}|\n|1|-| ){0,24}") {
            prop_assume!(!negates_inside(&text));
            prop_assert_eq!(normal(&text), plainly(&text), "{:?}", text);
        }
    }

    /// Whether a text has a word with two apostrophes, or with an apostrophe and a dot. The fast path and UAX #29 may
    /// split these words differently.
    fn negates_inside(text: &str) -> bool {
        let negates_inside = |word: &str| {
            let apostrophes = word.matches(['\'', '’']).count();
            apostrophes > 1 || apostrophes == 1 && word.contains('.')
        };
        text.nfkc().collect::<String>().split([' ', '\n']).any(negates_inside)
    }

    #[test]
    fn ascii_path_gives_the_same_words_as_the_unicode_path() {
        for text in
            ["I don't like @ada.b's C++, it isn't #1 _x_ a__b", "can't 't n't 'n' don'ts", "AT&T 24/7 state-of-the-art"]
        {
            let (mut ascii, mut unicode) = (String::new(), String::new());
            push_ascii(text, &mut ascii);
            push_unicode(text, &mut unicode);
            assert_eq!(ascii, unicode, "{text:?}");
        }
    }
}
