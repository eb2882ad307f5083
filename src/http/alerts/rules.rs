//! Rules: listing and changing them. The header `If-Match` of a change contains the version that the change is based
//! on.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::Value;

use super::number;
use crate::domain::Timestamp;
use crate::domain::alert::{Instance, InstanceState, Rule, RuleDraft, RuleSpec, Scope};
use crate::http::answer;
use crate::http::auth::{Actor, Authorized, Edit, Read};
use crate::http::body;
use crate::http::error::{ApiError, Problem};
use crate::http::params::{last_segment, no_params};
use crate::http::state::State;
use crate::store::alerts::{RuleChange, RuleRefusal};

/// The maximum number of rules. It bounds the cost of the periodic evaluation.
const MAX_RULES: usize = 500;

/// A rule and the state of its series.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RuleView {
    id: i64,
    /// The version of the rule, which increases with each change. The ETag is this number in quotes.
    version: i64,
    /// Whether the rule comes from the configuration and is read-only.
    provisioned: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    #[serde(flatten)]
    rule: RuleDraft,
    /// The most severe state of the rule's series.
    state: InstanceState,
    /// The series of the rule whose state is not `normal`.
    series: Vec<SeriesView>,
}

/// A series of a rule: the posts of one scope, such as one source. Only series whose state is not `normal` are listed.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SeriesView {
    /// The posts that the series counts: `all`, `source:NAME`, …
    scope: String,
    state: InstanceState,
    /// The event time at which the state began.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    value: Option<f64>,
    /// The id of the open alert, if there is one.
    alert_id: Option<i64>,
    /// Why the series could not be evaluated.
    reason: Option<String>,
}

impl RuleView {
    fn new(rule: &Rule, series: &[Instance]) -> Self {
        use InstanceState::{Error, Firing, NoData, Normal, Pending, Recovering};
        let series: Vec<&Instance> = series.iter().filter(|series| series.rule_id == rule.id).collect();
        let is = |state: &InstanceState| series.iter().any(|series| series.state == *state);
        let state = [Firing, Recovering, Pending, Error, NoData].into_iter().find(is).unwrap_or(Normal);
        let view = |series: &&Instance| SeriesView {
            scope: series.scope.clone(),
            state: series.state,
            since: series.since,
            value: series.value,
            alert_id: series.alert_id,
            reason: series.reason.clone(),
        };
        Self {
            id: rule.id,
            version: rule.version,
            provisioned: rule.provisioned,
            created_at: rule.created_at,
            updated_at: rule.updated_at,
            rule: RuleDraft::from(&rule.spec),
            state,
            series: series.iter().map(view).collect(),
        }
    }
}

/// All rules.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RuleListView {
    rules: Vec<RuleView>,
    /// When rules were evaluated last; `null` before the first evaluation.
    #[schema(value_type = Option<String>, format = DateTime)]
    evaluated_at: Option<Timestamp>,
    /// The names of rules that another version of the program wrote and this version cannot read.
    unreadable: Vec<String>,
}

/// Rules
///
/// All rules, oldest first.
#[utoipa::path(get, path = "/api/alerts/rules", tag = "alerts", responses((status = 200, body = RuleListView)))]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let store = state.api.store.clone();
    let read = async move {
        let (list, series) = (store.alert_rules().await?, store.alert_instances().await?);
        let rules = list.rules.iter().map(|rule| RuleView::new(rule, &series)).collect();
        let evaluated_at = store.observed_until().await?;
        Ok::<_, ApiError>(RuleListView { rules, evaluated_at, unreadable: list.unreadable })
    };
    answer::json(&state.run(read).await?)
}

/// One rule
#[utoipa::path(
    get, path = "/api/alerts/rules/{id}", tag = "alerts", params(("id" = i64, Path, description = "The rule's id")),
    responses(
        (status = 200, body = RuleView, headers(("ETag" = String, description = "The rule's version, for `If-Match`"))),
        (status = 404, body = Problem)
    )
)]
pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let id = number(&last_segment(&request)?)?;
    let store = state.api.store.clone();
    let read = async move { Ok::<_, ApiError>((store.alert_rule(id).await?, store.alert_instances().await?)) };
    let (rule, series) = state.run(read).await?;
    let rule = rule.ok_or_else(|| no_such_rule(id))?;
    view(StatusCode::OK, &rule, &series)
}

