//! Sentiment over time, and the distribution of sentiments.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::{Counts, Period, Sentiment, TimeRange, Timestamp};
use crate::store::aggregate::{Aggregate, AggregateQuery};
use crate::store::posts::{CountedFrom, PostFilter};

use super::answer;
use super::auth::{Authorized, Read};
use super::counted::{CountEcho, CountParams};
use super::error::{ApiError, Problem};
use super::params::Params;
use super::shape::{self, ByEmotion, BySentiment, LanguageCount, TopEmotion};
use super::state::{State, from_cached};

/// The default length of the range of an aggregate.
const DEFAULT_RANGE: Duration = Duration::from_secs(24 * 3_600);

/// The end of a range is exclusive. This offset, added to the current time, includes posts of the current instant.
const INSTANT: Duration = Duration::from_micros(1);

/// The range of `length` up to and including `now`.
pub fn last(length: Duration, now: Timestamp) -> TimeRange {
    TimeRange::last(length, now + INSTANT)
}

/// The parameters of an aggregate.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AggregateParams {
    /// The width of a bucket.
    #[param(example = "hour")]
    period: Period,
    /// Only posts that were created at or after this time, rounded down to the start of a bucket. Default: 24 hours
    /// before the end.
    #[param(value_type = Option<String>, format = DateTime)]
    start_date: Option<Timestamp>,
    /// Only posts that were created before this time, rounded up to the end of a bucket. Default: now.
    #[param(value_type = Option<String>, format = DateTime)]
    end_date: Option<Timestamp>,
    /// The IANA name of the time zone in which days begin, for `period=day`. Default: UTC.
    #[param(value_type = Option<String>, example = "Europe/Berlin")]
    tz: Option<String>,
}

impl AggregateParams {
    fn parse(request: &HttpRequest) -> Result<(Self, CountParams), ApiError> {
        let mut params = Params::of(request)?;
        let period = params.required("period", |text| match text {
            "minute" => Ok(Period::Minute),
            "hour" => Ok(Period::Hour),
            "day" => Ok(Period::Day),
            _ => Err("must be one of minute, hour, day"),
        });
        let (start_date, end_date) = params.period();
        let counted = CountParams::take(&mut params);
        let tz = params.optional("tz", |name| match jiff::tz::TimeZone::get(name) {
            Ok(zone) => Ok(zone.iana_name().unwrap_or(name).to_owned()),
            Err(_) => Err("must be the name of an IANA time zone, such as Europe/Berlin"),
        });
        params.finish()?;
        // `finish` fails without a period, so the default is never used.
        let period = period.unwrap_or(Period::Hour);
        Ok((Self { period, start_date, end_date, tz }, counted))
    }

    fn query(&self, filter: PostFilter, now: Timestamp) -> Result<AggregateQuery, ApiError> {
        let end = self.end_date.unwrap_or(now + INSTANT);
        let start = self.start_date.unwrap_or(end - DEFAULT_RANGE);
        let range = TimeRange::new(start, end)
            .ok_or_else(|| ApiError::invalid_field("start_date", "must be in the past if end_date is not set"))?;
        let zone = self.tz.as_deref().and_then(|name| jiff::tz::TimeZone::get(name).ok());
        Ok(AggregateQuery { period: self.period, range, filter, zone: zone.unwrap_or(jiff::tz::TimeZone::UTC) })
    }

    /// Equal queries have equal keys. The key of a range that ends now does not contain the current time, so that "the
    /// last 24 hours" has the same key in each request.
    fn cache_key(&self) -> String {
        let time = |time: Option<Timestamp>| time.map_or("-".to_owned(), |time| time.as_micros().to_string());
        format!(
            "aggregate:{}:{}:{}:{}",
            self.period.as_str(),
            time(self.start_date),
            time(self.end_date),
            self.tz.as_deref().unwrap_or("-"),
        )
    }
}

