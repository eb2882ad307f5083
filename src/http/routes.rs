//! Everything that is served, and where.

use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, Resource, Responder, Route, dev::Handler};

use super::error::ApiError;
use super::{
    alerts, analyze, compare, dashboard, dead_letters, docs, feeds, health, notify, openapi, posts, prometheus,
    sentiment, stats, system, topics, ws,
};

/// The table of the API. Reserved names below `/api/posts/` and `/api/alerts/` stand before the ids.
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
        .service(read("/api/compare", compare::compare))
        .service(read("/api/topics", topics::list).route(web::post().to(topics::edit::create)))
        .service(web::resource("/api/topics/preview").route(web::post().to(topics::preview::preview)))
        .service(read("/api/topics/share", topics::share::share))
        .service(
            read("/api/topics/{name}", topics::get)
                .route(web::put().to(topics::edit::change))
                .route(web::delete().to(topics::edit::remove)),
        )
        .service(web::resource("/api/topics/{name}/backfill").route(web::post().to(topics::edit::backfill)))
        .configure(notify::routes)
        .service(read("/api/alerts", alerts::list))
        .service(read("/api/alerts/rules", alerts::rules::list).route(web::post().to(alerts::rules::create)))
        .service(web::resource("/api/alerts/rules/backtest").route(web::post().to(alerts::backtest::backtest)))
        .service(
            read("/api/alerts/rules/{id}", alerts::rules::get)
                .route(web::put().to(alerts::rules::replace))
                .route(web::delete().to(alerts::rules::delete)),
        )
        .service(read("/api/alerts/audit", alerts::audit::list))
        .service(web::resource("/api/alerts/{id:\\d+}/acknowledge").route(web::post().to(alerts::acknowledge)))
        .service(read("/api/alerts/{id:\\d+}", alerts::get))
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
pub(super) fn read<F, Args>(path: &str, handler: F) -> Resource
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
