//! Everything that is served, and where.

use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, Resource, Responder, Route, dev::Handler};

use super::error::ApiError;
use super::{
    alerts, analyze, dashboard, dead_letters, docs, feeds, health, openapi, posts, prometheus, sentiment, stats,
    system, ws,
};

/// The table of the API. Reserved names below `/api/posts/` stand before the ids.
pub fn api(config: &mut ServiceConfig) {
    config
        .service(read("/api/health", health::health))
        .service(read("/api/posts/recent", posts::recent))
        .service(read("/api/posts/export", posts::export::export))
        .service(read("/api/posts", posts::list).route(web::post().to(posts::append::append)))
        .service(read("/api/posts/{post_id}", posts::get).route(web::delete().to(posts::delete)))
        .service(read("/api/stats", stats::stats))
        .service(read("/api/sources", stats::sources))
        .service(web::resource("/api/sources/{name}/pause").route(web::post().to(feeds::pause)))
        .service(web::resource("/api/sources/{name}/resume").route(web::post().to(feeds::resume)))
        .service(read("/api/sentiment/aggregate", sentiment::aggregate))
        .service(read("/api/aggregate", sentiment::aggregate))
        .service(read("/api/sentiment/distribution", sentiment::distribution))
        .service(read("/api/distribution", sentiment::distribution))
        .service(read("/api/alerts", alerts::list))
        .service(web::resource("/api/analyze").route(web::post().to(analyze::analyze)))
        .service(read("/api/system", system::system))
        .service(web::resource("/api/dead-letters/replay").route(web::post().to(dead_letters::replay)))
        .service(web::resource("/api/dead-letters/purge").route(web::post().to(dead_letters::purge)))
        .service(read("/api/dead-letters", dead_letters::list))
        .service(read("/api/dead-letters/{id}", dead_letters::get))
        .service(read("/api/openapi.json", openapi::serve))
        .service(read("/api/docs", docs::page))
        .service(read("/api/docs/{file}", docs::file))
        .service(read("/ws/sentiment", ws::open))
        .service(read("/metrics", prometheus::metrics))
        .service(web::scope("/api").default_service(web::to(nothing)))
        .service(web::scope("/ws").default_service(web::to(nothing)))
        .default_service(web::to(dashboard::serve));
    probes(config);
}

/// What every process serves, also without the api role.
pub fn ops(config: &mut ServiceConfig) {
    config.service(read("/metrics", prometheus::render)).default_service(web::to(nothing));
    probes(config);
}

fn probes(config: &mut ServiceConfig) {
    config.service(read("/healthz", health::alive)).service(read("/readyz", health::ready));
}

/// A resource that can be read: GET, and HEAD with the same headers.
#[expect(clippy::needless_pass_by_value, reason = "handlers are function items")]
fn read<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args> + Clone,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let with = |route: Route| route.to(handler.clone());
    web::resource(path).route(with(web::get())).route(with(web::head()))
}

/// There is nothing at the path of the request.
///
/// # Errors
/// Always 404.
async fn nothing(request: HttpRequest) -> Result<&'static str, ApiError> {
    Err(ApiError::from_status(StatusCode::NOT_FOUND, request.path()))
}
