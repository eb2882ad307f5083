//! Share of voice: each topic's share of the posts of all topics.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::counts::percentage;
use crate::domain::interval::{Interval, Proportion};
use crate::domain::{Counts, Period, SentimentOf, Source, TimeRange, Timestamp, TopicId};
use crate::store::aggregate::{Aggregate, AggregateQuery};
use crate::store::posts::PostFilter;
use crate::topics::Tracked;

use super::super::answer;
use super::super::auth::{Authorized, Read};
use super::super::error::{ApiError, Problem};
use super::super::params::Params;
use super::super::sentiment::last;
use super::super::shape::{self, Measures, TopEmotion};
use super::super::state::State;

/// The default length of the range.
const DEFAULT_RANGE: Duration = Duration::from_secs(24 * 3_600);

/// The posts to count.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the parameters as the OpenAPI document describes them")]
pub struct ShareParams {
    /// Only posts that were created at or after this time. Default: 24 hours before the end.
    #[param(value_type = Option<String>, format = DateTime)]
    start_date: Option<Timestamp>,
    /// Only posts that were created before this time. Default: now. A future time is treated as now.
    #[param(value_type = Option<String>, format = DateTime)]
    end_date: Option<Timestamp>,
    /// Only posts of this source.
    #[param(value_type = Option<String>)]
    source: Option<Source>,
    /// The label that counts: `topic` (the default) for the sentiment towards the topic, `post` for the sentiment of
    /// the whole post.
    #[param(inline, required = false)]
    sentiment_of: SentimentOf,
    /// Also return counts over time, in buckets of this width. The range is then widened to the edges of buckets.
    period: Option<Period>,
    /// The IANA time zone in which days begin, with `period=day`; UTC if not given.
    #[param(example = "America/New_York")]
    tz: Option<String>,
}

/// Each topic's share of the posts of all topics.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Share {
    #[schema(value_type = String, format = DateTime)]
    start_date: Timestamp,
    /// The end of the range, exclusive.
    #[schema(value_type = String, format = DateTime)]
    end_date: Timestamp,
    source: Option<String>,
    period: Option<Period>,
    /// The time zone in which days begin.
    #[schema(required = false)]
    tz: String,
    /// All posts of the range, including unscored posts and posts that no topic matches.
    total_posts: i64,
    /// The sum of the posts of all topics, including unscored posts. A post that several topics match counts for each
    /// of them.
    total_mentions: i64,
    /// All topics, most posts first.
    topics: Vec<TopicShare>,
    /// With `period`: every bucket of the range, oldest first; otherwise `null`.
    data: Option<Vec<ShareBucket>>,
}

/// The posts of one topic.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TopicShare {
    topic: String,
    /// The percentage of `total_mentions` that are posts of this topic.
    share: f64,
    /// The 95 % confidence interval of `share`, which assumes that posts are independent; `null` without posts.
    share_interval: Option<Interval>,
    #[serde(flatten)]
    measures: Measures,
    top_emotions: Vec<TopEmotion>,
}

/// One bucket.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ShareBucket {
    /// The start of the bucket.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// The number of posts of each topic, including unscored posts.
    topics: BTreeMap<String, i64>,
    /// The net sentiment of each topic, in points; topics without scored posts are left out.
    net_sentiment: BTreeMap<String, f64>,
}

