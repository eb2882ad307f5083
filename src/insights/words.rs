//! Finds words, pairs of words and hashtags that became more frequent.

use serde::Serialize;

use super::shift::Shift;
use super::{CITED, percent};
use crate::domain::Sentiment;
use crate::store::posts::sample::SampledPost;
use crate::terms::vocabulary::Vocabulary;
use crate::terms::{self, Term};

/// The maximum number of words that are listed.
const LISTED: usize = 12;
/// The minimum number of earlier posts with the sentiment that became more frequent. With fewer posts, earlier posts of
/// any sentiment are compared.
const FEW_EARLIER: usize = 30;

/// The kind of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TermKind {
    /// A word, or two to four adjacent characters of a script without spaces.
    Word,
    /// Two consecutive words.
    Bigram,
    /// A hashtag.
    Hashtag,
}

/// A term that is more frequent in the current range than in the earlier range.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SalientWord {
    /// The term in lower case; a hashtag begins with `#`.
    pub term: String,
    /// Whether the term is a word, a pair of words or a hashtag.
    pub kind: TermKind,
    /// The percentage of the compared posts of the current range that contain the term. The posts of the sample are
    /// compared; if a sentiment became more frequent, only the posts with this sentiment.
    pub rate: f64,
    /// The percentage of the compared posts of the earlier range that contain the term. If a sentiment became more
    /// frequent, only the posts with this sentiment are compared; if the sample has fewer than 30 of them, posts of any
    /// sentiment are compared.
    pub previous_rate: f64,
    /// The number of compared posts of the current range that contain the term.
    pub posts: u32,
    /// The number of compared posts of the earlier range that contain the term.
    pub previous_posts: u32,
    /// The difference of the log-odds between the ranges, in standard deviations.
    pub score: f64,
    /// The ids of up to three posts that contain the term.
    pub post_ids: Vec<String>,
}

/// The terms that became more frequent.
pub struct Found {
    /// The terms. The term with the highest score comes first.
    pub words: Vec<SalientWord>,
    /// For each current post, the sum of the scores of those terms in `words` that it contains.
    pub scores: Vec<f64>,
}

/// The posts of both ranges whose words are compared. If a sentiment became more frequent, only the posts with this
/// sentiment are compared. If fewer than 30 earlier posts have this sentiment, all earlier posts are compared.
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
    let mut vocabulary = Vocabulary::default();
    let (now, then) = (terms_of(current, &mut vocabulary), terms_of(previous, &mut vocabulary));
    let found = terms::distinctive(&now, &then, &vocabulary, LISTED);
    let numbered: Vec<(u32, Term)> =
        found.into_iter().filter_map(|term| Some((vocabulary.number_of(&term.term)?, term))).collect();
    let has = |own: &[u32], number: u32| own.binary_search(&number).is_ok();
    let score = |own: &Vec<u32>| {
        numbered.iter().filter(|(number, _)| has(own, *number)).map(|(_, term)| term.score).sum::<f64>()
    };
    let scores = now.iter().map(score).collect();
    let containing = |number: u32| -> Vec<&SampledPost> {
        current.iter().zip(&now).filter(|(_, own)| has(own, number)).map(|(post, _)| *post).collect()
    };
    let words = numbered
        .iter()
        .map(|(number, term)| word(term.clone(), containing(*number), (current.len(), then.len())))
        .collect();
    Found { words, scores }
}

fn terms_of(posts: &[&SampledPost], vocabulary: &mut Vocabulary) -> Vec<Vec<u32>> {
    posts.iter().map(|post| vocabulary.telling(&post.content)).collect()
}

/// Describes a term. `posts` contain it; `(now, then)` are the numbers of posts of the current and the earlier sample.
fn word(term: Term, mut posts: Vec<&SampledPost>, (now, then): (usize, usize)) -> SalientWord {
    posts.sort_by(|one, other| other.confidence.total_cmp(&one.confidence));
    let kind = match &term.term {
        tag if tag.starts_with('#') => TermKind::Hashtag,
        pair if pair.contains(' ') => TermKind::Bigram,
        _ => TermKind::Word,
    };
    SalientWord {
        kind,
        rate: percent(term.count as usize, now),
        previous_rate: percent(term.baseline_count as usize, then),
        posts: term.count,
        previous_posts: term.baseline_count,
        score: term.score,
        post_ids: posts.into_iter().take(CITED).map(|post| post.post_id.clone()).collect(),
        term: term.term,
    }
}
