//! Listing and ending sessions.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::domain::account::SignInMethod;
use crate::domain::{Page, Timestamp};
use crate::http::answer;
use crate::http::auth::{Authenticator, Authorization, Authorized, Principal, Read, Scope};
use crate::http::error::{ApiError, Problem};
use crate::http::params::{Params, last_segment, no_params};
use crate::http::state::State;
use crate::store::accounts::{SessionFilter, SignedInUser};

/// Filter, start and length of a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SessionParams {
    /// The maximum number of sessions on the page.
    #[param(minimum = 1, maximum = 200, default = 100)]
    limit: i64,
    /// `next_cursor` of the previous page.
    #[param(value_type = Option<String>)]
    cursor: Option<i64>,
    /// Whose sessions to list: the id of a user, or `all`. `all` and the id of another user require the scope `admin`.
    /// The default is the signed-in user. A client without a session always needs the scope `admin`, and its default is
    /// `all`.
    #[param(value_type = Option<String>)]
    user: Option<Whose>,
}

/// Whose sessions to list.
#[derive(Clone, Copy)]
enum Whose {
    All,
    User(i64),
}

impl SessionParams {
    fn parse(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut params = Params::of(request)?;
        let limit = params.number("limit", 1..=200, 100);
        let cursor = params.cursor();
        let user = params.optional("user", |text| match text {
            "all" => Ok(Whose::All),
            id => id.parse().map(Whose::User).map_err(|_| "must be the id of a user, or all"),
        });
        params.finish()?;
        Ok(Self { limit, cursor, user })
    }
}

/// A signed-in browser.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionView {
    id: i64,
    user: SessionUser,
    /// When the user signed in.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The time of the last request, accurate to a minute.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    /// When the session ends even if it is in use.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// When the session ends without another request.
    #[schema(value_type = String, format = DateTime)]
    idle_expires_at: Timestamp,
    /// The address of the client at the sign-in.
    address: Option<String>,
    /// The `User-Agent` at the sign-in.
    user_agent: Option<String>,
    method: SignInMethod,
    /// Whether this is the session that sends the request.
    current: bool,
}

/// The user of a session.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionUser {
    id: i64,
    name: String,
}

/// A page of sessions.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionList {
    sessions: Vec<SessionView>,
    /// The cursor of the next page; `null` on the last page.
    next_cursor: Option<String>,
}

/// Sessions
///
/// Returns the sessions of the signed-in user that have not ended, newest first. With the scope `admin`, the parameter
/// `user` selects the sessions of other users.
#[utoipa::path(
    get, path = "/api/sessions", tag = "security", params(SessionParams),
    responses((status = 200, body = SessionList), (status = 403, body = Problem), (status = 422, body = Problem))
)]
pub async fn list(
    client: Authorized<Read>,
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let SessionParams { limit, cursor, user } = SessionParams::parse(&request)?;
    let own = client.principal.session().map(|known| known.session.user_id);
    let user_id = match (user, own) {
        (None, Some(own)) => Some(own),
        (Some(Whose::User(id)), Some(own)) if id == own => Some(id),
        (user, _) => {
            authenticator.authorize(&request, Scope::Admin)?;
            match user {
                Some(Whose::User(id)) => Some(id),
                Some(Whose::All) | None => None,
            }
        }
    };
    let accounts = authenticator.accounts().clone();
    let filter = SessionFilter { user_id, before: cursor, ..SessionFilter::default() };
    let sessions = state.run(async move { accounts.sessions(filter, limit + 1).await }).await?;
    let page = Page::of(sessions, limit, |last| last.session.id.to_string());
    let page = page.map(|known| view(known, &client.principal, &authenticator));
    answer::json(&SessionList { sessions: page.items, next_cursor: page.next })
}

fn view(known: SignedInUser, client: &Principal, authenticator: &Authenticator) -> SessionView {
    let idle_expires_at = authenticator.accounts().idle_expiry(&known);
    let SignedInUser { session, name, .. } = known;
    SessionView {
        id: session.id,
        user: SessionUser { id: session.user_id, name },
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        expires_at: session.expires_at,
        idle_expires_at,
        address: session.address,
        user_agent: session.user_agent,
        method: session.method,
        current: client.session().is_some_and(|own| own.session.id == session.id),
    }
}

/// End a session
///
/// Signs the browser out: this instance rejects the session immediately, other instances within a second. The
/// WebSockets of the session are closed. Users without the scope `admin` can end only their own sessions.
#[utoipa::path(
    delete, path = "/api/sessions/{id}", tag = "security", params(("id" = i64, Path)),
    responses((status = 204, description = "Ended"), (status = 404, body = Problem))
)]
pub async fn end(
    client: Authorized<Read>,
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let owner = match client.principal.session() {
        Some(known) if !client.principal.has(Scope::Admin) => Some(known.session.user_id),
        _ => {
            authenticator.authorize(&request, Scope::Admin)?;
            None
        }
    };
    Authorization::of_own_change(&client.principal).keep(&request);
    let missing = || ApiError::not_found("there is no session with this id");
    let id: i64 = last_segment(&request)?.parse().map_err(|_| missing())?;
    let accounts = authenticator.accounts().clone();
    let ended = state.run(async move { accounts.end_session(id, owner).await }).await?;
    if ended { Ok(HttpResponse::NoContent().finish()) } else { Err(missing()) }
}

/// End the other sessions
///
/// Ends all sessions of the signed-in user except the session of this request.
#[utoipa::path(
    delete, path = "/api/sessions", tag = "security",
    responses(
        (status = 204, description = "Ended"), (status = 409, description = "The client has no session", body = Problem),
    )
)]
pub async fn end_others(
    client: Authorized<Read>,
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let known = client.principal.session().ok_or_else(|| ApiError::conflict("only a signed-in user has sessions"))?;
    Authorization::of_own_change(&client.principal).keep(&request);
    let (accounts, user, kept) = (authenticator.accounts().clone(), known.session.user_id, known.session.id);
    state.run(async move { accounts.end_sessions_of(user, Some(kept)).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
