//! Finds the parts of a text around a mention. Sentences and words follow the rules of Unicode (UAX #29); clauses end
//! at punctuation, conjunctions and words of contrast.

use std::cell::OnceCell;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// The minimum number of words of a clause. A shorter part is joined with the adjacent clause.
const LEAST_WORDS: usize = 3;
/// The number of words on each side of a mention that count as nearest words.
const NEAR: usize = 5;

/// Where a sentence is divided into clauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// A sentence is divided at semicolons, colons, dashes, ellipses and words of contrast.
    Wide,
    /// A sentence is also divided at commas, parentheses, conjunctions and relative pronouns.
    Narrow,
}

/// Words that begin a clause that contrasts with the preceding clause.
const CONTRASTS: [&str; 12] = [
    "but",
    "however",
    "although",
    "though",
    "while",
    "whereas",
    "yet",
    "except",
    "despite",
    "unlike",
    "nevertheless",
    "nonetheless",
];
/// Other words that begin a clause.
const CONJUNCTIONS: [&str; 14] = [
    "and", "or", "because", "since", "so", "which", "who", "when", "where", "if", "unless", "until", "after", "before",
];
/// Words at the beginning of a sentence that usually refer to something in the preceding sentence.
const PRONOUNS: [&str; 15] = [
    "it",
    "its",
    "it's",
    "it’s",
    "they",
    "their",
    "them",
    "they're",
    "they’re",
    "he",
    "she",
    "his",
    "her",
    "this",
    "these",
];

/// Abbreviations that end with a dot and often precede a capitalised word, so that the dot does not end a sentence.
const ABBREVIATIONS: [&str; 22] = [
    "Mr", "Mrs", "Ms", "Dr", "Prof", "Sen", "Sens", "Rep", "Reps", "Gov", "Gen", "Col", "Lt", "Sgt", "Capt", "Rev",
    "Hon", "St", "Jr", "Sr", "vs", "U.S",
];

/// A text and its sentences. The sentences are found at the first use.
pub struct Sentences<'t> {
    text: &'t str,
    ranges: OnceCell<Vec<Range<usize>>>,
    /// The position of the tags after the last sentence; see [`tags_after`].
    tags: OnceCell<usize>,
}

impl<'t> Sentences<'t> {
    /// The sentences of `text`.
    pub fn of(text: &'t str) -> Self {
        Self { text, ranges: OnceCell::new(), tags: OnceCell::new() }
    }

    /// The text.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    fn ranges(&self) -> &[Range<usize>] {
        self.ranges.get_or_init(|| sentences(self.text))
    }

    /// The sentence that contains `mention`.
    fn around(&self, mention: &Range<usize>) -> Range<usize> {
        let mut around = self.ranges().iter().filter(|range| range.start < mention.end.max(mention.start + 1));
        let last = around.clone().next_back().map_or(self.text.len(), |range| range.end);
        let first = around.find(|range| range.end > mention.start).map_or(0, |range| range.start);
        first..last
    }

    /// The clause around `mention`, without spaces and separators at its ends.
    pub(super) fn clause(&self, mention: &Range<usize>, width: Width) -> Range<usize> {
        let text = self.text;
        let sentence = self.around(mention);
        // The clauses, each with the number of its words. Counting the words of a growing clause again would take
        // quadratic time.
        let mut clauses: Vec<(Range<usize>, usize)> = Vec::new();
        for piece in pieces(text, &sentence, width) {
            let more = text[piece.clone()].unicode_words().count();
            match clauses.last_mut() {
                Some((last, words)) if *words < LEAST_WORDS || more < LEAST_WORDS => {
                    last.end = piece.end;
                    *words += more;
                }
                _ => clauses.push((piece, more)),
            }
        }
        let clauses = clauses.iter().map(|(clause, _)| clause);
        let mut around = clauses.filter(|clause| clause.start < mention.end && mention.start < clause.end);
        let Some(first) = around.next() else { return trimmed(text, sentence) };
        let end = around.next_back().map_or(first.end, |last| last.end);
        trimmed(text, first.start..end)
    }

    /// The words around `mention`, within its sentence.
    pub(super) fn nearby(&self, mention: &Range<usize>) -> Range<usize> {
        let text = self.text;
        let sentence = self.around(mention);
        let words: Vec<Range<usize>> = word_ranges(text, &sentence).collect();
        let before: Vec<&Range<usize>> = words.iter().filter(|word| word.end <= mention.start).collect();
        let after: Vec<&Range<usize>> = words.iter().filter(|word| word.start >= mention.end).collect();
        let start = if before.len() > NEAR { before[before.len() - NEAR].start } else { sentence.start };
        let end = if after.len() > NEAR { after[NEAR - 1].end } else { sentence.end };
        trimmed(text, start..end.max(mention.end.min(text.len())))
    }

    /// Whether `mention` is in a sentence that consists only of tags (hashtags, names with `@` and links), or in the
    /// tags after the last sentence. (By UAX #29, a dot before a lower-case letter, as in `. #acme`, does not end a
    /// sentence.)
    pub(super) fn is_only_tags(&self, mention: &Range<usize>) -> bool {
        let tags = *self.tags.get_or_init(|| tags_after(self.text));
        mention.start >= tags || self.text[self.around(mention)].split_whitespace().all(is_tag)
    }

    /// The pronoun at the beginning of the sentence after `mention`, which probably refers to the mention; `None` if
    /// the sentence begins with another word.
    pub(super) fn pronoun_after(&self, mention: &Range<usize>) -> Option<Range<usize>> {
        let next = self.ranges().iter().find(|range| range.start >= mention.end)?;
        let word = word_ranges(self.text, next).next()?;
        PRONOUNS.contains(&&*self.text[word.clone()].to_lowercase()).then_some(word)
    }
}

