//! Finds words, pairs of words and hashtags that became more frequent.

use std::collections::BTreeSet;

use serde::Serialize;

use super::shift::Shift;
use super::{CITED, percent};
use crate::domain::Sentiment;
use crate::store::posts::sample::SampledPost;
use crate::terms::{self, Term};

/// The maximum number of words that are listed.
const LISTED: usize = 12;
/// With fewer earlier posts of the same sentiment, posts of any sentiment are compared.
const FEW_EARLIER: usize = 30;

/// The kind of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TermKind {
    /// A word, or a run of characters of a script without spaces.
    Word,
    /// Two consecutive words.
    Bigram,
    /// A hashtag.
    Hashtag,
}

/// A term that is more frequent than in the earlier range.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SalientWord {
    /// The term in lower case; a hashtag begins with `#`.
    pub term: String,
    /// Whether the term is a word, a pair of words or a hashtag.
    pub kind: TermKind,
    /// The percentage of the posts in the sample that contain the term.
    pub rate: f64,
    /// The percentage of the posts in the sample of the earlier range that contain the term.
    pub previous_rate: f64,
    /// The number of posts in the sample that contain the term.
    pub posts: u32,
    /// The number of posts in the sample of the earlier range that contain the term.
    pub previous_posts: u32,
    /// The difference of the log-odds, in standard deviations.
    pub score: f64,
    /// Ids of up to three posts that contain the term.
    pub post_ids: Vec<String>,
}

/// The words that became more frequent.
pub struct Found {
    /// The terms, the highest score first.
    pub words: Vec<SalientWord>,
    /// The sum of the scores of its words, for each post of the basis.
    pub scores: Vec<f64>,
}

/// The posts whose words are compared. If a sentiment became more frequent, these are its posts on both sides.
pub fn basis<'a>(
    current: &'a [SampledPost],
    previous: &'a [SampledPost],
    shifts: &[Shift],
) -> (Vec<&'a SampledPost>, Vec<&'a SampledPost>) {
    let risen =
        shifts.first().filter(|shift| shift.current > shift.previous).and_then(|shift| shift.measure.sentiment());
    let Some(sentiment) = risen else { return (current.iter().collect(), previous.iter().collect()) };
    fn of(posts: &[SampledPost], sentiment: Sentiment) -> Vec<&SampledPost> {
        posts.iter().filter(|post| post.sentiment == Some(sentiment)).collect()
    }
    let earlier = of(previous, sentiment);
    let earlier = if earlier.len() < FEW_EARLIER { previous.iter().collect() } else { earlier };
    (of(current, sentiment), earlier)
}

/// The terms that distinguish `current` from `previous`, without stop words.
pub fn salient(current: &[&SampledPost], previous: &[&SampledPost]) -> Found {
    let (now, then) = (terms_of(current), terms_of(previous));
    let found = terms::distinctive(&now, &then, LISTED);
    let scores = now
        .iter()
        .map(|own| found.iter().filter(|term| own.contains(&term.term)).map(|term| term.score).sum())
        .collect();
    let words = found.into_iter().map(|term| word(term, current, &now, then.len())).collect();
    Found { words, scores }
}

fn terms_of(posts: &[&SampledPost]) -> Vec<BTreeSet<String>> {
    posts.iter().map(|post| terms::telling(&post.content)).collect()
}

fn word(term: Term, current: &[&SampledPost], now: &[BTreeSet<String>], earlier: usize) -> SalientWord {
    let mut posts: Vec<&SampledPost> =
        current.iter().zip(now).filter(|(_, own)| own.contains(&term.term)).map(|(post, _)| *post).collect();
    posts.sort_by(|one, other| other.confidence.total_cmp(&one.confidence));
    let kind = match &term.term {
        tag if tag.starts_with('#') => TermKind::Hashtag,
        pair if pair.contains(' ') => TermKind::Bigram,
        _ => TermKind::Word,
    };
    SalientWord {
        kind,
        rate: percent(term.count as usize, current.len()),
        previous_rate: percent(term.baseline_count as usize, earlier),
        posts: term.count,
        previous_posts: term.baseline_count,
        score: term.score,
        post_ids: posts.into_iter().take(CITED).map(|post| post.post_id.clone()).collect(),
        term: term.term,
    }
}
