//! Finds what changed between two ranges, and the words, sources, authors and texts that explain it.
//!
//! Counts are exact if the rollups contain them. Words, authors and texts come from a sample of each range
//! ([`Store::sample`]), which is evaluated on a separate thread.

pub mod parts;
pub mod shift;
pub mod texts;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::domain::counts::percentage;
use crate::domain::event::PREVIEW_CHARS;
use crate::domain::op::preview;
use crate::domain::{Counts, Emotion, PostLabels, Sentiment, TimeRange, Timestamp};
use crate::store::posts::sample::{SampledPost, WordSample};
use crate::store::posts::{CountedFrom, PostFilter};
use crate::store::{AggregateFailure, Store, StoreError};
use parts::{AuthorPart, SourcePart};
use shift::{Measure, Shift};
use texts::TextGroup;
use words::SalientWord;

/// The maximum number of posts that are cited for each word, source, author and text.
const CITED: usize = 3;

/// The ranges to compare, and the posts to include.
#[derive(Clone, Debug)]
pub struct Question {
    /// Selects the posts. The time range of the filter is ignored.
    pub filter: PostFilter,
    /// The range whose changes are explained.
    pub current: TimeRange,
    /// The earlier range, which the current range is compared with.
    pub previous: TimeRange,
}

/// One of the two compared ranges, with its counts.
#[derive(Clone, Debug)]
pub struct Side {
    /// The range, whose end is exclusive.
    pub range: TimeRange,
    /// The number of posts; if `capped`, a lower limit of this number.
    pub total: i64,
    /// Whether `total` is only a lower limit, because counting was stopped.
    pub capped: bool,
    /// The counts by label: of all posts, or of the sample if `counted_from` is not the rollups.
    pub counts: Counts,
    /// The number of posts in the sample.
    pub sampled: usize,
}

/// The differences between two ranges, and what explains them.
#[derive(Clone, Debug)]
pub struct Insight {
    /// The range whose changes are explained.
    pub current: Side,
    /// The earlier range, which the current range is compared with.
    pub previous: Side,
    /// Whether the counts come from rollups or from posts.
    pub counted_from: CountedFrom,
    /// The significant changes: first the change of the share of a sentiment, then the change of the number of posts.
    pub shifts: Vec<Shift>,
    /// Terms that became more frequent, estimated from the samples. The term with the highest score comes first.
    pub words: Vec<SalientWord>,
    /// The sources that contribute most to the first of `shifts`; without shifts, to the difference in the number of
    /// posts.
    pub sources: Vec<SourcePart>,
    /// The authors that contribute most to the difference that `sources` explains, estimated from the samples.
    pub authors: Vec<AuthorPart>,
    /// Texts that at least two posts of the current range share, the most frequent first. If a sentiment became more
    /// frequent, only posts with this sentiment are compared.
    pub texts: Vec<TextGroup>,
    /// The ids of up to three typical posts of each range.
    pub typical: Typical,
    /// The cited posts by id.
    pub posts: BTreeMap<String, CitedPost>,
}

/// Typical posts.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct Typical {
    /// The ids of up to three typical posts of the current range.
    pub current: Vec<String>,
    /// The ids of up to three typical posts of the earlier range.
    pub previous: Vec<String>,
}

/// A cited post.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct CitedPost {
    /// The source of the post, such as `bluesky`.
    pub source: String,
    /// The name of the author; `null` if the source states none.
    pub author: Option<String>,
    /// The first 200 characters of the post's text.
    pub content: String,
    /// The URL of the post's page; `null` if the source states none.
    pub url: Option<String>,
    /// When the post was written.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The sentiment; `null` for an unscored post.
    pub sentiment: Option<Sentiment>,
    /// The emotion; `null` for an unscored post.
    pub emotion: Option<Emotion>,
    /// The confidence of the sentiment, 0 to 1; 0 for an unscored post.
    pub confidence: f64,
}

impl From<&SampledPost> for CitedPost {
    fn from(post: &SampledPost) -> Self {
        Self {
            source: post.source.clone(),
            author: post.author.clone(),
            content: preview(&post.content, PREVIEW_CHARS).to_owned(),
            url: post.url.clone(),
            created_at: post.created_at,
            sentiment: post.sentiment,
            emotion: post.emotion,
            confidence: post.confidence,
        }
    }
}

/// The counts and the sample of a range.
struct Read {
    side: Side,
    by_source: Option<BTreeMap<String, Counts>>,
    posts: Vec<SampledPost>,
}

