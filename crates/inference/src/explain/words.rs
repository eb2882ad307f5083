//! Splits a text into the words of an explanation.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// Divides `text` into at most `max` ranges of bytes that contain all its words, in order. A range is one word, or
/// several adjacent words if there are more than `max` words.
///
/// The following count as words: words by the rules of Unicode (UAX #29), with a leading `#` or `@`; whole URLs; emoji;
/// and punctuation that expresses sentiment: `!`, `?`, or several consecutive marks (`:)`, `...`).
pub fn parts(text: &str, max: usize) -> Vec<Range<usize>> {
    let words = words(text);
    let together = words.len().div_ceil(max.max(1)).max(1);
    words.chunks(together).map(|chunk| chunk[0].start..chunk[chunk.len() - 1].end).collect()
}

fn words(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for chunk in text.split_whitespace() {
        let start = chunk.as_ptr() as usize - text.as_ptr() as usize;
        if ["http://", "https://", "www."].iter().any(|prefix| chunk.starts_with(prefix)) {
            words.push(start..start + chunk.len());
        } else {
            words.extend(chunk_words(chunk).into_iter().map(|word| start + word.start..start + word.end));
        }
    }
    words
}

fn chunk_words(chunk: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut marks: Option<Range<usize>> = None;
    for (at, segment) in chunk.split_word_bound_indices() {
        let end = at + segment.len();
        if !segment.contains(char::is_alphanumeric) {
            marks = Some(marks.map_or(at, |marks| marks.start)..end);
            continue;
        }
        let mut start = at;
        if let Some(mut before) = marks.take() {
            if chunk[before.clone()].ends_with(['#', '@']) {
                start -= 1;
                before.end -= 1;
            }
            words.extend(emotive_marks(chunk, before));
        }
        words.push(start..end);
    }
    words.extend(marks.and_then(|marks| emotive_marks(chunk, marks)));
    words
}

/// The range of punctuation within `marks` that expresses sentiment; `None` if there is none.
fn emotive_marks(chunk: &str, marks: Range<usize>) -> Option<Range<usize>> {
    let text = &chunk[marks.clone()];
    let mut chars = text.chars();
    let alone = (chars.next(), chars.next());
    let plain = match alone {
        (None, _) => true,
        (Some(mark), None) => is_plain(mark),
        _ => false,
    };
    (!plain).then_some(marks)
}

fn is_plain(mark: char) -> bool {
    (mark.is_ascii_punctuation() && !matches!(mark, '!' | '?'))
        || matches!(mark, '…' | '’' | '‘' | '“' | '”' | '«' | '»' | '–' | '—' | '。' | '、' | '，')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, max: usize) -> Vec<&str> {
        parts(text, max).into_iter().map(|part| &text[part]).collect()
    }

    #[test]
    fn hashtags_urls_and_emoticons_are_single_words() {
        assert_eq!(
            shown("I can't  stand, #acme's new “phone” :( https://a.example/b?c=d 😡😡!", 99),
            ["I", "can't", "stand", "#acme's", "new", "phone", ":(", "https://a.example/b?c=d", "😡😡!"]
        );
        assert_eq!(shown("(@ada) why?! me.", 99), ["@ada", "why", "?!", "me"]);
        assert_eq!(shown("我很高兴。", 99).concat(), "我很高兴");
        assert_eq!(shown(" . , ", 99), Vec::<&str>::new());
    }

    #[test]
    fn words_above_the_maximum_are_grouped() {
        assert_eq!(shown("a b c d e, f g.", 3), ["a b c", "d e, f", "g"]);
        assert_eq!(shown("a b", 3), ["a", "b"]);
    }

    proptest::proptest! {
        #[test]
        fn explanation_parts_are_ordered_within_any_text(text in ".{0,80}", max in 1_usize..9) {
            let parts = parts(&text, max);
            proptest::prop_assert!(parts.len() <= max);
            let mut end = 0;
            for part in parts {
                proptest::prop_assert!(part.start >= end && part.end > part.start);
                proptest::prop_assert!(text.get(part.clone()).is_some());
                end = part.end;
            }
        }
    }
}