/// The sentences of a text. A line break ends a sentence too; a dot after an abbreviation does not.
fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut sentences: Vec<Range<usize>> = Vec::new();
    for (start, part) in text.split_sentence_bound_indices() {
        let end = start + part.len();
        match sentences.last_mut().filter(|last| ends_abbreviated(&text[last.start..last.end])) {
            Some(last) => last.end = end,
            None => sentences.push(start..end),
        }
    }
    sentences
}

/// The position in bytes at which the tags (hashtags, names with `@` and links) after the last sentence begin. The
/// length of the text if there are no tags, or they continue a sentence.
fn tags_after(text: &str) -> usize {
    let mut before = text.trim_end();
    let mut start = text.len();
    while let Some(token) = before.split_whitespace().next_back().filter(|token| is_tag(token)) {
        start = before.len() - token.len();
        before = before[..start].trim_end();
    }
    let ends_sentence =
        before.trim_end_matches(['"', '”', '’', '\'', ')']).ends_with(['.', '!', '?', '…', '。', '！', '？']);
    let is_apart = before.is_empty() || ends_sentence || text[before.len()..start].contains('\n');
    if is_apart { start } else { text.len() }
}

/// Whether a part of a text between spaces is a hashtag, a name with `@` or a link, or has no letters and digits. In
/// scripts without spaces, a sentence can follow a tag directly. Therefore a name must be ASCII, and a hashtag must not
/// contain punctuation other than `_`, `-` and `#`.
fn is_tag(token: &str) -> bool {
    let is_link = token.starts_with("http://") || token.starts_with("https://");
    let token = token.trim_start_matches(['(', '[', '"', '“']);
    let token = token.trim_end_matches(|c: char| c.is_ascii_punctuation() || matches!(c, '…' | '”'));
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@');
    let ends_hashtag = |c: char| match c {
        '_' | '-' | '#' | '＃' => false,
        '。' | '，' | '、' | '！' | '？' | '；' | '：' => true,
        c => c.is_ascii_punctuation(),
    };
    let is_tag = match token.strip_prefix(['@', '＠']) {
        Some(name) => name.chars().all(is_in_name),
        None => token.strip_prefix(['#', '＃']).is_some_and(|name| !name.contains(ends_hashtag)),
    };
    is_link || is_tag || !token.contains(char::is_alphanumeric)
}

/// Whether the dot at the end of `part` belongs to an abbreviation or an initial.
fn ends_abbreviated(part: &str) -> bool {
    let Some(rest) = part.trim_end_matches(' ').strip_suffix('.') else { return false };
    let is_edge = |c: char| c.is_whitespace() || matches!(c, '(' | '"' | '“' | '‘');
    let word = rest.rsplit(is_edge).next().unwrap_or_default();
    word.chars().count() == 1 && word.chars().all(char::is_uppercase) || ABBREVIATIONS.contains(&word)
}

/// Divides a sentence into clauses.
fn pieces(text: &str, sentence: &Range<usize>, width: Width) -> Vec<Range<usize>> {
    let tokens: Vec<(usize, &str)> = text[sentence.clone()].split_word_bound_indices().collect();
    let is = |index: Option<usize>, wanted: &dyn Fn(&str) -> bool| {
        index.and_then(|index| tokens.get(index)).is_some_and(|(_, token)| wanted(token))
    };
    let (mut pieces, mut start) = (Vec::new(), sentence.start);
    for (index, (at, token)) in tokens.iter().enumerate() {
        let at = sentence.start + at;
        let ends_piece = match *token {
            ";" | ":" | "—" | "–" | "…" | "；" | "：" => true,
            "," | "，" | "、" | "(" | ")" => width == Width::Narrow,
            "-" => {
                let is_edge = |token: &str| token == "-" || token.chars().all(char::is_whitespace);
                is(index.checked_sub(1), &is_edge) || is(Some(index + 1), &|token| token == "-")
            }
            "." => is(Some(index + 1), &|token| token == "."),
            _ => false,
        };
        if ends_piece {
            pieces.push(start..at + token.len());
            start = at + token.len();
        } else if begins_clause(token, width) && at > start {
            pieces.push(start..at);
            start = at;
        }
    }
    if start < sentence.end {
        pieces.push(start..sentence.end);
    }
    pieces
}

fn begins_clause(token: &str, width: Width) -> bool {
    let among = |list: &[&str]| list.iter().any(|word| word.eq_ignore_ascii_case(token));
    among(&CONTRASTS) || width == Width::Narrow && among(&CONJUNCTIONS)
}

fn word_ranges<'t>(text: &'t str, range: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<'t> {
    let start = range.start;
    text[range.clone()].unicode_word_indices().map(move |(at, word)| start + at..start + at + word.len())
}

/// `range` without spaces and separators at its ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let is_edge =
        |c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '—' | '–' | '-' | '，' | '；' | '：' | '、');
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start_matches(is_edge).len());
    let end = range.end - (part.len() - part.trim_end_matches(is_edge).len());
    if start < end { start..end } else { range }
}