/// Compares both ranges of `question` and explains the difference.
///
/// # Errors
/// When the database does not answer, a range begins before the retention of counts, or the evaluation panics.
pub async fn explain(store: &Store, question: Question) -> Result<Insight, AggregateFailure> {
    let (current, previous) = tokio::try_join!(
        read(store, &question.filter, question.current),
        read(store, &question.filter, question.previous)
    )?;
    let evaluated = tokio::task::spawn_blocking(move || evaluate(&question.filter, current, previous)).await;
    evaluated.map_err(|panic| StoreError::Failed(panic.to_string()).into())
}

async fn read(store: &Store, filter: &PostFilter, range: TimeRange) -> Result<Read, AggregateFailure> {
    let within = PostFilter { start: Some(range.start()), end: Some(range.end()), ..filter.clone() };
    match filter.counted_from() {
        CountedFrom::Rollups => {
            let counts = store.counts(range, filter).await?;
            let by_source = narrowed(store.window_by_source(range, filter.topic, filter.sentiment_of).await?, filter);
            let posts = store.sample(filter, range, counts.posts()).await?;
            let side = Side { range, total: counts.posts(), capped: false, counts, sampled: posts.len() };
            Ok(Read { side, by_source: Some(by_source), posts })
        }
        CountedFrom::Posts if !filter.words.is_empty() => {
            let WordSample { total, posts } = store.sample_words(filter, range).await?;
            let counts = counts_of(&posts);
            let side = Side { range, total: total.count, capped: total.capped, counts, sampled: posts.len() };
            Ok(Read { side, by_source: None, posts })
        }
        CountedFrom::Posts => {
            let total = store.count_posts(&within).await?;
            let posts = store.sample(filter, range, total.count).await?;
            let counts = counts_of(&posts);
            let side = Side { range, total: total.count, capped: total.capped, counts, sampled: posts.len() };
            Ok(Read { side, by_source: None, posts })
        }
    }
}

/// The counts by source, limited to the sources and labels that `filter` selects.
fn narrowed(by_source: BTreeMap<String, Counts>, filter: &PostFilter) -> BTreeMap<String, Counts> {
    let kept = |name: &str| filter.source.as_ref().is_none_or(|source| source.as_str() == name);
    by_source
        .into_iter()
        .filter(|(name, _)| kept(name))
        .map(|(name, counts)| (name, counts.only(filter.sentiment, filter.emotion)))
        .collect()
}

fn counts_of(posts: &[SampledPost]) -> Counts {
    let mut counts = Counts::default();
    for post in posts {
        let labels = post.sentiment.zip(post.emotion).map(|(sentiment, emotion)| PostLabels { sentiment, emotion });
        counts.add(labels, 1, post.confidence);
    }
    counts
}

fn evaluate(filter: &PostFilter, current: Read, previous: Read) -> Insight {
    let compare_sentiments = filter.sentiment.is_none();
    let mut shifts = shift::shifts(&current.side, &previous.side, compare_sentiments);
    let focus = shifts.first().map_or(Measure::Posts, |shift| shift.measure);
    let (now, then) = words::basis(&current.posts, &previous.posts, &shifts);
    let found = words::salient(&now, &then);
    let sources = parts::sources(&current, &previous, focus);
    for shift in &mut shifts {
        shift.source = parts::leading_source(&parts::sources(&current, &previous, shift.measure), shift);
        shift.words = found.words.iter().take(CITED).map(|word| word.term.clone()).collect();
    }
    let insight = Insight {
        counted_from: filter.counted_from(),
        words: found.words,
        sources,
        authors: parts::authors(&current, &previous, focus),
        texts: texts::groups(&now),
        typical: Typical { current: texts::typical(&now, &found.scores), previous: texts::typical(&then, &[]) },
        posts: BTreeMap::new(),
        shifts,
        current: current.side,
        previous: previous.side,
    };
    let cited = insight.cited();
    let all = current.posts.iter().chain(&previous.posts).filter(|post| cited.contains(post.post_id.as_str()));
    let posts = all.map(|post| (post.post_id.clone(), CitedPost::from(post))).collect();
    Insight { posts, ..insight }
}

impl Insight {
    fn cited(&self) -> BTreeSet<String> {
        let words = self.words.iter().flat_map(|word| &word.post_ids);
        let sources = self.sources.iter().flat_map(|part| &part.post_ids);
        let authors = self.authors.iter().flat_map(|part| &part.post_ids);
        let texts = self.texts.iter().flat_map(|text| &text.post_ids);
        let typical = self.typical.current.iter().chain(&self.typical.previous);
        words.chain(sources).chain(authors).chain(texts).chain(typical).cloned().collect()
    }
}

/// `part` of `whole` in percent; 0 if `whole` is 0.
fn percent(part: usize, whole: usize) -> f64 {
    percentage(i64::try_from(part).unwrap_or(i64::MAX), i64::try_from(whole).unwrap_or(i64::MAX))
}
