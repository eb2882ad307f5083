//! The OpenAPI document, derived from the handlers.

use utoipa::OpenApi;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as OpenApiDocument, RefOr, Required, Schema};

use super::error;
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
    components(schemas(error::Problem<'static>, PostEvent, Alert, Transition)),
    tags(
        (name = "posts", description = "Posts and their analyses"),
        (name = "sentiment", description = "Counts over time, totals, sources"),
        (name = "insights", description = "What changed between two ranges, and what caused it"),
        (name = "topics", description = "Tracked topics: queries that every new post is matched against"),
        (name = "alerts", description = "Alert rules and alerts"),
        (
            name = "notifications",
            description = "Receivers, routes, silences, inhibition rules, mute timings and the delivery log"
        ),
        (name = "alertmanager", description = "The part of Alertmanager's API v2 for amtool, karma and Grafana"),
        (name = "analyze", description = "Classify texts without storing them"),
        (name = "live", description = "The WebSocket of live events"),
        (name = "dead letters", description = "Entries that could not be processed"),
        (name = "security", description = "Users, sessions, tokens, sign-in and the audit log"),
        (name = "operations", description = "Health, sources, settings, backups and the state of the process"),
    ),
    security((), ("bearer" = []), ("session" = [])),
)]
struct Document;

/// The document with these paths of handlers.
pub fn document(paths: OpenApiDocument) -> OpenApiDocument {
    let mut document = Document::openapi();
    document.merge(paths);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A token that POST /api/tokens or POST /api/sign-in created, or a configured static token or JWT. \
             Scopes: read, write, respond, edit, admin.",
        ))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let session = ApiKeyValue::with_description(
        "sentistream_session",
        "The session of a signed-in user; over https the cookie has the name __Host-sentistream.",
    );
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    for (path, item) in &mut document.paths.paths {
        let methods = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in methods {
            let Some(operation) = operation else { continue };
            operation.operation_id = Some(operation_id(method, path));
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter
                    && has_default(parameter)
                {
                    parameter.required = Required::False;
                }
            }
        }
    }
    document
}

/// A unique name of an operation: `get_posts_by_post_id` for `GET /api/posts/{post_id}`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split('/').filter(|segment| !segment.is_empty() && *segment != "api").map(|segment| match segment
        .strip_prefix('{')
        .and_then(|name| name.strip_suffix('}'))
    {
        Some(name) => format!("by_{name}"),
        None => segment.replace('-', "_"),
    });
    std::iter::once(method.to_owned()).chain(words).collect::<Vec<_>>().join("_")
}

/// Whether a parameter has a default and is therefore optional.
fn has_default(parameter: &Parameter) -> bool {
    matches!(&parameter.schema, Some(RefOr::T(Schema::Object(object))) if object.default.is_some())
}