/// Counts by bucket.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct AggregateAnswer {
    period: Period,
    /// The start of the range, which is widened to the edges of buckets. The end is exclusive.
    #[schema(value_type = String, format = DateTime)]
    start_date: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    end_date: Timestamp,
    #[serde(flatten)]
    filter: CountEcho,
    tz: String,
    /// Every bucket of the range, oldest first. Buckets without posts have zero counts.
    data: Vec<BucketAnswer>,
    summary: Summary,
    counted_from: CountedFrom,
    /// Whether the response comes from the cache.
    #[serde(default)]
    cached: bool,
    /// When the cached response was computed.
    #[serde(default)]
    #[schema(value_type = String, format = DateTime)]
    cached_at: Option<Timestamp>,
}

/// One bucket.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct BucketAnswer {
    /// The start of the bucket.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    positive_count: i64,
    negative_count: i64,
    neutral_count: i64,
    /// The number of positive, neutral and negative posts together.
    total_count: i64,
    /// Unscored posts, which the total excludes: no model in use supports their language, or the model for their
    /// language has not analysed them yet.
    #[serde(default)]
    #[schema(required = false)]
    unscored_count: i64,
    positive_percentage: f64,
    negative_percentage: f64,
    neutral_percentage: f64,
    average_confidence: f64,
    emotions: ByEmotion<i64>,
}

/// The sums over all buckets.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Summary {
    /// All posts, including unscored ones.
    total_posts: i64,
    #[serde(default)]
    #[schema(required = false)]
    unscored_total: i64,
    positive_total: i64,
    negative_total: i64,
    neutral_total: i64,
    average_confidence: f64,
    emotions: ByEmotion<i64>,
}

impl BucketAnswer {
    fn new(start: Timestamp, counts: &Counts) -> Self {
        Self {
            timestamp: start,
            positive_count: counts.sentiment(Sentiment::Positive),
            negative_count: counts.sentiment(Sentiment::Negative),
            neutral_count: counts.sentiment(Sentiment::Neutral),
            total_count: counts.total(),
            unscored_count: counts.unscored(),
            positive_percentage: counts.percentage(Sentiment::Positive),
            negative_percentage: counts.percentage(Sentiment::Negative),
            neutral_percentage: counts.percentage(Sentiment::Neutral),
            average_confidence: counts.average_confidence(),
            emotions: shape::emotions(counts),
        }
    }
}

impl AggregateAnswer {
    fn new(params: AggregateParams, counted: CountParams, aggregate: &Aggregate) -> Self {
        let mut sum = Counts::default();
        for bucket in &aggregate.buckets {
            sum.merge(&bucket.counts);
        }
        Self {
            period: params.period,
            start_date: aggregate.range.start(),
            end_date: aggregate.range.end(),
            counted_from: CountedFrom::Rollups,
            filter: counted.into(),
            tz: params.tz.unwrap_or_else(|| "UTC".to_owned()),
            data: aggregate.buckets.iter().map(|bucket| BucketAnswer::new(bucket.start, &bucket.counts)).collect(),
            summary: Summary {
                total_posts: sum.posts(),
                unscored_total: sum.unscored(),
                positive_total: sum.sentiment(Sentiment::Positive),
                negative_total: sum.sentiment(Sentiment::Negative),
                neutral_total: sum.sentiment(Sentiment::Neutral),
                average_confidence: sum.average_confidence(),
                emotions: shape::emotions(&sum),
            },
            cached: false,
            cached_at: None,
        }
    }
}

/// Sentiment over time
///
/// Returns counts by minute, hour or day of the time at which posts were created. A range is refused with 422 if it has
/// more than 5,000 buckets, if it starts before the oldest counts that are kept (`retention.minute_rollups` for
/// minutes, `retention.rollups` otherwise), or if `author` or `q` requires more than 100,000 stored posts to be read.
/// Also served at `/api/aggregate`.
#[utoipa::path(
    get, path = "/api/sentiment/aggregate", tag = "sentiment", params(AggregateParams, CountParams),
    responses((status = 200, body = AggregateAnswer), (status = 422, body = Problem))
)]
pub async fn aggregate(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (params, counted) = AggregateParams::parse(&request)?;
    let key = format!("{}:{}", params.cache_key(), counted.cache_key());
    let query = params.query(counted.filter(&state)?, state.api.clock.now())?;
    let counted_from = query.filter.counted_from();
    let store = state.api.store.clone();
    let compute = async move {
        let aggregate = store.aggregate(&query).await?;
        Ok(AggregateAnswer { counted_from, ..AggregateAnswer::new(params, counted, &aggregate) })
    };
    let cached = state.cached(key, compute).await?;
    let mut aggregate: AggregateAnswer = from_cached(&cached)?;
    aggregate.cached = cached.hit;
    aggregate.cached_at = Some(cached.cached_at);
    answer::json(&aggregate)
}