/// Share of voice
///
/// Returns each topic's share of the posts of a range. With `period`, also returns the counts over time.
#[utoipa::path(
    get, path = "/api/topics/share", tag = "topics", params(ShareParams),
    responses((status = 200, body = Share), (status = 422, body = Problem))
)]
pub async fn share(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut params = Params::of(&request)?;
    let (start_date, end_date) = params.period();
    let source = params.optional("source", Source::parse);
    let sentiment_of: SentimentOf = params.text("sentiment_of").unwrap_or_default();
    let period = params.optional("period", |text| match text {
        "minute" => Ok(Period::Minute),
        "hour" => Ok(Period::Hour),
        "day" => Ok(Period::Day),
        _ => Err("must be one of minute, hour, day"),
    });
    let zone = params.optional("tz", |name| {
        jiff::tz::TimeZone::get(name).map_err(|_| "must be the name of an IANA time zone, such as Europe/Berlin")
    });
    params.finish()?;
    let zone = zone.unwrap_or(jiff::tz::TimeZone::UTC);
    let latest = last(DEFAULT_RANGE, state.api.clock.now()).end();
    let end = end_date.map_or(latest, |end| end.min(latest));
    let range = TimeRange::new(start_date.unwrap_or(end - DEFAULT_RANGE), end)
        .ok_or_else(|| ApiError::invalid_field("start_date", "must not be in the future"))?;
    let tz = zone.iana_name().unwrap_or("UTC").to_owned();

    let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.as_micros().to_string());
    let tracked = state.api.topics.current();
    let key = format!(
        "share:{}:{}:{}:{}:{}:{tz}:{}",
        time(start_date),
        time(end_date),
        source.as_ref().map_or("-", Source::as_str),
        sentiment_of.as_str(),
        period.map_or("-", Period::as_str),
        tracked.version(),
    );
    let store = state.api.store.clone();
    let compute = async move {
        let filter = PostFilter { source: source.clone(), sentiment_of, ..PostFilter::default() };
        let Some(period) = period else {
            let (all, topics) = tokio::try_join!(store.counts(range, &filter), async {
                Ok(store.topic_windows(range, source.as_ref(), sentiment_of).await?)
            })?;
            let extent = Extent { range, source, period: None, tz };
            return Ok(Share::new(&tracked, extent, all.posts(), &topics));
        };
        let query = AggregateQuery { period, range, filter, zone };
        let (all, buckets) = tokio::try_join!(store.aggregate(&query), store.topic_aggregates(&query))?;
        let sum = |aggregate: &Aggregate| {
            let mut sum = Counts::default();
            for bucket in &aggregate.buckets {
                sum.merge(&bucket.counts);
            }
            sum
        };
        let topics = buckets.iter().map(|(id, aggregate)| (*id, sum(aggregate))).collect();
        let extent = Extent { range: all.range, source, period: Some(period), tz };
        let share = Share::new(&tracked, extent, sum(&all).posts(), &topics);
        Ok(Share { data: Some(over_time(&tracked, &all, &buckets)), ..share })
    };
    Ok(answer::cached(&state.cached(key, compute).await?))
}

/// The range that was counted, and its buckets.
struct Extent {
    range: TimeRange,
    source: Option<Source>,
    period: Option<Period>,
    tz: String,
}

impl Share {
    fn new(tracked: &Tracked, extent: Extent, total_posts: i64, counts: &BTreeMap<TopicId, Counts>) -> Self {
        let Extent { range, source, period, tz } = extent;
        let of = |id| counts.get(&id).copied().unwrap_or_default();
        let total_mentions = tracked.all().iter().map(|topic| of(topic.id).posts()).sum();
        let mut topics: Vec<TopicShare> = tracked
            .all()
            .iter()
            .map(|topic| {
                let counts = of(topic.id);
                TopicShare {
                    topic: topic.name.to_string(),
                    share: percentage(counts.posts(), total_mentions),
                    share_interval: Proportion { hits: counts.posts(), posts: total_mentions }
                        .interval()
                        .map(|interval| interval.scaled(100.0)),
                    measures: Measures::of(&counts),
                    top_emotions: shape::top_emotions(&counts),
                }
            })
            .collect();
        topics.sort_by_key(|topic| std::cmp::Reverse(topic.measures.posts()));
        Self {
            start_date: range.start(),
            end_date: range.end(),
            source: source.map(Source::into_string),
            period,
            tz,
            total_posts,
            total_mentions,
            topics,
            data: None,
        }
    }
}

fn over_time(tracked: &Tracked, all: &Aggregate, topics: &BTreeMap<TopicId, Aggregate>) -> Vec<ShareBucket> {
    let bucket = |(index, bucket): (usize, &crate::store::aggregate::Bucket)| {
        let counts = |id: TopicId| topics.get(&id).and_then(|of| of.buckets.get(index)).map(|bucket| bucket.counts);
        let each = || tracked.all().iter().map(|topic| (topic.name.to_string(), counts(topic.id).unwrap_or_default()));
        ShareBucket {
            timestamp: bucket.start,
            topics: each().map(|(name, counts)| (name, counts.posts())).collect(),
            net_sentiment: each()
                .filter(|(_, counts)| counts.total() > 0)
                .map(|(name, counts)| (name, Measures::of(&counts).net_sentiment))
                .collect(),
        }
    };
    all.buckets.iter().enumerate().map(bucket).collect()
}
