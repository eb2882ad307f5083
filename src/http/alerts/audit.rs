//! The audit trail: acknowledgements of alerts, and changes of rules, receivers, sources, settings and similar objects.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::notify::Kind;
use crate::http::answer;
use crate::http::auth::{Authorized, Read, Scope};
use crate::http::error::{ApiError, Problem};
use crate::http::params::Params;
use crate::http::state::State;
use crate::store::alerts::AuditEntry;

/// The `object_kind` of settings.
const SETTING: &str = "setting";

/// Start and length of a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditParams {
    /// The maximum number of entries on the page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: i64,
    /// `next_cursor` of the previous page.
    #[param(value_type = Option<String>)]
    cursor: Option<i64>,
}

impl AuditParams {
    fn parse(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut params = Params::of(request)?;
        let limit = params.number("limit", 1..=500, 50);
        let cursor = params.cursor();
        params.finish()?;
        Ok(Self { limit, cursor })
    }
}

/// A page of changes and acknowledgements.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AuditList {
    entries: Vec<AuditEntry>,
    limit: i64,
    /// The cursor of the next page; `null` on the last page.
    next_cursor: Option<String>,
}

/// Audit trail
///
/// Returns who acknowledged which alert, and who changed which rule, receiver, route, silence, mute timing, inhibition
/// rule, source or setting, newest first. Without the scope `edit`, URLs are reduced to their origins, header values
/// and arguments of commands are hidden, and `before` and `after` of sources are null. Without the scope `admin`,
/// `before` and `after` of settings are null.
#[utoipa::path(
    get, path = "/api/alerts/audit", tag = "alerts", params(AuditParams),
    responses((status = 200, body = AuditList), (status = 422, body = Problem))
)]
pub async fn list(
    client: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let AuditParams { limit, cursor } = AuditParams::parse(&request)?;
    let store = state.api.store.clone();
    let page = state.run(async move { store.alert_audit(cursor, limit).await }).await?;
    let mut entries = page.items;
    for entry in &mut entries {
        if needed(&entry.object_kind).is_some_and(|scope| !client.principal.has(scope)) {
            (entry.before, entry.after) = (None, None);
        }
    }
    answer::json(&AuditList { entries, limit, next_cursor: page.next.map(|id| id.to_string()) })
}

/// The scope that a client needs, besides `read`, to see the values of an object of this kind. It is the scope that the
/// endpoint of the object requires.
fn needed(object_kind: &str) -> Option<Scope> {
    if object_kind == Kind::Source.as_str() {
        Some(Scope::Edit)
    } else if object_kind == SETTING {
        Some(Scope::Admin)
    } else {
        None
    }
}
