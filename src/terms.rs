//! Extracts words, hashtags and phrases from texts, and finds those that distinguish one set of posts from another.

pub mod stop_words;
pub mod text;

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;
use stop_words::is_stop_term;
use unicode_segmentation::UnicodeSegmentation;

/// Terms with fewer posts are left out: they are not significant, and might reveal a single post that is deleted later.
const LEAST_POSTS: u32 = 3;
/// The least score, which is the 97.5 % quantile of the normal distribution. Smaller differences may be random.
const LEAST_SCORE: f64 = 1.96;
/// The weight of the prior as a share of the compared terms, and its upper limit in terms. A fixed weight would
/// dominate the few terms of a small window.
const PRIOR_SHARE: f64 = 0.1;
const MOST_PRIOR: f64 = 500.0;
/// Shorter words are not terms.
const LEAST_CHARS: usize = 3;
/// Lengths of terms in scripts without spaces, in characters.
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
    /// The number of posts of the window that contain it.
    pub count: u32,
    /// The number of posts of the baseline that contain it.
    pub baseline_count: u32,
}

/// The words of `text` in order and in lower case, without links, hashtags, account names and words with digits.
pub fn words(text: &str) -> Vec<String> {
    let plain =
        text.split_whitespace().filter(|part| !part.contains("://") && !part.starts_with(['@', '#', '＃', '＠']));
    let words = plain.flat_map(UnicodeSegmentation::unicode_words);
    words.filter(|word| !word.contains(char::is_numeric)).map(str::to_lowercase).collect()
}

/// The distinct terms of `text`: words of at least three characters, hashtags, pairs of adjacent words, and runs of two
/// to four characters in scripts without spaces.
pub fn of(text: &str) -> BTreeSet<String> {
    let mut terms = BTreeSet::new();
    let parts = text.split_whitespace().filter(|part| !part.contains("://") && !part.starts_with(['@', '＠']));
    for part in parts {
        if let Some(tag) = part.strip_prefix(['#', '＃']) {
            let tag: String = tag.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if tag.chars().count() >= 2 {
                terms.insert(format!("#{}", tag.to_lowercase()));
            }
        }
    }
    let plain = text.split_whitespace().filter(|part| !part.contains("://")).collect::<Vec<_>>().join(" ");
    for sentence in plain.split(['.', '!', '?', ';', '\n', '。', '！', '？']) {
        add_sentence(sentence, &mut terms);
    }
    terms
}

fn add_sentence(sentence: &str, terms: &mut BTreeSet<String>) {
    let mut before: Option<String> = None;
    let mut run = Vec::new();
    for word in words(sentence) {
        if word.chars().all(is_unspaced) {
            before = None;
            run.extend(word.chars());
            continue;
        }
        add_grams(&run, terms);
        run.clear();
        let long = |word: &str| word.chars().count() >= LEAST_CHARS;
        if let Some(before) = &before
            && (long(before) || long(&word))
        {
            terms.insert(format!("{before} {word}"));
        }
        if long(&word) {
            terms.insert(word.clone());
        }
        before = Some(word);
    }
    add_grams(&run, terms);
}

fn add_grams(run: &[char], terms: &mut BTreeSet<String>) {
    for length in GRAMS {
        terms.extend(run.windows(length).map(|gram| gram.iter().collect::<String>()));
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

/// The terms of `text` without stop words.
pub fn telling(text: &str) -> BTreeSet<String> {
    let mut terms = of(text);
    terms.retain(|term| !is_stop_term(term));
    terms
}

/// At most `most` terms with the highest scores: those whose frequency in `window` exceeds that in `baseline` by the
/// most standard deviations. The score is the log-odds ratio with an informative Dirichlet prior, computed from the
/// terms of both sets (Monroe, Colaresi and Quinn, "Fightin' Words", Political Analysis 16, 2008, equations 16, 20 and
/// 21). Each term counts once per post. Of overlapping terms with about equal frequencies, only the first is returned.
pub fn distinctive(window: &[BTreeSet<String>], baseline: &[BTreeSet<String>], most: usize) -> Vec<Term> {
    let mut counts: HashMap<&str, Seen> = HashMap::new();
    for term in window.iter().flatten() {
        counts.entry(term).or_default().window += 1;
    }
    for term in baseline.iter().flatten() {
        counts.entry(term).or_default().baseline += 1;
    }
    let sum = |of: fn(&Seen) -> u32| counts.values().map(|seen| f64::from(of(seen))).sum::<f64>();
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
    let mut terms: Vec<Term> = counts
        .into_iter()
        .filter(|(_, seen)| seen.window >= LEAST_POSTS)
        .map(|(term, seen)| Term {
            term: term.to_owned(),
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

/// Whether one text contains the other, or the end of one overlaps the beginning of the other by two characters.
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

    fn texts(count: usize, text: &str) -> Vec<BTreeSet<String>> {
        vec![of(text); count]
    }

    fn names(terms: &[Term]) -> Vec<&str> {
        terms.iter().map(|term| term.term.as_str()).collect()
    }

    #[test]
    fn new_words_are_distinctive_and_common_words_are_not() {
        let mut window = texts(30, "the new update broke checkout @you https://x.example/1 2026");
        window.extend(texts(12, "my checkout: again trouble"));
        window.extend(texts(20, "the weather is nice"));
        let mut baseline = texts(200, "the weather is nice today");
        baseline.extend(texts(40, "the new train is late"));
        let found = distinctive(&window, &baseline, 10);
        let names = names(&found);
        assert!(names[..4].iter().any(|term| term.contains("checkout")), "{names:?}");
        assert!(names[..4].iter().any(|term| term.contains("update")), "{names:?}");
        assert!(!names.iter().any(|term| ["the", "weather", "nice", "is nice"].contains(term)), "{names:?}");
        assert_eq!(distinctive(&texts(2, "broken"), &baseline, 10), [], "two posts are too few");
        assert_eq!(distinctive(&[], &[], 10), []);
    }

    #[test]
    fn hashtags_pairs_and_scripts_without_spaces_are_terms() {
        let mut window = texts(20, "boycott now #AcmeFail, customer service is gone");
        window.extend(texts(20, "新しいアプリが起動しない"));
        window.extend(texts(20, "客服态度很差"));
        let baseline = [texts(300, "good morning everyone"), texts(100, "今日はいい天気ですね")].concat();
        let found = distinctive(&window, &baseline, 12);
        let names = names(&found);
        assert!(names.contains(&"#acmefail"), "{names:?}");
        assert!(names.contains(&"customer service") || names.contains(&"service is"), "{names:?}");
        assert!(names.iter().any(|term| term.contains("起動")), "{names:?}");
        assert!(names.iter().any(|term| term.contains("客服") || term.contains("态度")), "{names:?}");
    }

    #[test]
    fn overlapping_terms_of_the_same_posts_are_listed_once() {
        let baseline = texts(300, "good morning everyone");
        let found = distinctive(&texts(20, "customer service"), &baseline, 10);
        assert_eq!(names(&found), ["customer service"]);
    }
}
