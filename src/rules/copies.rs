//! Counts texts or authors instead of posts: all copies of a text count once, or all posts of an author count once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hasher;

use rustc_hash::{FxHashMap, FxHasher};

use super::series::Tally;
use crate::domain::PostLabels;
use crate::domain::alert::{Class, Distinct, RuleSpec};
use crate::terms;

/// The number of posts of one author, by label. The key `None` holds the number of unscored posts.
type LabelCounts = HashMap<Option<PostLabels>, usize>;

/// The number of consecutive words in a shingle.
const SHINGLE: usize = 3;
/// Texts with at least this Jaccard index of their shingles are copies of each other.
const ALIKE: f64 = 0.6;
/// The number of bands of minimal hashes (Broder, "On the resemblance and containment of documents", 1997), and the
/// hashes per band. Texts with a Jaccard index of 0.6 have a band in common with a probability of 0.93.
const BANDS: usize = 6;
const ROWS: usize = 2;

/// The text and the author of a post.
#[derive(Clone, Debug, PartialEq)]
pub struct PostText {
    /// The source of the post. Authors with the same name on different sources are different people.
    pub source: String,
    /// The author. `None`: unknown. Each post of an unknown author counts as a different author.
    pub author: Option<String>,
    /// The labels of the post. `None`: the post is unscored.
    pub labels: Option<PostLabels>,
    /// The complete text of the post.
    pub content: String,
}

/// The counts of a window according to the rule's `distinct`: each text, each author or each post counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistinctCounts {
    /// The counts by label.
    pub tally: Tally,
    /// The number of different authors of the posts of the rule's class.
    pub authors: i64,
}

/// Counts the posts of `source`, or of all sources, according to `spec`.
pub fn count(spec: &RuleSpec, posts: &[PostText], source: Option<&str>) -> DistinctCounts {
    let posts: Vec<&PostText> = posts.iter().filter(|post| source.is_none_or(|name| name == post.source)).collect();
    let class = spec.condition.class();
    let is_counted = |post: &&&PostText| match class {
        Class::Posts => true,
        Class::Sentiment(label) => post.labels.is_some_and(|labels| labels.sentiment == label),
        Class::Emotion(label) => post.labels.is_some_and(|labels| labels.emotion == label),
    };
    let named: BTreeSet<_> = posts
        .iter()
        .filter(is_counted)
        .filter_map(|post| post.author.as_deref().map(|name| (&post.source, name)))
        .collect();
    let unnamed = posts.iter().filter(is_counted).filter(|post| post.author.is_none()).count();
    let mut tally = Tally::default();
    match spec.distinct {
        Distinct::Posts => posts.iter().for_each(|post| tally.add(post.labels, 1)),
        Distinct::Texts => {
            let texts: Vec<&str> = posts.iter().map(|post| post.content.as_str()).collect();
            let groups = groups(&texts);
            // Only the first post of each group of copies counts.
            for (_, post) in posts.iter().enumerate().filter(|(index, _)| groups[*index] == *index) {
                tally.add(post.labels, 1);
            }
        }
        Distinct::Authors => {
            let mut counts: BTreeMap<(&str, &str), LabelCounts> = BTreeMap::new();
            for post in &posts {
                match &post.author {
                    Some(name) => {
                        let of_author = counts.entry((&post.source, name)).or_default();
                        *of_author.entry(post.labels).or_default() += 1;
                    }
                    None => tally.add(post.labels, 1),
                }
            }
            for counts in counts.values() {
                // An author counts with the most frequent labels of their posts. If several labels are equally
                // frequent, the first in the order of the labels is used, so that the order of the posts has no effect.
                let most = counts.iter().max_by_key(|(labels, count)| (**count, std::cmp::Reverse(**labels)));
                if let Some((labels, _)) = most {
                    tally.add(*labels, 1);
                }
            }
        }
    }
    DistinctCounts { tally, authors: (named.len() + unnamed) as i64 }
}

