//! How much sources and authors contribute to a difference.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::shift::{self, Measure, Shift};
use super::{CITED, Read, counts_of};
use crate::domain::Counts;
use crate::store::posts::sample::SampledPost;

/// The maximum number of sources and authors that are listed.
const LISTED: usize = 10;
/// The minimum number of an author's posts in both samples together. Authors with fewer posts explain no difference.
const LEAST_POSTS: i64 = 2;

/// A source, and its contribution to the difference between the ranges.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SourcePart {
    /// The source, such as `bluesky`.
    pub source: String,
    /// The number of posts of the source in the current range. If the filter cannot be counted by source, the number in
    /// the sample.
    pub posts: i64,
    /// The number of posts of the source in the earlier range, or in the sample of the earlier range. This number is
    /// not scaled to the length of the current range.
    pub previous_posts: i64,
    /// The contribution to the difference that the first entry of `changes` describes; without changes, to the
    /// difference in the number of posts. The unit is percentage points of the posts with a sentiment for a share, and
    /// posts for a number of posts. The contributions of all sources, including those that are not listed, sum to the
    /// difference.
    pub contribution: f64,
    /// The ids of up to three posts of the source.
    pub post_ids: Vec<String>,
}

/// An author, and their contribution to the difference between the ranges, estimated from the samples.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct AuthorPart {
    /// The name of the author.
    pub author: String,
    /// The source on which the author writes.
    pub source: String,
    /// The number of the author's posts in the sample of the current range.
    pub posts: i64,
    /// The number of the author's posts in the sample of the earlier range.
    pub previous_posts: i64,
    /// The contribution of the author, in the same unit as the contribution of a source.
    pub contribution: f64,
    /// The ids of up to three posts of the author.
    pub post_ids: Vec<String>,
}

/// The counts of all sources or authors together, in the current and in the earlier range.
struct Counted {
    now: Counts,
    then: Counts,
}

/// The totals of both ranges, from which the contributions of parts are computed.
struct Whole {
    measure: Measure,
    counted: Counted,
    /// The number of posts that each counted post of the current range represents. `weight_before` is this number for
    /// the earlier range, scaled to the length of the current range.
    weight: f64,
    weight_before: f64,
}

impl Whole {
    fn new(current: &Read, previous: &Read, measure: Measure, counted: Counted) -> Self {
        let length = previous.side.range.length().as_secs_f64();
        let scale = if length > 0.0 { current.side.range.length().as_secs_f64() / length } else { 1.0 };
        let per = |total: i64, counts: &Counts| match counts.posts() {
            0 => 0.0,
            posts => total as f64 / posts as f64,
        };
        let weight = per(current.side.total, &counted.now);
        let weight_before = scale * per(previous.side.total, &counted.then);
        Self { measure, counted, weight, weight_before }
    }

    fn contribution(&self, now: &Counts, then: &Counts) -> f64 {
        let part = match self.measure.sentiment() {
            None => now.posts() as f64 * self.weight - then.posts() as f64 * self.weight_before,
            Some(sentiment) => {
                let points = |hits: i64, all: i64| if all == 0 { 0.0 } else { hits as f64 * 100.0 / all as f64 };
                points(now.sentiment(sentiment), self.counted.now.total())
                    - points(then.sentiment(sentiment), self.counted.then.total())
            }
        };
        (part * 1e2).round() / 1e2
    }
}

/// The sources with the largest contributions.
pub(super) fn sources(current: &Read, previous: &Read, measure: Measure) -> Vec<SourcePart> {
    let (now, then) = (by_source(current), by_source(previous));
    let counted = Counted { now: sum(now.values()), then: sum(then.values()) };
    let whole = Whole::new(current, previous, measure, counted);
    let names: BTreeSet<&String> = now.keys().chain(then.keys()).collect();
    let mut parts: Vec<SourcePart> = names
        .into_iter()
        .map(|name| {
            let of = |counts: &BTreeMap<String, Counts>| counts.get(name).copied().unwrap_or_default();
            let (now, then) = (of(&now), of(&then));
            SourcePart {
                source: name.clone(),
                posts: now.posts(),
                previous_posts: then.posts(),
                contribution: whole.contribution(&now, &then),
                post_ids: Vec::new(),
            }
        })
        .filter(|part| part.posts + part.previous_posts > 0)
        .collect();
    parts.sort_by(|one, other| {
        other.contribution.abs().total_cmp(&one.contribution.abs()).then(other.posts.cmp(&one.posts))
    });
    parts.truncate(LISTED);
    for part in &mut parts {
        part.post_ids = cited(current, measure, |post| post.source == part.source);
    }
    parts
}

