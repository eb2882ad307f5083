//! Counts authors and texts instead of posts: copies of a text count once, or each author counts once.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use super::series::Tally;
use crate::domain::PostLabels;
use crate::domain::alert::{Class, Distinct, RuleSpec};
use crate::terms;

/// The number of posts of one author by their labels; `None` counts the unscored posts.
type LabelCounts = HashMap<Option<PostLabels>, usize>;

/// The number of consecutive words in a shingle.
const SHINGLE: usize = 3;
/// Texts with at least this Jaccard index of their shingles are copies of each other.
const ALIKE: f64 = 0.6;
/// The bands of minimal hashes that find candidates (Broder, "On the resemblance and containment of documents", 1997),
/// and the hashes per band: copies that share 0.6 of their shingles have a band in common with a probability of 0.93.
const BANDS: u64 = 6;
const ROWS: u64 = 2;

/// The text and the author of a post.
#[derive(Clone, Debug, PartialEq)]
pub struct PostText {
    pub source: String,
    /// `None`: the author is unknown, and each such post counts as a different author.
    pub author: Option<String>,
    /// `None`: the post is unscored.
    pub labels: Option<PostLabels>,
    pub content: String,
}

/// The counts of a window in which texts or authors count once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistinctCounts {
    pub tally: Tally,
    /// The number of different authors of the posts of the rule's class.
    pub authors: i64,
}

/// Counts `posts` of one source, or of all sources, as `spec` says.
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
            // The first post of each group of copies counts.
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
                // The labels of most posts of the author. Of equally frequent labels the lowest ones are used, so the
                // result is stable.
                let most = counts.iter().max_by_key(|(labels, count)| (**count, std::cmp::Reverse(**labels)));
                if let Some((labels, _)) = most {
                    tally.add(*labels, 1);
                }
            }
        }
    }
    DistinctCounts { tally, authors: (named.len() + unnamed) as i64 }
}

/// For each text the index of the first text that it is a copy of, or its own index.
pub fn groups(texts: &[&str]) -> Vec<usize> {
    let mut first: Vec<usize> = Vec::with_capacity(texts.len());
    let mut shingles: HashMap<usize, HashSet<u64>> = HashMap::new();
    let mut bands: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
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

fn shingles_of(text: &str) -> HashSet<u64> {
    let words = terms::words(text);
    if words.is_empty() {
        return HashSet::from([hash(&text.trim())]);
    }
    if words.len() < SHINGLE {
        return HashSet::from([hash(&words.as_slice())]);
    }
    words.windows(SHINGLE).map(|run| hash(&run)).collect()
}

/// One key per band. Texts that share a key may be copies.
fn keys(shingles: &HashSet<u64>) -> Vec<(u64, u64)> {
    let least = |seed: u64| shingles.iter().map(|shingle| hash(&(seed, shingle))).min();
    (0..BANDS).map(|band| (band, hash(&(0..ROWS).map(|row| least(band * ROWS + row)).collect::<Vec<_>>()))).collect()
}

fn likeness(one: &HashSet<u64>, other: &HashSet<u64>) -> f64 {
    let shared = one.intersection(other).count();
    shared as f64 / (one.len() + other.len() - shared).max(1) as f64
}

/// A hash that is the same in every run.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{Emotion, Sentiment};

    #[test]
    fn copies_with_different_links_and_mentions_are_one_text() {
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
    fn texts_and_authors_count_once() {
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
