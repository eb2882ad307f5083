//! The log of deliveries.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::notify::{Attempt, Delivery, DeliveryState};
use crate::http::answer;
use crate::http::auth::{Authorized, Read};
use crate::http::error::{ApiError, Problem};
use crate::http::params::{Params, no_params};
use crate::http::state::State;
use crate::store::notify::DeliveryFilter;

use super::id;

/// Which deliveries.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeliveryParams {
    /// Most deliveries on the page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: i64,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<i64>,
    /// Only those to this receiver.
    receiver: Option<String>,
    /// Only those that are so far.
    state: Option<DeliveryState>,
    /// Only those that tell of this alert, by its id.
    alert: Option<i64>,
}

impl DeliveryParams {
    fn parse(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut params = Params::of(request)?;
        let limit = params.number("limit", 1..=500, 50);
        let cursor = params.optional("cursor", |text| {
            text.parse().ok().filter(|id: &i64| *id > 0).ok_or("must be next_cursor of an earlier page")
        });
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
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
}

/// A delivery with its attempts.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeliveryView {
    #[serde(flatten)]
    delivery: Delivery,
    /// Oldest first.
    log: Vec<Attempt>,
}

impl DeliveryView {
    /// Whether it was tried.
    pub fn has_attempts(&self) -> bool {
        !self.log.is_empty()
    }
}

impl From<(Delivery, Vec<Attempt>)> for DeliveryView {
    fn from((delivery, log): (Delivery, Vec<Attempt>)) -> Self {
        Self { delivery, log }
    }
}

/// Deliveries
///
/// Messages to receivers, newest first; kept for 30 days.
#[utoipa::path(
    get, path = "/api/alerts/deliveries", tag = "notifications", params(DeliveryParams),
    responses((status = 200, body = DeliveryList), (status = 422, body = Problem))
)]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let DeliveryParams { limit, cursor, receiver, state: far, alert } = DeliveryParams::parse(&request)?;
    let (store, filter) = (state.api.store.clone(), DeliveryFilter { receiver, state: far, alert });
    let page = state.run(async move { store.deliveries(&filter, cursor, limit).await }).await?;
    answer::json(&DeliveryList { deliveries: page.deliveries, limit, next_cursor: page.next.map(|id| id.to_string()) })
}

/// One delivery
///
/// With each attempt and what the receiver answered.
#[utoipa::path(
    get, path = "/api/alerts/deliveries/{id}", tag = "notifications", params(("id" = i64, Path)),
    responses((status = 200, body = DeliveryView), (status = 404, body = Problem))
)]
pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let (id, store) = (id(&request)?, state.api.store.clone());
    let found = state.run(async move { store.delivery(id).await }).await?;
    let missing = || ApiError::from_status(StatusCode::NOT_FOUND, request.path());
    answer::json(&DeliveryView::from(found.ok_or_else(missing)?))
}
