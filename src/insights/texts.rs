//! Finds texts that occur several times with small variations, and typical posts.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::CITED;
use crate::domain::event::PREVIEW_CHARS;
use crate::domain::op::preview;
use crate::rules::copies;
use crate::store::posts::sample::SampledPost;

/// The maximum number of groups of texts that are listed.
const LISTED: usize = 5;
/// The minimum number of posts in a group.
const LEAST_POSTS: usize = 2;
/// The maximum number of posts from which the typical posts are selected.
const CANDIDATES: usize = 60;

/// Posts with almost the same text.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct TextGroup {
    /// The first 200 characters of the text of one post of the group.
    pub content: String,
    /// The number of posts of the group in the sample.
    pub posts: usize,
    /// The number of different authors of the posts in the group. Each post of an unknown author counts as a different
    /// author.
    pub authors: usize,
    /// The sources of the posts in the group.
    pub sources: Vec<String>,
    /// The ids of up to three posts of the group.
    pub post_ids: Vec<String>,
}

/// The five largest groups of at least two posts with almost the same text.
pub fn groups(posts: &[&SampledPost]) -> Vec<TextGroup> {
    let texts: Vec<&str> = posts.iter().map(|post| post.content.as_str()).collect();
    let mut members: BTreeMap<usize, Vec<&SampledPost>> = BTreeMap::new();
    for (post, first) in posts.iter().zip(copies::groups(&texts)) {
        members.entry(first).or_default().push(post);
    }
    let mut groups: Vec<Vec<&SampledPost>> = members.into_values().filter(|group| group.len() >= LEAST_POSTS).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups.truncate(LISTED);
    groups.into_iter().filter_map(|group| text_group(&group)).collect()
}

fn text_group(group: &[&SampledPost]) -> Option<TextGroup> {
    let authors: BTreeSet<_> = group.iter().filter_map(|post| Some((&post.source, post.author.as_ref()?))).collect();
    let unnamed = group.iter().filter(|post| post.author.is_none()).count();
    let sources: BTreeSet<&String> = group.iter().map(|post| &post.source).collect();
    Some(TextGroup {
        content: preview(&group.first()?.content, PREVIEW_CHARS).to_owned(),
        posts: group.len(),
        authors: authors.len() + unnamed,
        sources: sources.into_iter().cloned().collect(),
        post_ids: group.iter().take(CITED).map(|post| post.post_id.clone()).collect(),
    })
}

/// The ids of the three posts with the highest scores. `scores` contains one score per post; if it is empty, all scores
/// are equal. Posts with equal scores are sorted by confidence, with the highest first. Copies of a text count once.
pub fn typical(posts: &[&SampledPost], scores: &[f64]) -> Vec<String> {
    let score = |index: usize| scores.get(index).copied().unwrap_or_default();
    let mut order: Vec<usize> = (0..posts.len()).collect();
    order.sort_by(|one, other| {
        let certain = |index: usize| posts[index].confidence;
        score(*other).total_cmp(&score(*one)).then(certain(*other).total_cmp(&certain(*one)))
    });
    order.truncate(CANDIDATES);
    let texts: Vec<&str> = order.iter().map(|index| posts[*index].content.as_str()).collect();
    let groups = copies::groups(&texts);
    let firsts = order.iter().enumerate().filter(|(place, _)| groups[*place] == *place);
    firsts.take(CITED).map(|(_, index)| posts[*index].post_id.clone()).collect()
}
