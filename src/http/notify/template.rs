//! Previews of messages.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;
use crate::domain::notify::render::{self, Texts, html};
use crate::domain::notify::template::example;
use crate::domain::notify::{Channel, Message, Templates, text};
use crate::http::auth::{Authorized, Edit};
use crate::http::error::{ApiError, Problem};
use crate::http::params::no_params;
use crate::http::state::State;
use crate::http::{answer, body};

use super::managed::checked;

/// The receiver and the templates to preview.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "channel": {"kind": "slack"}, "templates": {"title": "{{ status | upper }}: {{ commonLabels.alertname }}"}
}))]
pub struct MessagePreviewRequest {
    /// The kind of receiver; secrets are not needed.
    channel: Channel,
    #[serde(default)]
    templates: Templates,
    /// The id of a delivery whose message is rendered; without it an example message is rendered.
    delivery: Option<i64>,
}

/// A rendered message, in the form that the receiver gets.
#[derive(Serialize, utoipa::ToSchema)]
pub struct MessagePreview {
    /// The title: the heading, subject or summary of the message, depending on the kind.
    title: String,
    /// The text.
    text: String,
    /// The HTML of an email; null for other kinds.
    html: Option<String>,
    /// The JSON that is sent, without secrets; null for email.
    #[schema(value_type = Object)]
    payload: serde_json::Value,
}

/// Preview a message
///
/// Renders the message of a receiver with its templates, without sending it. The error 422 contains the line of a
/// template that is not valid.
#[utoipa::path(
    post, path = "/api/alerts/receivers/preview", tag = "notifications", request_body = MessagePreviewRequest,
    responses((status = 200, body = MessagePreview), (status = 404, body = Problem), (status = 422, body = Problem))
)]
pub async fn preview(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let wanted: MessagePreviewRequest = body::json(&request, payload, &state.options).await?;
    let now = state.api.clock.now();
    let message = match wanted.delivery {
        None => example("preview", &state.options.external_url, now),
        Some(id) => {
            let store = state.api.store.clone();
            let found = state.run(async move { store.delivery(id).await }).await?;
            found.ok_or_else(|| ApiError::not_found("no delivery has this id"))?.delivery.message
        }
    };
    let rendered = state.read(async move {
        // A template that reaches its limits takes long to render and would delay other requests of this thread.
        let rendering = tokio::task::spawn_blocking(move || preview_of(&wanted, &message, now));
        rendering.await.map_err(ApiError::internal)?
    });
    answer::json(&rendered.await?)
}

fn preview_of(wanted: &MessagePreviewRequest, message: &Message, now: Timestamp) -> Result<MessagePreview, ApiError> {
    checked(wanted.templates.check())?;
    let texts = Texts::new(&wanted.templates, message);
    let html = matches!(wanted.channel, Channel::Email { .. }).then(|| html::page(message, &texts));
    let payload = render::json(&wanted.channel, message, &texts, now);
    let text = texts.body.unwrap_or_else(|| text::body(message));
    Ok(MessagePreview { title: texts.title, text, html, payload })
}
