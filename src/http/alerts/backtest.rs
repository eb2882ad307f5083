//! Backtests: the alerts that a rule would have raised over stored posts.

use std::time::Duration;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::alert::{RuleDraft, RuleSpec};
use crate::domain::{FieldError, TimeRange, Timestamp};
use crate::http::answer;
use crate::http::auth::{Authorized, Read};
use crate::http::body;
use crate::http::error::{ApiError, Problem};
use crate::http::params::no_params;
use crate::http::state::State;
use crate::rules::DAY;
use crate::rules::backtest::{Backtest, Recording, STEP, run, step, windows_to_read};
use crate::rules::load::{DelayCache, RuleLoadError, feed, history, texts};
use crate::store::Store;

/// The number of posts after which no more texts and authors are read. In the remaining windows every post counts, even
/// if its text repeats.
const MAX_TEXTS: usize = 200_000;
/// The maximum length of the range.
const LONGEST: Duration = Duration::from_secs(8 * 86_400);

/// A rule and the range to run it over.
#[derive(Serialize, utoipa::ToSchema)]
pub struct BacktestRequest {
    rule: RuleDraft,
    /// Default: 24 hours before `end_date`.
    #[schema(value_type = Option<String>, format = DateTime)]
    start_date: Option<Timestamp>,
    /// Default: now. A future time is treated as now.
    #[schema(value_type = Option<String>, format = DateTime)]
    end_date: Option<Timestamp>,
}

/// The alerts that a rule would have raised.
#[derive(Serialize, utoipa::ToSchema)]
pub struct BacktestView {
    /// The start of the evaluated range, at a whole minute.
    #[schema(value_type = String, format = DateTime)]
    start_date: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    end_date: Timestamp,
    /// The time between two evaluations.
    step_seconds: u64,
    #[serde(flatten)]
    result: Backtest,
}

/// Backtest
///
/// Runs a rule over stored posts with the code of the alert engine, and returns when the rule would have fired, for how
/// long, and the measured values. A post is visible to the rule from the time at which it was stored. Posts that were
/// stored more than three hours after they were written, such as an imported archive, count as stored without delay.
/// A rule allows for the usual delay between the writing and the storing of the posts of a source. Past values of this
/// delay are not recorded, so the backtest uses the current values. The rule is not saved. The range is at most 8 days
/// and cannot start before the oldest minute rollup that is kept (`retention.minute_rollups`). The rule is evaluated at
/// whole minutes: at its own interval, or less often if the range is long (`step_seconds`). If the rule ignores copies
/// of texts or repeated authors, up to about 200,000 posts are compared, the oldest first; in the remaining windows
/// every post counts.
#[utoipa::path(
    post, path = "/api/alerts/rules/backtest", tag = "alerts", request_body = BacktestRequest,
    responses((status = 200, body = BacktestView), (status = 422, body = Problem))
)]
pub async fn backtest(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let body: Value = body::json(&request, payload, &state.options).await?;
    let now = state.api.clock.now();
    let (spec, range) = parse(body, now, state.api.store.minutes_kept_from())?;
    let store = state.api.store.clone();
    let tested = state.read(async move {
        let (step_seconds, recording) = (step(&spec, range).as_secs(), record(&store, &spec, range).await);
        let recording = recording.map_err(|error| match error {
            RuleLoadError::Store(error) => error.into(),
            error @ (RuleLoadError::TooMany(_) | RuleLoadError::NoTopic(_)) => {
                ApiError::invalid_field("rule.scope", error.to_string())
            }
        })?;
        // Thousands of evaluations would block a thread that serves other requests.
        let run = tokio::task::spawn_blocking(move || run(&spec, &recording, range));
        let result = run.await.map_err(ApiError::internal)?;
        Ok::<_, ApiError>(BacktestView { start_date: range.start(), end_date: range.end(), step_seconds, result })
    });
    answer::json(&tested.await?)
}

/// Reads the data that the backtest replays.
async fn record(store: &Store, spec: &RuleSpec, range: TimeRange) -> Result<Recording, RuleLoadError> {
    let scope = feed(&spec.scope);
    let delays = DelayCache::default().of(store, &scope, range.end()).await?;
    let mut recording = Recording { delays, ..Recording::new(history(store, &scope, range).await?) };
    if spec.reads_posts() {
        let windows = windows_to_read(spec, &recording, range);
        let mut read = 0;
        for window in windows {
            if read >= MAX_TEXTS {
                break;
            }
            let posts = texts(store, &scope, window).await?;
            read += posts.len();
            recording.texts.insert(window, posts);
        }
    }
    Ok(recording)
}

/// The rule and the range, in whole minutes.
fn parse(body: Value, now: Timestamp, kept_from: Timestamp) -> Result<(RuleSpec, TimeRange), ApiError> {
    let Value::Object(mut fields) = body else { return Err(ApiError::invalid_field("body", "must be a JSON object")) };
    let mut errors = Vec::new();
    let mut time = |name: &str| {
        let value = fields.remove(name).filter(|value| !value.is_null())?;
        let time: Result<Timestamp, _> = serde_json::from_value(value);
        time.map_err(|error| errors.push(FieldError::new(name, error.to_string()))).ok()
    };
    let (start, end) = (time("start_date"), time("end_date"));
    let mut rule = fields.remove("rule").unwrap_or_else(|| json!({}));
    // A rule that is not saved needs no name.
    if let Some(rule) = rule.as_object_mut() {
        rule.entry("name").or_insert_with(|| json!("backtest"));
    }
    let spec = RuleSpec::parse(rule).map_err(|wrong| {
        errors.extend(wrong.into_iter().map(|error| FieldError::new(format!("rule.{}", error.field), error.message)));
    });
    errors.extend(fields.keys().map(|name| FieldError::new(name, "is unknown: send rule, start_date, end_date")));
    let end = end.unwrap_or(now).min(now).floor(STEP);
    let start = start.unwrap_or(end - DAY).floor(STEP);
    match TimeRange::new(start, end) {
        None => errors.push(FieldError::new("end_date", "must not be before start_date")),
        Some(range) if range.length() > LONGEST => {
            errors.push(FieldError::new("start_date", "must be at most 8 days before end_date"));
        }
        Some(range) if range.start() < kept_from => {
            let message = format!("must not be before {kept_from}: older counts per minute are deleted");
            errors.push(FieldError::new("start_date", message));
        }
        Some(range) => {
            if let (Ok(spec), true) = (spec, errors.is_empty()) {
                return Ok((spec, range));
            }
        }
    }
    Err(ApiError::invalid(errors))
}
