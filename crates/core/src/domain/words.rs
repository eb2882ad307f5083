//! Finds whole words in texts, for filters.

/// Whether a word that begins or ends with `c` needs a word boundary next to `c`. This applies to letters and digits
/// below U+1100, because most scripts above, such as Chinese and Japanese, do not separate words.
pub fn is_bounded(c: char) -> bool {
    c.is_alphanumeric() && c < '\u{1100}'
}

/// Whether `text` contains `word`, which must be in lower case, as a whole word.
pub fn holds_word(text: &str, word: &str) -> bool {
    let text = text.to_lowercase();
    let (first, last) = (word.chars().next(), word.chars().next_back());
    text.match_indices(word).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        let joins =
            |edge: Option<char>, next: Option<char>| edge.is_some_and(is_bounded) && next.is_some_and(is_bounded);
        !joins(first, before) && !joins(last, after)
    })
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
        ] {
            assert_eq!(holds_word(text, word), expected, "{word} in {text}");
        }
    }
}
