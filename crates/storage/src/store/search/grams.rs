//! Grams: short pieces of a text, with which any part of a word can be found.
//!
//! A text is converted to lower case and split into runs of letters and digits. In most scripts the runs are cut into
//! pieces of three characters, one at each position. Scripts that do not separate words are cut into pieces of two,
//! because their words are short. Each symbol is a piece, and forms a further piece of two characters with each
//! neighbour. A word of medium length is also one gram as a whole, so that the texts of most posts with the word need
//! not be searched.

/// The number of characters of a gram in most scripts.
pub const WIDTH: usize = 3;
/// The minimum length of a part of a word that the index can find in most scripts. Single characters that are not ASCII
/// letters can also be found.
pub const SHORTEST: usize = 2;
/// The number of characters of a gram in scripts without spaces between words.
pub const DENSE: usize = 2;
/// The lengths of the words that are also one gram as a whole. A shorter word is a single piece and therefore a gram
/// already. Longer words are rare.
const WORDS: std::ops::RangeInclusive<usize> = WIDTH + 1..=24;
/// The first character of a gram that is a whole word. It distinguishes the word from a piece of another word.
const WORD: char = '\u{E000}';
/// The gram that marks posts on Postgres whose grams have the current format.
pub const FORMAT: char = '\u{E001}';
/// SQLite's tokenizer drops ASCII symbols. Each ASCII symbol is therefore replaced by the private-use character with
/// this code plus the code of the symbol.
const SYMBOLS: u32 = 0xE000;
const RESERVED: std::ops::RangeInclusive<u32> = SYMBOLS..=SYMBOLS + 0x7F;

/// The grams of `text`, each once, separated by spaces.
pub fn grams(text: &str) -> String {
    let folded = fold(text);
    let mut grams: Vec<u128> = Vec::with_capacity(folded.len() * 5 / 4);
    let mut words: Vec<&str> = Vec::new();
    let mut starts: Vec<usize> = Vec::new();
    for run in runs(&folded) {
        let width = width(run);
        starts.clear();
        starts.extend(run.char_indices().map(|(at, _)| at));
        for (index, &start) in starts.iter().enumerate() {
            let end = starts.get(index + width).copied().unwrap_or(run.len());
            // The pieces at the end of a run are shorter. A shorter piece is stored only if a search for so few
            // characters is possible.
            if starts.len() - index >= SHORTEST.min(width) || width == DENSE || is_found_alone(&run[start..]) {
                grams.push(rank(run[start..end].chars()));
            }
        }
        if width == WIDTH && WORDS.contains(&starts.len()) {
            words.push(run);
        }
    }
    symbol_pieces(&folded, |piece| grams.push(rank(piece.iter().copied())));
    grams.sort_unstable();
    grams.dedup();
    words.sort_unstable();
    words.dedup();
    write(&grams, &words)
}

fn write(grams: &[u128], words: &[&str]) -> String {
    let words_length: usize = words.iter().map(|word| word.len() + 4).sum();
    let mut list = String::with_capacity(grams.len() * 5 + words_length);
    for gram in grams {
        if !list.is_empty() {
            list.push(' ');
        }
        let bytes = gram.to_be_bytes();
        let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        list.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    for word in words {
        if !list.is_empty() {
            list.push(' ');
        }
        list.push(WORD);
        list.push_str(word);
    }
    list
}

/// Converts a gram to a number with the same order as its bytes. A gram has at most three characters of four bytes,
/// none of them zero.
fn rank(gram: impl Iterator<Item = char>) -> u128 {
    let mut bytes = [0; size_of::<u128>()];
    let mut length = 0;
    for c in gram {
        length += c.encode_utf8(&mut bytes[length..]).len();
    }
    u128::from_be_bytes(bytes)
}

/// The gram that represents the whole word `run`; `None` if the word is too short or too long for such a gram.
pub fn whole_word(run: &str) -> Option<String> {
    (width(run) == WIDTH && WORDS.contains(&run.chars().count())).then(|| format!("{WORD}{run}"))
}

/// Passes the pieces of `text` that contain a symbol to `push`: each symbol, and each pair of adjacent characters that
/// contains a symbol.
pub fn symbol_pieces(text: &str, mut push: impl FnMut(&[char])) {
    let mut before: Option<char> = None;
    for c in text.chars() {
        let symbol = is_symbol(c);
        let coded = coded(c);
        if symbol {
            push(&[coded]);
        }
        if let Some(before) = before
            && (symbol || (c.is_alphanumeric() && !before.is_alphanumeric()))
        {
            push(&[before, coded]);
        }
        before = (symbol || c.is_alphanumeric()).then_some(coded);
    }
}

/// Whether `c` is a symbol: not a letter, digit, space or control character.
fn is_symbol(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation();
    }
    !c.is_alphanumeric() && !c.is_whitespace() && !c.is_control() && !RESERVED.contains(&u32::from(c))
}

fn coded(c: char) -> char {
    if c.is_ascii_punctuation() { char::from_u32(SYMBOLS + u32::from(c)).unwrap_or(c) } else { c }
}

/// Whether `piece` is one character that can be searched alone. ASCII letters cannot be searched alone, because almost
/// every text contains them.
pub fn is_found_alone(piece: &str) -> bool {
    let mut chars = piece.chars();
    chars.next().is_some_and(|c| !c.is_ascii_alphabetic()) && chars.next().is_none()
}

/// Converts to lower case. The final form of the Greek sigma is replaced by the normal form.
pub fn fold(text: &str) -> String {
    let lower = text.to_lowercase();
    if lower.contains('ς') { lower.replace('ς', "σ") } else { lower }
}

/// The runs of letters and digits. A run does not mix scripts with and without spaces between words.
pub fn runs(text: &str) -> impl Iterator<Item = &str> {
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

/// The number of characters of the grams of `run`.
pub fn width(run: &str) -> usize {
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
    use super::*;

    #[test]
    fn grams_of_a_text_depend_on_its_script() {
        assert_eq!(grams("Phone 5G"), "5g hon ne one pho \u{E000}phone");
        assert_eq!(grams("東京で"), "で 京で 東京");
        assert_eq!(grams("a b"), "");
        assert_eq!(grams("c++ — 🙂"), "c\u{E02B} — \u{E02B} \u{E02B}\u{E02B} 🙂");
        assert_eq!(grams("né 7"), "7 né é");
    }
}