/// Add a rule
#[utoipa::path(
    post, path = "/api/alerts/rules", tag = "alerts", request_body = RuleDraft,
    responses(
        (status = 201, body = RuleView),
        (status = 409, description = "The name is taken, or there are 500 rules", body = Problem),
        (status = 422, body = Problem)
    )
)]
pub async fn create(
    _: Authorized<Edit>,
    actor: Actor,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let spec = spec(&request, payload, &state).await?;
    let store = state.api.store.clone();
    let created = state.run(async move {
        if store.alert_rules().await?.rules.len() >= MAX_RULES {
            return Err(ApiError::conflict(format!("there are {MAX_RULES} rules, the maximum: delete one first")));
        }
        store.create_alert_rule(&spec, &actor.0).await?.map_err(|refusal| refused(&refusal, 0))
    });
    let rule = created.await?;
    let mut response = view(StatusCode::CREATED, &rule, &[])?;
    if let Ok(place) = HeaderValue::from_str(&format!("/api/alerts/rules/{}", rule.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// Replace a rule
///
/// `If-Match` must contain the version that the change is based on: the ETag of the rule as it was read, or `*` for any
/// version. A rule of the configuration cannot be changed (403).
#[utoipa::path(
    put, path = "/api/alerts/rules/{id}", tag = "alerts", request_body = RuleDraft,
    params(
        ("id" = i64, Path, description = "The rule's id"),
        ("If-Match" = String, Header, description = "The ETag of the rule as it was read, or `*`", example = "\"1\"")
    ),
    responses(
        (status = 200, body = RuleView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem), (status = 422, body = Problem),
        (status = 428, body = Problem)
    )
)]
pub async fn replace(
    _: Authorized<Edit>,
    actor: Actor,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let id = number(&last_segment(&request)?)?;
    let change = RuleChange { actor: actor.0, version: version(&request)? };
    let spec = spec(&request, payload, &state).await?;
    let store = state.api.store.clone();
    let changed = state.run(async move {
        let rule = store.update_alert_rule(id, &spec, &change).await?.map_err(|refusal| refused(&refusal, id))?;
        Ok::<_, ApiError>((rule, store.alert_instances().await?))
    });
    let (rule, series) = changed.await?;
    view(StatusCode::OK, &rule, &series)
}

/// Delete a rule
///
/// The next evaluation resolves the firing alerts of the rule. `If-Match` is required as for a
/// replacement. A rule of the configuration cannot be deleted (403).
#[utoipa::path(
    delete, path = "/api/alerts/rules/{id}", tag = "alerts",
    params(
        ("id" = i64, Path, description = "The rule's id"),
        ("If-Match" = String, Header, description = "The ETag of the rule as it was read, or `*`", example = "\"1\"")
    ),
    responses(
        (status = 204, description = "Deleted"), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 412, body = Problem), (status = 428, body = Problem)
    )
)]
pub async fn delete(
    _: Authorized<Edit>,
    actor: Actor,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let id = number(&last_segment(&request)?)?;
    let change = RuleChange { actor: actor.0, version: version(&request)? };
    let store = state.api.store.clone();
    let deleted =
        state.run(async move { store.delete_alert_rule(id, &change).await?.map_err(|refusal| refused(&refusal, id)) });
    deleted.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The rule in the body.
async fn spec(request: &HttpRequest, payload: Payload, state: &web::Data<State>) -> Result<RuleSpec, ApiError> {
    let rule: Value = body::json(request, payload, &state.options).await?;
    let spec = RuleSpec::parse(rule).map_err(ApiError::invalid)?;
    if let Scope::Topic(name) = &spec.scope {
        let (store, wanted) = (state.api.store.clone(), name.clone());
        if state.run(async move { Ok::<_, ApiError>(store.topic(&wanted).await?) }).await?.is_none() {
            let message = format!("there is no topic {name}: track it first, with POST /api/topics");
            return Err(ApiError::invalid_field("scope", message));
        }
    }
    Ok(spec)
}

fn view(status: StatusCode, rule: &Rule, series: &[Instance]) -> Result<HttpResponse, ApiError> {
    let mut response = answer::json_with(status, &RuleView::new(rule, series))?;
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", rule.version)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// The version that `If-Match` names; `None` for `*`.
fn version(request: &HttpRequest) -> Result<Option<i64>, ApiError> {
    let Some(value) = request.headers().get(header::IF_MATCH) else {
        let hint = "send If-Match with the ETag of the rule as you read it, so that no other change is overwritten";
        return Err(ApiError::new(StatusCode::PRECONDITION_REQUIRED, hint));
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    // A version is never negative, so that -1 matches no rule.
    Ok(Some(text.trim_matches('"').parse().unwrap_or(-1)))
}

fn no_such_rule(id: i64) -> ApiError {
    ApiError::not_found(format!("there is no rule {id}"))
}

fn refused(refusal: &RuleRefusal, id: i64) -> ApiError {
    match refusal {
        RuleRefusal::Unknown => no_such_rule(id),
        RuleRefusal::Changed { version } => ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            format!("the rule now has version {version}: read it again and repeat the change"),
        ),
        RuleRefusal::Provisioned => ApiError::forbidden(
            "the rule belongs to the configuration ([alerts]): change it there, or create a rule with another name",
        ),
        RuleRefusal::NameTaken => ApiError::conflict("another rule has this name"),
    }
}
