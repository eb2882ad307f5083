//! The routes of the server.
//!
//! [`endpoints!`] registers each handler once, with the method and path of its `#[utoipa::path]`: the route and the
//! OpenAPI document come from the same annotation.

use std::collections::BTreeMap;

use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, Route};
use utoipa::OpenApi;
use utoipa::openapi::path::HttpMethod;

use super::auth::session::{HEALTH, resolve};
use super::error::ApiError;
use super::{
    access, alerts, analyze, audit, authors, backups, compare, dashboard, dead_letters, demo, docs, feeds, health,
    hooks, insights, limits, notify, oidc, openapi, posts, prometheus, redact, release, sentiment, session, settings,
    sources, stats, system, topics, users, ws,
};

/// Defines `Documented`, the OpenAPI paths of the handlers, and `documented`, the table of their routes.
macro_rules! endpoints {
    ($($handler:ident in $($module:ident)::+),+ $(,)?) => {
        pastey::paste! {
            /// The paths of the OpenAPI document.
            #[derive(OpenApi)]
            #[openapi(paths($($($module)::+::$handler),+))]
            pub struct Documented;

            fn documented() -> Table {
                let mut table = Table::default();
                $(table.add::<$($module)::+::[<__path_ $handler>], _, _>(&$($module)::+::$handler);)+
                table
            }
        }
    };
}

endpoints! {
    health in health,
    ready in health,
    list in posts,
    append in posts::append,
    receive in hooks,
    recent in posts,
    export in posts::export,
    get in posts,
    delete in posts,
    stats in stats,
    sources in stats,
    kinds in sources,
    create in sources,
    get in sources,
    update in sources,
    delete in sources,
    test in sources::trial,
    recognise in sources::trial,
    list in authors,
    pause in feeds,
    resume in feeds,
    get in demo,
    remove in demo,
    aggregate in sentiment,
    distribution in sentiment,
    compare in compare,
    explain in insights,
    list in topics,
    create in topics::edit,
    get in topics,
    change in topics::edit,
    remove in topics::edit,
    backfill in topics::edit,
    preview in topics::preview,
    share in topics::share,
    list in alerts,
    get in alerts,
    acknowledge in alerts,
    list in alerts::audit,
    backtest in alerts::backtest,
    list in alerts::rules,
    create in alerts::rules,
    get in alerts::rules,
    replace in alerts::rules,
    delete in alerts::rules,
    list in notify::receivers,
    create in notify::receivers,
    get in notify::receivers,
    update in notify::receivers,
    delete in notify::receivers,
    test in notify::receivers,
    preview in notify::template,
    list in notify::routing,
    create in notify::routing,
    get in notify::routing,
    update in notify::routing,
    delete in notify::routing,
    preview in notify::preview,
    list in notify::silences,
    create in notify::silences,
    get in notify::silences,
    update in notify::silences,
    expire in notify::silences,
    list in notify::mute_timings,
    create in notify::mute_timings,
    get in notify::mute_timings,
    update in notify::mute_timings,
    delete in notify::mute_timings,
    list in notify::inhibit_rules,
    create in notify::inhibit_rules,
    get in notify::inhibit_rules,
    update in notify::inhibit_rules,
    delete in notify::inhibit_rules,
    list in notify::deliveries,
    get in notify::deliveries,
    resend in notify::deliveries,
    status in notify::v2::status,
    receivers in notify::v2::status,
    list in notify::v2::alerts,
    groups in notify::v2::alerts,
    list in notify::v2::silences,
    save in notify::v2::silences,
    get in notify::v2::silences,
    expire in notify::v2::silences,
    analyze in analyze,
    events in audit::list,
    list in access,
    create in access,
    delete in access,
    sign_in in access,
    current in session,
    sign_in in session,
    sign_out in session,
    change in session::password,
    setup in session::start,
    accept in session::start,
    list in session::list,
    end in session::list,
    end_others in session::list,
    start in oidc,
    callback in oidc,
    list in users,
    create in users,
    get in users,
    change in users::edit,
    delete in users::edit,
    invite in users::edit,
    system in system,
    list in settings,
    get in settings,
    change in settings,
    reset in settings,
    list in backups,
    start in backups,
    download in backups,
    delete in backups,
    migrations in release,
    notes in release,
    list in dead_letters,
    get in dead_letters,
    replay in dead_letters,
    purge in dead_letters,
    open in ws,
}

