//! Explains the difference between the posts of two time ranges.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::{TimeRange, Timestamp};
use crate::insights::parts::{AuthorPart, SourcePart};
use crate::insights::shift::Shift;
use crate::insights::texts::TextGroup;
use crate::insights::words::SalientWord;
use crate::insights::{self, CitedPost, Insight, Question, Side, Typical};
use crate::store::posts::CountedFrom;

use super::answer;
use super::auth::{Authorized, Read};
use super::counted::{CountEcho, CountParams};
use super::error::{ApiError, Problem};
use super::params::Params;
use super::sentiment::last;
use super::shape::Measures;
use super::state::State;

/// The default range.
const DEFAULT_RANGE: Duration = Duration::from_secs(24 * 3_600);

/// The range to explain, and the range to compare it with.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the parameters as the OpenAPI document describes them")]
pub struct ExplainParams {
    /// The start of the range. Default: 24 hours before its end.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-03-01T22:00:00Z")]
    start_date: Option<Timestamp>,
    /// The end of the range, exclusive. Default: now. A future time is treated as now.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-03-01T23:00:00Z")]
    end_date: Option<Timestamp>,
    /// The start of the range to compare with. Default: chosen so that both ranges have the same length.
    #[param(value_type = Option<String>, format = DateTime)]
    against_start: Option<Timestamp>,
    /// The end of the range to compare with. Default: the start of the explained range; with `against_start`, chosen so
    /// that both ranges have the same length.
    #[param(value_type = Option<String>, format = DateTime)]
    against_end: Option<Timestamp>,
}

/// What changed between two ranges, and what caused it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "topic": "acme", "source": null, "sentiment": null, "emotion": null, "author": null, "q": null,
    "current": {"start_date": "2026-03-01T22:00:00.000Z", "end_date": "2026-03-01T23:00:00.000Z", "total": 210,
                "total_capped": false, "sampled": 210,
                "measures": {"total": 210, "distribution": {"positive": 4, "neutral": 2, "negative": 204},
                             "percentages": {"positive": 1.9, "neutral": 0.95, "negative": 97.14},
                             "net_sentiment": -95.24, "average_confidence": 0.94}},
    "previous": {"start_date": "2026-03-01T21:00:00.000Z", "end_date": "2026-03-01T22:00:00.000Z", "total": 190,
                 "total_capped": false, "sampled": 190,
                 "measures": {"total": 190, "distribution": {"positive": 70, "neutral": 55, "negative": 65},
                              "percentages": {"positive": 36.84, "neutral": 28.95, "negative": 34.21},
                              "net_sentiment": 2.63, "average_confidence": 0.91}},
    "counted_from": "rollups",
    "significant": true,
    "changes": [{"measure": "negative", "previous": 34.21, "current": 97.14, "emotion": "anger", "source": "twitter",
                 "words": ["refund"]}],
    "words": [{"term": "refund", "kind": "word", "rate": 61.3, "previous_rate": 1.5, "posts": 125, "previous_posts": 1,
               "score": 9.2, "post_ids": ["t-1"]}],
    "sources": [{"source": "twitter", "posts": 180, "previous_posts": 100, "contribution": 58.1, "post_ids": ["t-1"]}],
    "authors": [{"author": "ada", "source": "twitter", "posts": 9, "previous_posts": 0, "contribution": 4.3,
                 "post_ids": ["t-1"]}],
    "texts": [{"content": "No refund after three weeks", "posts": 31, "authors": 29, "sources": ["twitter"],
               "post_ids": ["t-1"]}],
    "typical": {"current": ["t-1"], "previous": []},
    "posts": {"t-1": {"source": "twitter", "author": "ada", "content": "No refund after three weeks", "url": null,
                      "created_at": "2026-03-01T22:10:00.000Z", "sentiment": "negative", "emotion": "anger",
                      "confidence": 0.97}}
}))]
pub struct Explained {
    #[serde(flatten)]
    filter: CountEcho,
    current: SampledSide,
    /// The range that the explained range is compared with.
    previous: SampledSide,
    counted_from: CountedFrom,
    /// Whether there is a change that is statistically significant (p < 0.001) and large: the share of positive or
    /// negative posts changed by at least five percentage points, or one range has at least 1.5 times as many posts as
    /// the other, relative to their lengths. Shares are compared if each range has at least 30 scored posts, numbers of
    /// posts if one range has at least 30 posts.
    significant: bool,
    /// The significant changes, most important first: at most one change of a sentiment and one change of the number of
    /// posts.
    changes: Vec<Shift>,
    /// Up to twelve words, pairs of words and hashtags that became more frequent, most certain first. If a sentiment
    /// became more frequent, only posts with this sentiment are compared, otherwise all posts.
    words: Vec<SalientWord>,
    /// Up to ten sources with their contribution to the first of `changes`; if `changes` is empty, with their
    /// contribution to the change of the number of posts.
    sources: Vec<SourcePart>,
    /// Up to ten authors with their contribution, estimated from the samples.
    authors: Vec<AuthorPart>,
    /// Up to five texts that occur several times with small variations, most frequent first.
    texts: Vec<TextGroup>,
    /// Ids of up to three typical posts of each range.
    typical: Typical,
    /// The posts whose ids the response contains, by id.
    posts: BTreeMap<String, CitedPost>,
}

