//! Receivers. The API accepts their secrets and never returns them.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::domain::notify::{Channel, DeliveryState, Message, Reason, Receiver, Secrets, Stored, Templates};
use crate::http::auth::{Authorized, Edit, Read};
use crate::http::error::{ApiError, Problem};
use crate::http::params::no_params;
use crate::http::state::State;
use crate::http::{answer, body};
use crate::store::notify::{Draft, LoggedDelivery, NewDelivery, WithSecrets};
use crate::store::{Store, StoreError};

use super::deliveries::DeliveryView;
use super::managed::{checked, one, put, remove, shown, success};

/// The maximum time that a test waits for its first attempts.
const TEST_WAIT: Duration = Duration::from_secs(12);
/// The time between two reads of the test's deliveries.
const TEST_POLL: Duration = Duration::from_millis(150);

/// A receiver.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReceiverView {
    #[serde(flatten)]
    stored: Stored<Receiver>,
    /// The names of the secrets that are set; empty for receivers of the configuration.
    secrets: Vec<String>,
}

impl From<WithSecrets<Receiver>> for ReceiverView {
    fn from(found: WithSecrets<Receiver>) -> Self {
        Self { stored: found.stored, secrets: found.secrets.names() }
    }
}

/// All receivers.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReceiverList {
    receivers: Vec<ReceiverView>,
}

/// A receiver and changes to its secrets.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "on-call",
    "channel": {"kind": "webhook", "url": "https://hooks.example.org/alerts", "headers": {"X-Team": "social"}},
    "secrets": {"signing_key": "a long random text", "header.Authorization": "Bearer …"}
}))]
pub struct ReceiverRequest {
    /// Unique; cannot be changed.
    name: String,
    channel: Channel,
    /// Default: true.
    send_resolved: Option<bool>,
    /// The maximum number of alerts in one message. 1 to 1000; default: 100.
    max_alerts: Option<u32>,
    /// Templates that replace the default texts.
    #[serde(default)]
    templates: Templates,
    /// Changes of secrets by name: a text sets the secret, `null` removes it. Other secrets stay unchanged.
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
            templates: self.templates.clone(),
        }
    }

    /// The secrets after the change. If the destination changes, all secrets must be set again, so that no stored
    /// secret is sent to another destination.
    fn secrets(&self, before: &Stored<Receiver>, kept: Secrets) -> Result<Secrets, ApiError> {
        if before.spec.channel.destination() != self.channel.destination() {
            let unnamed = kept.names().into_iter().find(|name| !self.secrets.contains_key(name));
            if let Some(name) = unnamed {
                let field = format!("secrets.{name}");
                return Err(ApiError::invalid_field(
                    &field,
                    "must be set again, or set to null, because the destination of the receiver changes",
                ));
            }
        }
        Ok(kept.changed(&self.secrets))
    }
}

/// Receivers
///
/// Returns the destinations of notifications, without their secrets. Without the scope `edit`, URLs are reduced to
/// their origins, and header values and arguments of commands are hidden.
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
    responses(
        (status = 201, body = ReceiverView),
        (status = 409, description = "There are 1,000 receivers", body = Problem),
        (status = 422, body = Problem),
    )
)]
pub async fn create(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    save(&state, &request, payload).await
}

/// Change a receiver
///
/// Replaces everything except the secrets: secrets that the request does not name stay unchanged. If the destination
/// changes, the request must name every secret. A receiver of the configuration cannot be changed (409). `If-Match`
/// contains the version that the change is based on.
#[utoipa::path(
    put, path = "/api/alerts/receivers/{id}", tag = "notifications", request_body = ReceiverRequest,
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
    responses(
        (status = 200, body = ReceiverView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem), (status = 428, body = Problem),
    )
)]
pub async fn update(
    _: Authorized<Edit>,
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
            let before = one::<Receiver>(state, request).await?;
            given.secrets(&before.stored, before.secrets)?
        }
    };
    checked(receiver.check_with(&secrets))?;
    let view = ReceiverView::from(put::<Receiver>(state, request, Draft::of(&receiver, secrets)).await?);
    shown(success(request), view.stored.version, &view)
}

/// Delete a receiver
///
/// Returns 409 while routes refer to the receiver, and for a receiver of the configuration.
#[utoipa::path(
    delete, path = "/api/alerts/receivers/{id}", tag = "notifications",
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
    responses(
        (status = 204), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 428, body = Problem),
    )
)]
pub async fn delete(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    remove::<Receiver>(&state, &request).await
}

/// Test a receiver
///
/// Sends a test message (one per recipient) and waits a few seconds for the first attempts. A response with status 200
/// contains the result. Status 202 means that there is no result yet; the delivery log will contain it later. With
/// several recipients the response contains one delivery: a failed one, or else a pending one, or else a delivered one.
#[utoipa::path(
    post, path = "/api/alerts/receivers/{id}/test", tag = "notifications", params(("id" = i64, Path)),
    responses((status = 200, body = DeliveryView), (status = 202, body = DeliveryView), (status = 404, body = Problem))
)]
pub async fn test(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let receiver = one::<Receiver>(&state, &request).await?.stored.spec;
    let message = Message::test(&receiver.name, &state.options.external_url, state.api.clock.now());
    let wait = TEST_WAIT.min(state.options.request_timeout / 2);
    let store = state.api.store.clone();
    let found = state
        .run(async move {
            let mut ids = Vec::new();
            for recipient in receiver.channel.recipients() {
                let new = NewDelivery {
                    receiver: receiver.name.clone(),
                    recipient: recipient.map(str::to_owned),
                    group_key: message.group_key.clone(),
                    reason: Reason::Test,
                    message: message.clone(),
                };
                ids.push(store.add_delivery(&new).await?);
            }
            let attempted = async {
                loop {
                    let found = deliveries(&store, &ids).await?;
                    if found.iter().all(|found| !found.attempts.is_empty()) {
                        return Ok::<_, StoreError>(found);
                    }
                    tokio::time::sleep(TEST_POLL).await;
                }
            };
            match tokio::time::timeout(wait, attempted).await {
                Ok(found) => found,
                Err(_) => deliveries(&store, &ids).await,
            }
        })
        .await?;
    let views: Vec<DeliveryView> = found.into_iter().map(DeliveryView::from).collect();
    // Sorts failures first, then deliveries without an attempt, retries and successes.
    let rank = |view: &DeliveryView| match view.state() {
        DeliveryState::Failed => 0,
        DeliveryState::Pending if !view.has_attempts() => 1,
        DeliveryState::Pending => 2,
        DeliveryState::Delivered => 3,
    };
    let view = views.into_iter().min_by_key(rank);
    let view = view.ok_or_else(|| ApiError::internal("the test delivery cannot be read"))?;
    let status = if view.has_attempts() { StatusCode::OK } else { StatusCode::ACCEPTED };
    answer::json_with(status, &view)
}

async fn deliveries(store: &Store, ids: &[i64]) -> Result<Vec<LoggedDelivery>, StoreError> {
    let mut found = Vec::new();
    for id in ids {
        found.extend(store.delivery(*id).await?);
    }
    Ok(found)
}
