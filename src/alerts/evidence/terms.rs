//! The words that tell one set of posts from another.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;

/// Fewer posts with a word say nothing of it, and might tell of a single post that is deleted later.
const LEAST_POSTS: u32 = 3;
/// Words whose score is below this may differ by chance: the 97.5 % quantile of the normal distribution.
const LEAST_SCORE: f64 = 1.96;
/// The weight of the prior as a share of the words that are compared, and the most that it may weigh, in words. A prior
/// of a fixed weight would drown the few words of a small window.
const PRIOR_SHARE: f64 = 0.1;
const MOST_PRIOR: f64 = 500.0;
/// Shorter ones say little.
const LEAST_CHARS: usize = 3;

/// A word that stands out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Term {
    pub term: String,
    /// Standard deviations by which its log-odds differ.
    pub score: f64,
    /// Posts of the window with it.
    pub count: u32,
    /// Posts of the baseline with it.
    pub baseline_count: u32,
}

/// The words of `text` in their order, in lower case; without links, names of accounts and what holds digits.
pub fn words(text: &str) -> Vec<String> {
    let plain = text.split_whitespace().filter(|part| !part.contains("://") && !part.starts_with(['@', '#']));
    let words = plain.flat_map(UnicodeSegmentation::unicode_words);
    words.filter(|word| !word.contains(|c: char| c.is_numeric())).map(str::to_lowercase).collect()
}

/// The words that are compared, each once.
pub fn of(text: &str) -> BTreeSet<String> {
    words(text).into_iter().filter(|word| word.chars().count() >= LEAST_CHARS).collect()
}

/// The `most` words that are more frequent in `window` than in `baseline` by the most standard deviations: the log-odds
/// ratio with an informative Dirichlet prior, which is the words of both (Monroe, Colaresi and Quinn, "Fightin' Words",
/// Political Analysis 16, 2008, equations 16, 20 and 21). Each word counts once per post.
pub fn distinctive(window: &[BTreeSet<String>], baseline: &[BTreeSet<String>], most: usize) -> Vec<Term> {
    let mut counts: HashMap<&str, (u32, u32)> = HashMap::new();
    for word in window.iter().flatten() {
        counts.entry(word).or_default().0 += 1;
    }
    for word in baseline.iter().flatten() {
        counts.entry(word).or_default().1 += 1;
    }
    let (now, before) = counts
        .values()
        .fold((0.0, 0.0), |(now, before), count| (now + f64::from(count.0), before + f64::from(count.1)));
    let weight = ((now + before) * PRIOR_SHARE).min(MOST_PRIOR);
    let log_odds = |count: f64, prior: f64, all: f64| ((count + prior) / (all + weight - count - prior)).ln();
    let score = |(count, baseline_count): (u32, u32)| {
        let (count, baseline_count) = (f64::from(count), f64::from(baseline_count));
        let prior = weight * (count + baseline_count) / (now + before);
        let difference = log_odds(count, prior, now) - log_odds(baseline_count, prior, before);
        let variance = 1.0 / (count + prior) + 1.0 / (baseline_count + prior);
        difference / variance.sqrt()
    };
    let mut terms: Vec<Term> = counts
        .into_iter()
        .filter(|(_, (count, _))| *count >= LEAST_POSTS)
        .map(|(term, counted)| Term {
            term: term.to_owned(),
            score: (score(counted) * 100.0).round() / 100.0,
            count: counted.0,
            baseline_count: counted.1,
        })
        .filter(|term| term.score >= LEAST_SCORE)
        .collect();
    terms.sort_by(|one, other| match other.score.total_cmp(&one.score) {
        Ordering::Equal => one.term.cmp(&other.term),
        order => order,
    });
    terms.truncate(most);
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_moment_stand_out_and_everyday_words_do_not() {
        let texts = |count: usize, text: &str| vec![of(text); count];
        let mut window = texts(30, "the new update broke checkout @you https://x.example/1 2026");
        window.extend(texts(20, "the weather is nice"));
        let mut baseline = texts(200, "the weather is nice today");
        baseline.extend(texts(40, "the new train is late"));
        let found: Vec<_> =
            distinctive(&window, &baseline, 10).into_iter().map(|term| (term.term, term.count)).collect();
        let names: Vec<_> = found.iter().map(|(term, _)| term.as_str()).collect();
        assert_eq!(names[..3], ["broke", "checkout", "update"]);
        assert!(found.iter().all(|(term, _)| !["the", "weather", "nice"].contains(&term.as_str())), "{found:?}");
        assert_eq!(distinctive(&texts(2, "broken"), &baseline, 10), [], "two posts are too few");
        assert_eq!(distinctive(&[], &[], 10), []);
    }
}
