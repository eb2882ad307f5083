//! The delivery log.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::notify::{Attempt, Delivery, DeliveryState};
use crate::http::answer;
use crate::http::auth::{Authorized, Edit, Read};
use crate::http::error::{ApiError, Problem};
use crate::http::params::{Params, no_params};
use crate::http::state::State;
use crate::store::notify::{DeliveryFilter, LoggedDelivery};

use super::managed::id;

/// The filter and the page of a list of deliveries.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeliveryParams {
    /// The maximum number of deliveries on the page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: i64,
    /// `next_cursor` of the previous page.
    #[param(value_type = Option<String>)]
    cursor: Option<i64>,
    /// Only deliveries to this receiver.
    receiver: Option<String>,
    /// Only deliveries in this state.
    state: Option<DeliveryState>,
    /// Only deliveries about the alert with this id.
    alert: Option<i64>,
}

impl DeliveryParams {
    fn parse(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut params = Params::of(request)?;
        let limit = params.number("limit", 1..=500, 50);
        let cursor = params.cursor();
        let receiver = params.optional("receiver", |text| match text.chars().count() {
            1..=100 if !text.contains('\0') => Ok(text.to_owned()),
            _ => Err("must be the name of a receiver"),
        });
        let state = params.text("state");
        let alert = params
            .optional("alert", |text| text.parse().ok().filter(|id: &i64| *id > 0).ok_or("must be the id of an alert"));
        params.finish()?;
        Ok(Self { limit, cursor, receiver, state, alert })
    }
}

/// A page of deliveries.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeliveryList {
    deliveries: Vec<Delivery>,
    limit: i64,
    /// The cursor of the next page; `null` on the last page.
    next_cursor: Option<String>,
}

/// A delivery with its attempts.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeliveryView {
    #[serde(flatten)]
    delivery: Delivery,
    /// The attempts, oldest first.
    log: Vec<Attempt>,
}

impl DeliveryView {
    /// The state of the delivery.
    pub fn state(&self) -> DeliveryState {
        self.delivery.state
    }

    /// Whether the delivery was attempted at least once.
    pub fn has_attempts(&self) -> bool {
        !self.log.is_empty()
    }
}

impl From<LoggedDelivery> for DeliveryView {
    fn from(found: LoggedDelivery) -> Self {
        Self { delivery: found.delivery, log: found.attempts }
    }
}

/// Deliveries
///
/// Returns the messages to receivers, newest first. Deliveries are kept for 30 days. Without the scope `edit`, URLs are
/// reduced to their origins.
#[utoipa::path(
    get, path = "/api/alerts/deliveries", tag = "notifications", params(DeliveryParams),
    responses((status = 200, body = DeliveryList), (status = 422, body = Problem))
)]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let DeliveryParams { limit, cursor, receiver, state: wanted, alert } = DeliveryParams::parse(&request)?;
    let (store, filter) = (state.api.store.clone(), DeliveryFilter { receiver, state: wanted, alert });
    let page = state.run(async move { store.deliveries(&filter, cursor, limit).await }).await?;
    answer::json(&DeliveryList { deliveries: page.items, limit, next_cursor: page.next.map(|id| id.to_string()) })
}

/// One delivery
///
/// Returns the delivery with each attempt and the response of the receiver. Without the scope `edit`, URLs are reduced
/// to their origins and the responses are hidden.
#[utoipa::path(
    get, path = "/api/alerts/deliveries/{id}", tag = "notifications", params(("id" = i64, Path)),
    responses((status = 200, body = DeliveryView), (status = 404, body = Problem))
)]
pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let (id, store) = (id(&request)?, state.api.store.clone());
    let found = state.run(async move { store.delivery(id).await }).await?;
    let missing = || ApiError::not_found("no delivery has this id");
    answer::json(&DeliveryView::from(found.ok_or_else(missing)?))
}

/// Send a delivery again
///
/// Sends the same message to the same receiver as a new delivery, and returns the new delivery. If the message is the
/// last one of its group, a success also updates the group: the alerts of the message count as notified. Returns 409
/// for a pending delivery, because its attempts continue.
#[utoipa::path(
    post, path = "/api/alerts/deliveries/{id}/resend", tag = "notifications", params(("id" = i64, Path)),
    responses((status = 202, body = DeliveryView), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub async fn resend(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let (id, store) = (id(&request)?, state.api.store.clone());
    let missing = || ApiError::not_found("no delivery has this id");
    let copied = {
        let store = store.clone();
        state.run(async move { store.resend_delivery(id).await }).await?
    };
    let found = state.run(async move { store.delivery(copied.unwrap_or(id)).await }).await?.ok_or_else(missing)?;
    if copied.is_none() {
        return Err(ApiError::new(StatusCode::CONFLICT, "the delivery is pending and will be retried"));
    }
    answer::json_with(StatusCode::ACCEPTED, &DeliveryView::from(found))
}