fn sum<'a>(counts: impl Iterator<Item = &'a Counts>) -> Counts {
    counts.fold(Counts::default(), |mut sum, counts| {
        sum.merge(counts);
        sum
    })
}

fn by_source(read: &Read) -> BTreeMap<String, Counts> {
    if let Some(counts) = &read.by_source {
        return counts.clone();
    }
    let mut sources: BTreeMap<String, Counts> = BTreeMap::new();
    for post in &read.posts {
        sources.entry(post.source.clone()).or_default().merge(&counts_of(std::slice::from_ref(post)));
    }
    sources
}

/// The source that contributes most to `shift`. `None` if the source explains too little of the difference, or if there
/// is only one source, which would explain every difference.
pub fn leading_source(parts: &[SourcePart], shift: &Shift) -> Option<String> {
    let first = parts.first().filter(|_| parts.len() > 1)?;
    shift::explains(first.contribution, shift.current - shift.previous).then(|| first.source.clone())
}

/// The authors with the largest contributions.
pub(super) fn authors(current: &Read, previous: &Read, measure: Measure) -> Vec<AuthorPart> {
    type Author<'a> = (&'a str, &'a str);
    fn by_author(posts: &[SampledPost]) -> BTreeMap<Author<'_>, Counts> {
        let mut authors: BTreeMap<Author<'_>, Counts> = BTreeMap::new();
        for post in posts {
            if let Some(author) = &post.author {
                let counts = counts_of(std::slice::from_ref(post));
                authors.entry((author, &post.source)).or_default().merge(&counts);
            }
        }
        authors
    }
    let (now, then) = (by_author(&current.posts), by_author(&previous.posts));
    let counted = Counted { now: counts_of(&current.posts), then: counts_of(&previous.posts) };
    let whole = Whole::new(current, previous, measure, counted);
    let names: BTreeSet<&Author<'_>> = now.keys().chain(then.keys()).collect();
    let mut parts: Vec<AuthorPart> = names
        .into_iter()
        .map(|name| {
            let (now, then) = (now.get(name).copied().unwrap_or_default(), then.get(name).copied().unwrap_or_default());
            AuthorPart {
                author: name.0.to_owned(),
                source: name.1.to_owned(),
                posts: now.posts(),
                previous_posts: then.posts(),
                contribution: whole.contribution(&now, &then),
                post_ids: Vec::new(),
            }
        })
        .filter(|part| part.posts + part.previous_posts >= LEAST_POSTS)
        .collect();
    parts.sort_by(|one, other| {
        other.contribution.abs().total_cmp(&one.contribution.abs()).then(other.posts.cmp(&one.posts))
    });
    parts.truncate(LISTED);
    for part in &mut parts {
        let is_theirs = |post: &SampledPost| post.author.as_deref() == Some(&part.author) && post.source == part.source;
        part.post_ids = cited(current, measure, is_theirs);
    }
    parts
}

/// The ids of the posts to cite, from the posts of the current range that `is_one` accepts. Posts with the measured
/// sentiment come first, and among these the posts with the highest confidence.
fn cited(current: &Read, measure: Measure, is_one: impl Fn(&SampledPost) -> bool) -> Vec<String> {
    let mut posts: Vec<&SampledPost> = current.posts.iter().filter(|post| is_one(post)).collect();
    let other_sentiment = |post: &SampledPost| measure.sentiment().is_some_and(|label| post.sentiment != Some(label));
    posts.sort_by(|one, other| {
        other_sentiment(one).cmp(&other_sentiment(other)).then(other.confidence.total_cmp(&one.confidence))
    });
    posts.into_iter().take(CITED).map(|post| post.post_id.clone()).collect()
}
