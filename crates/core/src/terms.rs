//! Extracts words, hashtags and phrases from texts, and finds those that distinguish one set of posts from another.

pub mod stop_words;
pub mod text;
pub mod vocabulary;

use std::cmp::Ordering;
use std::collections::HashSet;

use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;
use vocabulary::Vocabulary;

/// The minimum number of posts of the window that contain a term. Rarer terms are not significant, and might reveal the
/// text of a single post that is deleted later.
const LEAST_POSTS: u32 = 3;
/// The minimum score: the 97.5 % quantile of the standard normal distribution. Smaller differences may be random.
const LEAST_SCORE: f64 = 1.96;
/// The weight of the prior, as a share of the number of compared terms, and the maximum of this weight. A fixed weight
/// would dominate the few terms of a small window.
const PRIOR_SHARE: f64 = 0.1;
const MOST_PRIOR: f64 = 500.0;
/// The minimum number of characters of a word that is a term.
const LEAST_CHARS: usize = 3;
/// The lengths of terms in scripts without spaces, in characters.
const GRAMS: std::ops::RangeInclusive<usize> = 2..=4;
/// Overlapping terms whose counts differ by at most this factor are treated as one term.
const SAME_COUNT: f64 = 1.25;

/// A term that is more frequent than usual.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Term {
    /// The term in lower case: a word, two words, a hashtag with `#`, or a run of characters.
    pub term: String,
    /// The difference of the log-odds, in standard deviations.
    pub score: f64,
    /// The number of posts of the window that contain the term.
    pub count: u32,
    /// The number of posts of the baseline that contain the term.
    pub baseline_count: u32,
}

/// The words of `text` in order and in lower case, without links, hashtags, account names and words with digits.
pub fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    each_word(text, &mut |word| found.push(word.to_owned()));
    found
}

fn each_word(text: &str, push: &mut impl FnMut(&str)) {
    let mut lower = String::new();
    let plain =
        text.split_whitespace().filter(|part| !part.contains("://") && !part.starts_with(['@', '#', '＃', '＠']));
    for word in plain.flat_map(UnicodeSegmentation::unicode_words) {
        lower.clear();
        if word.is_ascii() {
            lower.push_str(word);
            lower.make_ascii_lowercase();
        } else {
            lower.push_str(&word.to_lowercase());
        }
        if !lower.contains(char::is_numeric) {
            push(&lower);
        }
    }
}

/// Passes the terms of `text` to `push`, some of them repeatedly: words of at least three characters, hashtags, pairs
/// of adjacent words, and runs of two to four characters in scripts without spaces.
fn each_term(text: &str, push: &mut impl FnMut(&str)) {
    let parts = text.split_whitespace().filter(|part| !part.contains("://") && !part.starts_with(['@', '＠']));
    for part in parts {
        if let Some(tag) = part.strip_prefix(['#', '＃']) {
            let tag: String = tag.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if tag.chars().count() >= 2 {
                push(&format!("#{}", tag.to_lowercase()));
            }
        }
    }
    let plain = text.split_whitespace().filter(|part| !part.contains("://")).collect::<Vec<_>>().join(" ");
    for sentence in plain.split(['.', '!', '?', ';', '\n', '。', '！', '？']) {
        each_term_of_sentence(sentence, push);
    }
}

fn each_term_of_sentence(sentence: &str, push: &mut impl FnMut(&str)) {
    // The preceding word and a space, to which the current word is appended to form a pair; empty without a preceding
    // word.
    let mut pair = String::new();
    let mut is_long_before = false;
    let mut run = Vec::new();
    each_word(sentence, &mut |word| {
        if word.chars().all(is_unspaced) {
            pair.clear();
            run.extend(word.chars());
            return;
        }
        push_grams(&run, push);
        run.clear();
        let is_long = word.chars().nth(LEAST_CHARS - 1).is_some();
        if !pair.is_empty() && (is_long_before || is_long) {
            pair.push_str(word);
            push(&pair);
        }
        if is_long {
            push(word);
        }
        pair.clear();
        pair.push_str(word);
        pair.push(' ');
        is_long_before = is_long;
    });
    push_grams(&run, push);
}

fn push_grams(run: &[char], push: &mut impl FnMut(&str)) {
    for length in GRAMS {
        run.windows(length).for_each(|gram| push(&gram.iter().collect::<String>()));
    }
}

/// Whether the script of `c` does not put spaces between words: Han, kana, Thai, Lao, Khmer and Burmese.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{FF66}'..='\u{FF9F}' | '\u{20000}'..='\u{323AF}')
}

/// The number of posts that contain a term, in the window and in the baseline.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    window: u32,
    baseline: u32,
}

