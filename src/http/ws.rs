//! The WebSocket: live posts, alerts and counts.

pub mod client;
pub mod frame;
pub mod hub;
pub mod request;
pub mod session;
mod slices;
pub mod snapshot;

use actix_web::http::header;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::auth::{Authenticator, Credential, Scope, origin};
use super::error::{ApiError, Problem};
use super::params::no_params;
use super::state::State;
use session::{Access, Connection, Session};
use slices::Slices;

/// The subprotocol that the server selects.
const PROTOCOL: &str = "sentistream";
/// The prefix of the token in a second subprotocol, which browsers use because they cannot set headers. The server
/// never echoes it.
const TOKEN_PREFIX: &str = "bearer.";
/// The maximum size of a frame from a client, in bytes.
const MAX_FRAME: usize = 64 * 1024;

/// Live events
///
/// A WebSocket. The server sends `connected`, `post`, `metrics_update`, `alert`, `alert_state`, `post_deleted` and
/// `lagged`. A client may send `{"type": "subscribe", "filters": {"topic": …, "source": …, "sentiment": …, "emotion":
/// …, "lang": …}}` and `{"type": "ping"}`. The answers are `subscribed`, `pong`, and `error` for an invalid message.
/// Each filter is a value or a list of up to 100 values, and applies to `post` only. A browser sends its token as the
/// subprotocols `sentistream, bearer.TOKEN`, or the cookie of its session.
#[utoipa::path(
    get, path = "/ws/sentiment", tag = "live",
    responses(
        (status = 101, description = "The connection is upgraded to a WebSocket"),
        (status = 400, description = "Not a WebSocket handshake", body = Problem),
        (status = 401, description = "No valid token or session", body = Problem),
        (status = 403, description = "The page of another site, or no permission to read", body = Problem),
        (status = 422, description = "The request has parameters", body = Problem),
        (
            status = 503, body = Problem,
            description = "Too many clients, the server is shutting down, or the database does not answer"
        ),
    )
)]
pub async fn open(
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    origin::check(&request, &state.options.cors_origins)?;
    let principal = match token(&request) {
        Some(token) => authenticator.authorize_token(&request, Some(&token), Scope::Read)?,
        None => authenticator.authorize(&request, Scope::Read)?,
    };
    if principal.credential == Credential::Local && authenticator.requires_credentials() {
        return Err(ApiError::unavailable("the database does not answer, so the client cannot be checked; try again"));
    }
    if principal.session().is_some() {
        // The origin is checked, because browsers send the cookie also with requests of pages of other sites.
        origin::check_page(&request, &state.options.cors_origins)?;
    }
    if state.hub.is_closing() {
        return Err(ApiError::unavailable("the server is shutting down"));
    }
    let (client, queue) = state.hub.join(&state.options.live, state.proxies.client(&request)).ok_or_else(|| {
        ApiError::unavailable(
            "too many live clients: close one, or raise server.websocket.max_clients or max_per_client",
        )
    })?;
    let (response, socket, messages) = actix_ws::handle_with_protocols(&request, payload, &[PROTOCOL])
        .map_err(|e| ApiError::malformed(format!("this is not a WebSocket handshake: {e}")))?;
    let access = Access { authenticator, principal };
    let session = Session::new(state, access, Connection { client, queue, socket });
    actix_web::rt::spawn(session.run(messages.max_frame_size(MAX_FRAME).aggregate_continuations()));
    Ok(response.map_body(|_, body| Slices::new(body)).map_into_boxed_body())
}

/// The token among the offered subprotocols.
fn token(request: &HttpRequest) -> Option<String> {
    request
        .headers()
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix(TOKEN_PREFIX).map(str::to_owned))
}
