//! Receivers. Their secrets are written and never read.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::domain::notify::{Channel, Message, Reason, Receiver, Secrets, Stored};
use crate::http::auth::{Admin, Authorized, Read};
use crate::http::error::{ApiError, Problem};
use crate::http::params::no_params;
use crate::http::state::State;
use crate::http::{answer, body};
use crate::store::StoreError;
use crate::store::notify::{Draft, NewDelivery};

use super::deliveries::DeliveryView;
use super::{checked, made, one, put, remove, shown};

/// The longest that a test waits for its first attempt, and between two looks.
const TEST_WAIT: Duration = Duration::from_secs(12);
const TEST_LOOK: Duration = Duration::from_millis(150);

/// A receiver.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReceiverView {
    #[serde(flatten)]
    stored: Stored<Receiver>,
    /// The names of the secrets that are set; those of the configuration are not told.
    secrets: Vec<String>,
}

impl From<(Stored<Receiver>, Secrets)> for ReceiverView {
    fn from((stored, secrets): (Stored<Receiver>, Secrets)) -> Self {
        Self { stored, secrets: secrets.names() }
    }
}

/// All receivers.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReceiverList {
    receivers: Vec<ReceiverView>,
}

/// A receiver to be, and changes of its secrets.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "on-call",
    "channel": {"kind": "webhook", "url": "https://hooks.example.org/alerts", "headers": {"X-Team": "social"}},
    "secrets": {"signing_key": "a long random text", "header.Authorization": "Bearer …"}
}))]
pub struct ReceiverRequest {
    /// Unique, and kept for good.
    name: String,
    channel: Channel,
    /// Default: true.
    send_resolved: Option<bool>,
    /// Most alerts in one message. 1 to 1000; default: 100.
    max_alerts: Option<u32>,
    /// By name: a text sets a secret, `null` removes it, and one that is not named stays as it is.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    secrets: BTreeMap<String, Option<SecretString>>,
}

impl ReceiverRequest {
    fn receiver(&self) -> Receiver {
        Receiver {
            name: self.name.clone(),
            channel: self.channel.clone(),
            send_resolved: self.send_resolved.unwrap_or(true),
            max_alerts: self.max_alerts.unwrap_or(100),
        }
    }

    /// The secrets that result. Those that were given for one place are not sent to another.
    fn secrets(&self, before: &Stored<Receiver>, kept: Secrets) -> Result<Secrets, ApiError> {
        if before.spec.channel.destination() != self.channel.destination() {
            let silent = kept.names().into_iter().find(|name| !self.secrets.contains_key(name));
            if let Some(name) = silent {
                let field = format!("secrets.{name}");
                return Err(ApiError::invalid_field(
                    &field,
                    "give it again, or null: the receiver is at another place now",
                ));
            }
        }
        Ok(kept.changed(&self.secrets))
    }
}

/// Receivers
///
/// Who can be told of alerts. Their secrets are never shown.
#[utoipa::path(
    get, path = "/api/alerts/receivers", tag = "notifications", responses((status = 200, body = ReceiverList))
)]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let store = state.api.store.clone();
    let all = state.run(async move { store.managed_with_secrets::<Receiver>().await }).await?;
    answer::json(&ReceiverList { receivers: all.into_iter().map(Into::into).collect() })
}

/// One receiver
#[utoipa::path(
    get, path = "/api/alerts/receivers/{id}", tag = "notifications", params(("id" = i64, Path)),
    responses((status = 200, body = ReceiverView), (status = 404, body = Problem))
)]
pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let view = ReceiverView::from(one::<Receiver>(&state, &request).await?);
    shown(StatusCode::OK, view.stored.version, &view)
}

/// Add a receiver
#[utoipa::path(
    post, path = "/api/alerts/receivers", tag = "notifications", request_body = ReceiverRequest,
    responses((status = 201, body = ReceiverView), (status = 422, body = Problem))
)]
pub async fn create(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    save(&state, &request, payload).await
}

/// Change a receiver
///
/// As a whole, but for its secrets: those that are not named stay. `If-Match` names the version that the change was made from.
#[utoipa::path(
    put, path = "/api/alerts/receivers/{id}", tag = "notifications", request_body = ReceiverRequest,
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
    responses(
        (status = 200, body = ReceiverView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem), (status = 428, body = Problem),
    )
)]
pub async fn update(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    save(&state, &request, payload).await
}

async fn save(state: &State, request: &HttpRequest, payload: Payload) -> Result<HttpResponse, ApiError> {
    no_params(request)?;
    let given: ReceiverRequest = body::json(request, payload, &state.options).await?;
    let receiver = given.receiver();
    let secrets = match request.match_info().get("id") {
        None => Secrets::default().changed(&given.secrets),
        Some(_) => {
            let (before, kept) = one::<Receiver>(state, request).await?;
            given.secrets(&before, kept)?
        }
    };
    checked(receiver.check_with(&secrets))?;
    let view = ReceiverView::from(put::<Receiver>(state, request, Draft::of(&receiver, secrets)).await?);
    shown(made(request), view.stored.version, &view)
}

/// Remove a receiver
///
/// Unless routes refer to it.
#[utoipa::path(
    delete, path = "/api/alerts/receivers/{id}", tag = "notifications",
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
    responses(
        (status = 204), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 428, body = Problem),
    )
)]
pub async fn delete(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    remove::<Receiver>(&state, &request).await
}

/// Test a receiver
///
/// Sends it a message, and waits a few seconds for the answer: 200 with the first attempt, or 202 while there is none
/// yet (the log of deliveries has it later).
#[utoipa::path(
    post, path = "/api/alerts/receivers/{id}/test", tag = "notifications", params(("id" = i64, Path)),
    responses((status = 200, body = DeliveryView), (status = 202, body = DeliveryView), (status = 404, body = Problem))
)]
pub async fn test(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let (stored, _) = one::<Receiver>(&state, &request).await?;
    let (name, store) = (stored.spec.name, state.api.store.clone());
    let message = Message::test(&name, &state.options.external_url, state.api.clock.now());
    let wait = TEST_WAIT.min(state.options.request_timeout / 2);
    let view = state
        .run(async move {
            let id = store.add_delivery(&NewDelivery { receiver: name, reason: Reason::Test, message }).await?;
            let answered = async {
                loop {
                    let found = store.delivery(id).await?;
                    if found.as_ref().is_none_or(|(_, attempts)| !attempts.is_empty()) {
                        return Ok::<_, StoreError>(found);
                    }
                    tokio::time::sleep(TEST_LOOK).await;
                }
            };
            match tokio::time::timeout(wait, answered).await {
                Ok(found) => found,
                Err(_) => store.delivery(id).await,
            }
        })
        .await?
        .map(DeliveryView::from)
        .ok_or_else(|| ApiError::internal("a delivery that was just written is gone"))?;
    let status = if view.has_attempts() { StatusCode::OK } else { StatusCode::ACCEPTED };
    answer::json_with(status, &view)
}