/// Paths without rate limit that need no credentials. The health report contains more for clients with credentials.
const PROBES: [&str; 3] = ["/api/health", "/healthz", "/readyz"];

/// The routes of each path.
#[derive(Default)]
struct Table(BTreeMap<String, Vec<Route>>);

impl Table {
    /// Adds `handler` under the method and path of its annotation `P`.
    fn add<P, F, Args>(&mut self, handler: &F)
    where
        P: utoipa::Path,
        F: Handler<Args> + Clone,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        for method in P::methods() {
            self.route(&P::path(), &actix_method(&method), handler);
        }
    }

    /// Adds `handler` for GET at a path that the OpenAPI document leaves out.
    fn get<F, Args>(&mut self, path: &str, handler: &F)
    where
        F: Handler<Args> + Clone,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.route(path, &Method::GET, handler);
    }

    /// Adds a route. A GET route also serves HEAD, with the same headers.
    fn route<F, Args>(&mut self, path: &str, method: &Method, handler: &F)
    where
        F: Handler<Args> + Clone,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let routes = self.0.entry(path.to_owned()).or_default();
        routes.push(web::method(method.clone()).to(handler.clone()));
        if *method == Method::GET {
            routes.push(web::head().to(handler.clone()));
        }
    }

    /// Registers every path. The map is sorted, so that a literal segment comes before `{…}` and `/api/posts/recent` is
    /// not read as the id of a post.
    fn register(self, config: &mut ServiceConfig) {
        for (path, routes) in self.0 {
            let resource = routes.into_iter().fold(web::resource(&path), actix_web::Resource::route);
            // The last middleware is the outermost.
            if path == HEALTH {
                config.service(resource.wrap(from_fn(resolve)));
            } else if PROBES.contains(&path.as_str()) {
                config.service(resource);
            } else if redact::applies(&path) {
                let redacted = resource.wrap(from_fn(redact::for_readers));
                config.service(redacted.wrap(from_fn(resolve)).wrap(from_fn(limits::enforce)));
            } else {
                config.service(resource.wrap(from_fn(resolve)).wrap(from_fn(limits::enforce)));
            }
        }
    }
}

fn actix_method(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Trace => Method::TRACE,
    }
}

/// The routes of the api role.
pub fn api(config: &mut ServiceConfig) {
    let mut table = documented();
    table.get("/api/aggregate", &sentiment::aggregate);
    table.get("/api/distribution", &sentiment::distribution);
    table.get("/api/openapi.json", &openapi_document);
    table.get("/api/docs", &docs::page);
    table.get("/api/docs/{file}", &docs::file);
    table.get("/metrics", &prometheus::metrics);
    table.get("/healthz", &health::alive);
    // Posts can have the ids `recent` and `export`. These paths match before `/api/posts/{post_id}`, so DELETE needs a
    // route at each of them.
    for path in ["/api/posts/recent", "/api/posts/export"] {
        table.route(path, &Method::DELETE, &posts::delete);
    }
    table.register(config);
    config
        .service(web::scope("/api").wrap(from_fn(limits::enforce)).default_service(web::to(nothing)))
        .service(web::scope("/ws").wrap(from_fn(limits::enforce)).default_service(web::to(nothing)))
        .default_service(web::to(dashboard::serve));
}

/// The routes of a process without the api role.
pub fn ops(config: &mut ServiceConfig) {
    let mut table = Table::default();
    table.get("/metrics", &prometheus::render);
    table.get("/healthz", &health::alive);
    table.add::<health::__path_ready, _, _>(&health::ready);
    table.register(config);
    config.default_service(web::to(nothing));
}

/// The OpenAPI document as JSON, indented.
pub fn openapi_json() -> String {
    // Serialisation cannot fail: the document contains only strings, numbers and maps with string keys.
    openapi::document(Documented::openapi()).to_pretty_json().unwrap_or_default()
}

/// `GET /api/openapi.json`.
async fn openapi_document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(openapi_json())
}

/// Responds to a path that has no route.
///
/// # Errors
/// Always 404.
async fn nothing(request: HttpRequest) -> Result<&'static str, ApiError> {
    Err(ApiError::from_status(StatusCode::NOT_FOUND, request.path()))
}