/// At most `most` terms: those whose frequency in `window` exceeds their frequency in `baseline` by the most standard
/// deviations.
///
/// `window` and `baseline` contain one list per post: the numbers of its terms in `vocabulary`. The score is the
/// log-odds ratio with an informative Dirichlet prior, computed from the terms of both sets (Monroe, Colaresi and
/// Quinn, "Fightin' Words", Political Analysis 16, 2008, equations 16, 20 and 21). If several terms overlap and have
/// about equal frequencies, only the term with the highest score is returned.
pub fn distinctive(window: &[Vec<u32>], baseline: &[Vec<u32>], vocabulary: &Vocabulary, most: usize) -> Vec<Term> {
    let mut counts = vec![Seen::default(); vocabulary.len()];
    for seen in window.iter().flatten().filter_map(|term| usize::try_from(*term).ok()) {
        counts[seen].window += 1;
    }
    for seen in baseline.iter().flatten().filter_map(|term| usize::try_from(*term).ok()) {
        counts[seen].baseline += 1;
    }
    let sum = |of: fn(&Seen) -> u32| counts.iter().map(|seen| f64::from(of(seen))).sum::<f64>();
    let (now, before) = (sum(|seen| seen.window), sum(|seen| seen.baseline));
    let weight = ((now + before) * PRIOR_SHARE).min(MOST_PRIOR);
    let log_odds = |count: f64, prior: f64, all: f64| ((count + prior) / (all + weight - count - prior)).ln();
    let score = |seen: Seen| {
        let (count, baseline_count) = (f64::from(seen.window), f64::from(seen.baseline));
        let prior = weight * (count + baseline_count) / (now + before);
        let difference = log_odds(count, prior, now) - log_odds(baseline_count, prior, before);
        let variance = 1.0 / (count + prior) + 1.0 / (baseline_count + prior);
        difference / variance.sqrt()
    };
    let mut terms: Vec<Term> = (0..)
        .zip(counts)
        .filter(|(_, seen)| seen.window >= LEAST_POSTS)
        .map(|(number, seen)| Term {
            term: vocabulary.term(number).to_owned(),
            score: (score(seen) * 100.0).round() / 100.0,
            count: seen.window,
            baseline_count: seen.baseline,
        })
        .filter(|term| term.score >= LEAST_SCORE)
        .collect();
    let length = |term: &Term| term.term.chars().count();
    terms.sort_by(|one, other| match other.score.total_cmp(&one.score) {
        Ordering::Equal => (length(other), &one.term).cmp(&(length(one), &other.term)),
        order => order,
    });
    let mut kept: Vec<Term> = Vec::with_capacity(most);
    for term in terms {
        if kept.len() >= most {
            break;
        }
        if !kept.iter().any(|other| is_same(&term, other)) {
            kept.push(term);
        }
    }
    kept
}

/// Whether two terms overlap and have about equal frequencies.
fn is_same(one: &Term, other: &Term) -> bool {
    let (less, more) = (one.count.min(other.count), one.count.max(other.count));
    if f64::from(more) > f64::from(less) * SAME_COUNT {
        return false;
    }
    let (short, long) =
        if one.term.len() < other.term.len() { (&one.term, &other.term) } else { (&other.term, &one.term) };
    if short.chars().all(is_unspaced) && long.chars().all(is_unspaced) {
        return shares_characters(short, long);
    }
    let words: HashSet<&str> = long.split(' ').collect();
    short.trim_start_matches('#').split(' ').any(|word| words.contains(word) || *long == format!("#{word}"))
}

/// Whether one text contains the other, or the end of one overlaps the beginning of the other by at least two
/// characters.
fn shares_characters(short: &str, long: &str) -> bool {
    if long.contains(short) {
        return true;
    }
    let (short, long): (Vec<char>, Vec<char>) = (short.chars().collect(), long.chars().collect());
    (2..short.len()).any(|shared| long.ends_with(&short[..shared]) || long.starts_with(&short[short.len() - shared..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts, each with the number of its copies.
    type Texts<'a> = &'a [(usize, &'a str)];

    fn found(window: Texts<'_>, baseline: Texts<'_>, most: usize) -> Vec<String> {
        let mut vocabulary = Vocabulary::default();
        let mut terms = |texts: Texts<'_>| -> Vec<Vec<u32>> {
            texts.iter().flat_map(|(count, text)| vec![vocabulary.telling(text); *count]).collect()
        };
        let (window, baseline) = (terms(window), terms(baseline));
        distinctive(&window, &baseline, &vocabulary, most).into_iter().map(|term| term.term).collect()
    }

    #[test]
    fn new_words_are_distinctive_and_common_words_are_not() {
        let window = [
            (30, "the new update broke checkout @you https://x.example/1 2026"),
            (12, "my checkout: again trouble"),
            (20, "the weather is nice"),
        ];
        let baseline = [(200, "the weather is nice today"), (40, "the new train is late")];
        let names = found(&window, &baseline, 10);
        assert!(names[..4].iter().any(|term| term.contains("checkout")), "{names:?}");
        assert!(names[..4].iter().any(|term| term.contains("update")), "{names:?}");
        assert!(!names.iter().any(|term| ["the", "weather", "nice", "is nice"].contains(&term.as_str())), "{names:?}");
        assert!(found(&[(2, "broken")], &baseline, 10).is_empty(), "two posts are below LEAST_POSTS");
        assert!(found(&[], &[], 10).is_empty());
    }

    #[test]
    fn hashtags_word_pairs_and_unspaced_characters_are_terms() {
        let window = [
            (20, "boycott now #AcmeFail, customer service is gone"),
            (20, "新しいアプリが起動しない"),
            (20, "客服态度很差"),
        ];
        let names = found(&window, &[(300, "good morning everyone"), (100, "今日はいい天気ですね")], 12);
        assert!(names.iter().any(|term| term == "#acmefail"), "{names:?}");
        assert!(names.iter().any(|term| term == "customer service"), "{names:?}");
        assert!(names.iter().any(|term| term.contains("起動")), "{names:?}");
        assert!(names.iter().any(|term| term.contains("客服") || term.contains("态度")), "{names:?}");
    }

    #[test]
    fn overlapping_terms_of_the_same_posts_are_listed_once() {
        assert_eq!(found(&[(20, "customer service")], &[(300, "good morning everyone")], 10), ["customer service"]);
    }
}
