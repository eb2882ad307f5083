//! Comparison of two periods.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::interval::{Interval, Proportion, relative_change};
use crate::domain::{Counts, Sentiment, TimeRange, Timestamp};
use crate::store::posts::CountedFrom;

use super::answer;
use super::auth::{Authorized, Read};
use super::counted::{CountEcho, CountParams};
use super::error::{ApiError, Problem};
use super::params::Params;
use super::sentiment::last;
use super::shape::{self, ByEmotion, BySentiment, Measures};
use super::state::State;

/// The default period.
const DEFAULT_RANGE: Duration = Duration::from_secs(24 * 3_600);

/// The periods to compare.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the parameters as the OpenAPI document describes them")]
pub struct CompareParams {
    /// The start of the later period. Default: 24 hours before its end.
    #[param(value_type = Option<String>, format = DateTime)]
    start_date: Option<Timestamp>,
    /// The end of the later period, exclusive. Default: now. A future time is treated as now, so that an unfinished
    /// period is compared with an earlier one of the same length.
    #[param(value_type = Option<String>, format = DateTime)]
    end_date: Option<Timestamp>,
    /// The start of the earlier period. Both periods have the same length. By default the earlier period ends where the
    /// later period starts.
    #[param(value_type = Option<String>, format = DateTime)]
    previous_start: Option<Timestamp>,
}

/// The counts of two periods, and the changes from the earlier to the later period.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Comparison {
    #[serde(flatten)]
    filter: CountEcho,
    current: PeriodCounts,
    previous: PeriodCounts,
    change: Change,
    counted_from: CountedFrom,
}

/// The posts of a period.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PeriodCounts {
    #[schema(value_type = String, format = DateTime)]
    start_date: Timestamp,
    /// The end of the period, exclusive.
    #[schema(value_type = String, format = DateTime)]
    end_date: Timestamp,
    #[serde(flatten)]
    measures: Measures,
    emotions: ByEmotion<i64>,
}

/// The change from the earlier period to the later one.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Change {
    total: i64,
    /// The growth of the number of scored posts in percent; `null` when the earlier period has no scored posts.
    total_percentage: Option<f64>,
    /// The change of the shares, in percentage points.
    percentages: BySentiment<f64>,
    /// The change of the net sentiment, in points.
    net_sentiment: f64,
    average_confidence: f64,
    emotions: ByEmotion<i64>,
    /// Whether the changes are statistically significant.
    #[schema(required = false)]
    significance: Significance,
}

/// 95 % confidence intervals of the changes. They assume that posts are independent of each other.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Significance {
    /// The interval of `total_percentage`; `null` when a period has no scored posts.
    total_percentage: Option<ChangeInterval>,
    /// The intervals of `percentages`, in percentage points. An interval is `null` when a period has no scored posts.
    percentages: BySentiment<Option<ChangeInterval>>,
}

/// The interval of a change.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ChangeInterval {
    #[serde(flatten)]
    interval: Interval,
    /// Whether the interval excludes zero.
    significant: bool,
}

impl ChangeInterval {
    /// Converts an interval of fractions to percent.
    fn new(interval: Interval) -> Self {
        Self { significant: interval.excludes_zero(), interval: interval.scaled(100.0) }
    }
}

impl Significance {
    fn new(before: &Counts, after: &Counts) -> Self {
        let of = |counts: &Counts, sentiment: Sentiment| Proportion {
            hits: counts.sentiment(sentiment),
            posts: counts.total(),
        };
        let difference = |sentiment| of(after, sentiment).difference(of(before, sentiment)).map(ChangeInterval::new);
        Self {
            total_percentage: relative_change(after.total(), before.total()).map(ChangeInterval::new),
            percentages: BySentiment::from_fn(difference),
        }
    }
}

impl PeriodCounts {
    fn new(range: TimeRange, counts: &Counts) -> Self {
        Self {
            start_date: range.start(),
            end_date: range.end(),
            measures: Measures::of(counts),
            emotions: shape::emotions(counts),
        }
    }
}

impl Change {
    fn new(before: &Counts, after: &Counts) -> Self {
        let rounded = |number: f64| (number * 1e4).round() / 1e4;
        let total = after.total() - before.total();
        Self {
            total,
            total_percentage: (before.total() > 0).then(|| crate::domain::counts::percentage(total, before.total())),
            percentages: BySentiment::from_fn(|sentiment| {
                rounded(after.percentage(sentiment) - before.percentage(sentiment))
            }),
            net_sentiment: rounded(Measures::of(after).net_sentiment - Measures::of(before).net_sentiment),
            average_confidence: rounded(after.average_confidence() - before.average_confidence()),
            emotions: ByEmotion::from_fn(|emotion| after.emotion(emotion) - before.emotion(emotion)),
            significance: Significance::new(before, after),
        }
    }
}

/// Compare two periods
///
/// Returns the counts of two periods of the same length, the changes between them, and whether the changes are
/// statistically significant. If `author` or `q` requires more than 100,000 stored posts to be read, the request is
/// refused with 422.
#[utoipa::path(
    get, path = "/api/compare", tag = "sentiment", params(CompareParams, CountParams),
    responses((status = 200, body = Comparison), (status = 422, body = Problem))
)]
pub async fn compare(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut params = Params::of(&request)?;
    let (start_date, end_date) = params.period();
    let previous_start = params.time("previous_start");
    let counted = CountParams::take(&mut params);
    params.finish()?;

    let now = state.api.clock.now();
    let latest = last(DEFAULT_RANGE, now).end();
    let end = end_date.map_or(latest, |end| end.min(latest));
    let current = TimeRange::new(start_date.unwrap_or(end - DEFAULT_RANGE), end)
        .ok_or_else(|| ApiError::invalid_field("start_date", "must not be in the future"))?;
    let before = previous_start.unwrap_or(current.start() - current.length());
    let previous = TimeRange::new(before, before + current.length())
        .ok_or_else(|| ApiError::invalid_field("previous_start", "is too far in the future"))?;
    let filter = counted.filter(&state)?;
    let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.as_micros().to_string());
    let key =
        format!("compare:{}:{}:{}:{}", time(start_date), time(end_date), time(previous_start), counted.cache_key());
    let store = state.api.store.clone();
    let compute = async move {
        let (after, before) = tokio::try_join!(store.counts(current, &filter), store.counts(previous, &filter))?;
        Ok(Comparison {
            filter: counted.into(),
            current: PeriodCounts::new(current, &after),
            previous: PeriodCounts::new(previous, &before),
            change: Change::new(&before, &after),
            counted_from: filter.counted_from(),
        })
    };
    Ok(answer::cached(&state.cached(key, compute).await?))
}