/// For each text, the index of the first text that it is a copy of; its own index if it is not a copy.
pub fn groups(texts: &[&str]) -> Vec<usize> {
    let mut first: Vec<usize> = Vec::with_capacity(texts.len());
    let mut shingles: FxHashMap<usize, Vec<u64>> = FxHashMap::default();
    let mut bands: FxHashMap<u64, Vec<usize>> = FxHashMap::default();
    for (index, text) in texts.iter().enumerate() {
        let own = shingles_of(text);
        let keys = keys(&own);
        let candidates = keys.iter().filter_map(|key| bands.get(key)).flatten();
        let same = candidates.copied().filter(|other| likeness(&own, &shingles[other]) >= ALIKE).min();
        if same.is_none() {
            for key in keys {
                bands.entry(key).or_default().push(index);
            }
            shingles.insert(index, own);
        }
        first.push(same.unwrap_or(index));
    }
    first
}

/// The hashes of the shingles of a text, in increasing order.
fn shingles_of(text: &str) -> Vec<u64> {
    let words: Vec<u64> = terms::words(text).iter().map(|word| hash(word)).collect();
    if words.is_empty() {
        return vec![hash(text.trim())];
    }
    let combined = |run: &[u64]| run.iter().fold(0, |shingle: u64, word| mixed(shingle.rotate_left(23) ^ word));
    if words.len() < SHINGLE {
        return vec![combined(&words)];
    }
    let mut shingles: Vec<u64> = words.windows(SHINGLE).map(combined).collect();
    shingles.sort_unstable();
    shingles.dedup();
    shingles
}

/// The keys of a text, one per band. Texts that share a key may be copies.
fn keys(shingles: &[u64]) -> [u64; BANDS] {
    std::array::from_fn(|band| {
        (0..ROWS).fold(band as u64, |key, row| {
            let seed = mixed((band * ROWS + row) as u64 + 1);
            let least = shingles.iter().map(|shingle| mixed(shingle ^ seed)).min().unwrap_or_default();
            mixed(key.rotate_left(17) ^ least)
        })
    })
}

/// The Jaccard index of two sorted lists.
fn likeness(one: &[u64], other: &[u64]) -> f64 {
    let (mut at, mut shared) = (0, 0_usize);
    for shingle in one {
        while other.get(at).is_some_and(|next| next < shingle) {
            at += 1;
        }
        if other.get(at) == Some(shingle) {
            shared += 1;
        }
    }
    shared as f64 / (one.len() + other.len() - shared).max(1) as f64
}

/// A hash that is the same in every run.
fn hash(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    mixed(hasher.finish())
}

/// A permutation of the 64-bit numbers in which each bit of the result depends on all bits of `value` (the finaliser of
/// SplitMix64).
fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{Emotion, Sentiment};

    #[test]
    fn texts_that_differ_in_links_and_mentions_are_copies() {
        let texts = [
            "The app crashes every time I open my basket, fix it! https://a.example/1",
            "@shop the app crashes every time I open my basket, fix it!!! https://b.example/2",
            "RT The app crashes every time I open my basket. Fix it",
            "My parcel never came and no one answers",
            "ok",
            "OK!",
            "2026",
            "2027",
        ];
        assert_eq!(groups(&texts), [0, 0, 0, 3, 4, 4, 6, 7]);
    }

    #[test]
    fn copies_of_a_text_and_posts_of_an_author_count_once() {
        let post = |author: Option<&str>, sentiment, content: &str| PostText {
            source: "web".to_owned(),
            author: author.map(str::to_owned),
            labels: Some(PostLabels { sentiment, emotion: Emotion::Neutral }),
            content: content.to_owned(),
        };
        let mut posts: Vec<PostText> =
            (0..60).map(|_| post(Some("bot"), Sentiment::Negative, "Acme is a fraud, keep away from it")).collect();
        posts.push(post(Some("ada"), Sentiment::Negative, "My order from Acme has not arrived"));
        posts.push(post(None, Sentiment::Negative, "Acme lost my parcel again"));
        posts.push(post(Some("bot"), Sentiment::Positive, "What a lovely morning at the lake"));
        let of = |distinct: &str| {
            let rule = json!({"name": "x", "kind": "share", "threshold": 0.5, "distinct": distinct});
            count(&RuleSpec::parse(rule).unwrap(), &posts, None)
        };
        let negative = Class::Sentiment(Sentiment::Negative);
        for (distinct, total, bad) in [("posts", 63, 62), ("texts", 4, 3), ("authors", 3, 3)] {
            let counted = of(distinct);
            assert_eq!(
                (counted.tally.total(), counted.tally.of(negative), counted.authors),
                (total, bad, 3),
                "{distinct}"
            );
        }
    }
}
