//! The OpenAPI document, derived from the handlers.

use actix_web::HttpResponse;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::{alerts, analyze, dead_letters, error, feeds, health, posts, sentiment, stats, system, ws};
use crate::domain::alert::Transition;
use crate::domain::{Alert, PostEvent};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "SentiStream",
        description = "Real-time sentiment and emotion of social-media posts. Times are RFC 3339 in UTC; errors are \
                       `application/problem+json` (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        health::health, health::ready,
        posts::list, posts::recent, posts::export::export, posts::get, posts::append::append, posts::delete,
        stats::stats, stats::sources, feeds::pause, feeds::resume, sentiment::aggregate, sentiment::distribution,
        alerts::list, analyze::analyze, system::system,
        dead_letters::list, dead_letters::get, dead_letters::replay, dead_letters::purge,
        ws::open,
    ),
    components(schemas(error::Problem<'static>, PostEvent, Alert, Transition)),
    tags(
        (name = "posts", description = "Posts and their analyses"),
        (name = "sentiment", description = "Counts over time, totals, sources"),
        (name = "alerts", description = "Conditions that held over a window"),
        (name = "analyze", description = "Classifying texts on request"),
        (name = "live", description = "Events as they happen"),
        (name = "dead letters", description = "What could not be processed"),
        (name = "operations", description = "Whether it works"),
    ),
    security((), ("bearer" = [])),
)]
struct Document;

/// The document, as `GET /api/openapi.json` serves it.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A static token or a JWT, when auth is configured. Scopes: read, write, admin."))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    document
}

/// The document as JSON, indented.
pub fn document_json() -> String {
    // The document is ours and holds nothing that JSON cannot.
    document().to_pretty_json().unwrap_or_default()
}

/// `GET /api/openapi.json`.
pub async fn serve() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document_json())
}
