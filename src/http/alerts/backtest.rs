//! What a rule would have done.

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
use crate::rules::load::{DelayCache, LoadError, feed, history, texts};
use crate::store::Store;

/// Most posts whose texts and authors are compared; later windows of the range count every post.
const MAX_TEXTS: usize = 200_000;
/// The longest range.
const LONGEST: Duration = Duration::from_secs(8 * 86_400);

/// A rule and the range to run it over.
#[derive(Serialize, utoipa::ToSchema)]
pub struct BacktestRequest {
    rule: RuleDraft,
    /// Default: 24 hours before `end_date`.
    #[schema(value_type = Option<String>, format = DateTime)]
    start_date: Option<Timestamp>,
    /// Default: now.
    #[schema(value_type = Option<String>, format = DateTime)]
    end_date: Option<Timestamp>,
}

/// What a rule would have done.
#[derive(Serialize, utoipa::ToSchema)]
pub struct BacktestView {
    /// The range as used: whole minutes.
    #[schema(value_type = String, format = DateTime)]
    start_date: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    end_date: Timestamp,
    /// Between two evaluations.
    step_seconds: u64,
    #[serde(flatten)]
    result: Backtest,
}

/// Backtest
///
/// Runs a rule over stored posts with the code of the engine: when it would have fired, for how long, and what it would
/// have measured. Posts count from the time at which they were stored; those that were stored more than three hours after
/// they were written, such as an imported archive, count as punctual. Delays are those that are measured now. The rule is
/// not saved. At most 8 days, as far back as counts by the minute are kept (`retention.minute_rollups`); evaluated at whole
/// minutes.
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
            LoadError::Store(error) => error.into(),
            error @ (LoadError::TooMany(_) | LoadError::NoTopic(_)) => {
                ApiError::invalid_field("rule.scope", error.to_string())
            }
        })?;
        // Thousands of evaluations: not on a thread that serves other requests.
        let run = tokio::task::spawn_blocking(move || run(&spec, &recording, range));
        let result = run.await.map_err(ApiError::internal)?;
        Ok::<_, ApiError>(BacktestView { start_date: range.start(), end_date: range.end(), step_seconds, result })
    });
    answer::json(&tested.await?)
}

/// What the backtest replays.
async fn record(store: &Store, spec: &RuleSpec, range: TimeRange) -> Result<Recording, LoadError> {
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
    errors.extend(fields.keys().map(|name| FieldError::new(name, "is not known: send rule, start_date, end_date")));
    let end = end.unwrap_or(now).min(now).floor(STEP);
    let start = start.unwrap_or(end - DAY).floor(STEP);
    match TimeRange::new(start, end) {
        None => errors.push(FieldError::new("end_date", "must not be before start_date")),
        Some(range) if range.length() > LONGEST => {
            errors.push(FieldError::new("start_date", "must be at most 8 days before end_date"));
        }
        Some(range) if range.start() < kept_from => {
            let message = format!("must not be before {kept_from}: counts by the minute are deleted after that time");
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