/// A range and its counts.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SampledSide {
    #[schema(value_type = String, format = DateTime)]
    start_date: Timestamp,
    /// The end of the range, exclusive.
    #[schema(value_type = String, format = DateTime)]
    end_date: Timestamp,
    /// The number of posts in the range that match the filter.
    total: i64,
    /// Whether counting stopped early, at 10,000 posts or because a search word is common. The range then has at least
    /// `total` posts.
    total_capped: bool,
    /// Posts whose words, authors and texts were read.
    sampled: usize,
    /// The measures of all posts, or of the sampled posts when `counted_from` is `posts`.
    measures: Measures,
}

impl From<&Side> for SampledSide {
    fn from(side: &Side) -> Self {
        Self {
            start_date: side.range.start(),
            end_date: side.range.end(),
            total: side.total,
            total_capped: side.capped,
            sampled: side.sampled,
            measures: Measures::of(&side.counts),
        }
    }
}

impl Explained {
    fn new(filter: CountEcho, insight: Insight) -> Self {
        Self {
            filter,
            current: (&insight.current).into(),
            previous: (&insight.previous).into(),
            counted_from: insight.counted_from,
            significant: !insight.shifts.is_empty(),
            changes: insight.shifts,
            words: insight.words,
            sources: insight.sources,
            authors: insight.authors,
            texts: insight.texts,
            typical: insight.typical,
            posts: insight.posts,
        }
    }
}

/// Explain a change
///
/// Compares the posts of a range with those of the previous range, or of a chosen range. Returns what changed
/// significantly, and the words, sources, authors and repeated texts that caused the change, each with up to three
/// posts. Counts that rollups contain are exact. All other values are estimated from a sample of each range: all posts
/// if there are at most 2,000, otherwise at most 3,000. Scope: read.
#[utoipa::path(
    get, path = "/api/insights/explain", tag = "insights", params(ExplainParams, CountParams),
    responses((status = 200, body = Explained), (status = 422, body = Problem))
)]
pub async fn explain(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut params = Params::of(&request)?;
    let (start_date, end_date) = params.period();
    let (against_start, against_end) = (params.time("against_start"), params.time("against_end"));
    let counted = CountParams::take(&mut params);
    params.finish()?;

    let latest = last(DEFAULT_RANGE, state.api.clock.now()).end();
    let end = end_date.map_or(latest, |end| end.min(latest));
    let current = TimeRange::new(start_date.unwrap_or(end - DEFAULT_RANGE), end)
        .ok_or_else(|| ApiError::invalid_field("start_date", "must not be in the future"))?;
    let against_end =
        against_end.or_else(|| against_start.map(|start| start + current.length())).unwrap_or(current.start());
    let previous = TimeRange::new(against_start.unwrap_or(against_end - current.length()), against_end)
        .ok_or_else(|| ApiError::invalid_field("against_end", "must not be before against_start"))?;
    let question = Question { filter: counted.filter(&state)?, current, previous };
    // A range that ends now moves with each request. Rounding to seconds lets requests in the same second share an
    // answer.
    let edge = |range: TimeRange| format!("{}-{}", range.start().as_seconds(), range.end().as_seconds());
    let key = format!("explain:{}:{}:{}", edge(current), edge(previous), counted.cache_key());
    let store = state.api.store.clone();
    let compute = async move {
        let insight = insights::explain(&store, question).await?;
        Ok(Explained::new(counted.into(), insight))
    };
    Ok(answer::cached(&state.cached(key, compute).await?))
}