/// The parameters of a distribution.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DistributionParams {
    /// The number of hours before now. Default: 24.
    #[param(minimum = 1, maximum = 8760, default = 24)]
    hours: i64,
}

impl DistributionParams {
    fn parse(request: &HttpRequest) -> Result<(Self, CountParams), ApiError> {
        let mut params = Params::of(request)?;
        let hours = params.number("hours", 1..=8_760, 24);
        let counted = CountParams::take(&mut params);
        params.finish()?;
        Ok((Self { hours }, counted))
    }
}

/// The posts of the last hours by sentiment and emotion.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Distribution {
    timeframe_hours: i64,
    #[serde(flatten)]
    filter: CountEcho,
    distribution: BySentiment<i64>,
    /// The number of positive, neutral and negative posts together.
    total: i64,
    /// Unscored posts, which the total excludes: no model in use supports their language, or the model for their
    /// language has not analysed them yet.
    #[serde(default)]
    #[schema(required = false)]
    unscored_count: i64,
    /// The languages of the unscored posts, most frequent first; `null` if there are unscored posts and the counts are
    /// not from rollups.
    #[serde(default)]
    #[schema(required = false)]
    unscored_languages: Option<Vec<LanguageCount>>,
    percentages: BySentiment<f64>,
    /// The emotions that occur, most frequent first.
    top_emotions: Vec<TopEmotion>,
    average_confidence: f64,
    counted_from: CountedFrom,
    /// Whether the response comes from the cache.
    #[serde(default)]
    cached: bool,
    /// When the cached response was computed.
    #[serde(default)]
    #[schema(value_type = String, format = DateTime)]
    cached_at: Option<Timestamp>,
}

/// Distribution of sentiment
///
/// Returns the counts of the posts that were created within the last hours, by sentiment and emotion. If `author` or
/// `q` requires more than 100,000 stored posts to be read, the request is refused with 422. Also served at
/// `/api/distribution`.
#[utoipa::path(
    get, path = "/api/sentiment/distribution", tag = "sentiment", params(DistributionParams, CountParams),
    responses((status = 200, body = Distribution), (status = 422, body = Problem))
)]
pub async fn distribution(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (DistributionParams { hours }, counted) = DistributionParams::parse(&request)?;
    let key = format!("distribution:{hours}:{}", counted.cache_key());
    let (store, now, filter) = (state.api.store.clone(), state.api.clock.now(), counted.filter(&state)?);
    let compute = async move {
        let range = last(Duration::from_secs(hours.unsigned_abs() * 3_600), now);
        let counts = store.counts(range, &filter).await?;
        let languages = match counts.unscored() {
            0 => Some(BTreeMap::new()),
            _ => store.unscored_languages_in(range, &filter).await?,
        };
        Ok(Distribution {
            timeframe_hours: hours,
            counted_from: filter.counted_from(),
            filter: counted.into(),
            distribution: shape::sentiments(&counts),
            total: counts.total(),
            unscored_count: counts.unscored(),
            unscored_languages: languages.map(shape::languages),
            percentages: shape::percentages(&counts),
            top_emotions: shape::top_emotions(&counts),
            average_confidence: counts.average_confidence(),
            cached: false,
            cached_at: None,
        })
    };
    let cached = state.cached(key, compute).await?;
    let mut distribution: Distribution = from_cached(&cached)?;
    distribution.cached = cached.hit;
    distribution.cached_at = Some(cached.cached_at);
    answer::json(&distribution)
}
