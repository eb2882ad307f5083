//! Binds, serves and shuts down.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpServiceBuilder;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, boxed, fn_service, map_config};
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, Server as ActixServer, ServerHandle};
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, http::header};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::task::JoinHandle;

use crate::accounts::Accounts;
use crate::lifecycle::Shutdown;

use super::audit::{self, Archive, SecurityLog};
use super::auth::stored::StoredTokens;
use super::auth::{AuthError, Authenticator};
use super::gate::{Admitted, Gate, HEAD_TIMEOUT};
use super::limits::Limiter;
use super::options::{Adjustable, WRITE_BUFFER};
use super::state::State;
use super::{Api, HttpOptions, inflow, observe, prometheus, routes, ws};

/// Why the server cannot start or has ended.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// An address cannot be bound.
    #[error(
        "cannot listen on {address}: {reason}; stop the process that uses the address, or set another address in server.listen (server.ops_listen in a process without the api role)"
    )]
    Bind {
        /// The resolved address from `server.listen`, or from `server.ops_listen` without the API role.
        address: SocketAddr,
        /// Why the address cannot be bound.
        reason: std::io::Error,
    },
    /// The configuration of `server.auth` is invalid.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The server ended without a shutdown.
    #[error("the HTTP server failed: {0}")]
    Failed(String),
}

/// A running server.
pub struct Server {
    addresses: Vec<SocketAddr>,
    running: JoinHandle<std::io::Result<()>>,
    archive: Option<RunningArchive>,
}

/// The task that stores audit events. It ends after the last request.
struct RunningArchive {
    requests: Shutdown,
    task: JoinHandle<()>,
}

impl Server {
    /// The bound addresses.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Waits until the server has ended after a shutdown.
    ///
    /// # Errors
    /// When the server ended without a shutdown.
    pub async fn finished(self) -> Result<(), HttpError> {
        let ended = self.running.await;
        if let Some(RunningArchive { requests, task }) = self.archive {
            requests.stop();
            // The result is ignored, because the task logs its errors.
            let _ = task.await;
        }
        match ended {
            Ok(result) => result.map_err(|e| HttpError::Failed(e.to_string())),
            Err(panic) => Err(HttpError::Failed(panic.to_string())),
        }
    }
}

/// Interval at which idle clients of the rate limit are removed and metrics compacted.
const TIDY_EVERY: Duration = Duration::from_secs(10);

/// Serves the API until `shutdown`. Then WebSocket clients are disconnected, requests in progress may take up to
/// `options.drain`, and the remaining connections are closed. Must be called within a Tokio runtime.
///
/// # Errors
/// When an address cannot be bound or a key of `server.auth` is invalid.
pub fn serve(api: Api, options: HttpOptions, shutdown: Shutdown) -> Result<Server, HttpError> {
    // The access policy depends on the configured addresses, so it is created before an address is bound.
    let stored = Arc::new(StoredTokens::default());
    let accounts = Accounts::new(api.store.clone(), api.clock.clone(), options.sessions);
    let authenticator = Authenticator::new(&options, stored.clone(), accounts.clone(), api.clock.clone())?;
    prometheus::describe_metrics();
    let limiter = Data::new(Limiter::new(&options));
    let state = Data::new(State::new(api, options));
    let (log, events) = SecurityLog::new();
    let log = Data::new(log);
    let surface = Surface::Api { authenticator: Data::new(authenticator), limiter: limiter.clone(), log: log.clone() };
    let mut server = start(&state, &surface, &shutdown)?;

    let store = state.api.store.clone();
    tokio::spawn(stored.follow(store.clone(), shutdown.clone()));
    tokio::spawn(accounts.follow(shutdown.clone()));
    let archive = Archive {
        store,
        retention: state.options.audit_retention,
        adjustable: state.options.adjustable.clone(),
        clock: state.api.clock.clone(),
    };
    let requests = Shutdown::default();
    let task = tokio::spawn(audit::store(events, archive, requests.clone()));
    server.archive = Some(RunningArchive { requests, task });

    // The hub subscribes before the first client connects, so that clients miss no event.
    tokio::spawn(state.hub.clone().run(state.api.live.subscribe(), shutdown.clone()));
    tokio::spawn(ws::snapshot::broadcast(state.clone(), shutdown.clone()));
    tokio::spawn(adjust(state.clone(), limiter.clone(), shutdown.clone()));
    tokio::spawn(observe_progress(state.clone(), shutdown.clone()));
    tokio::spawn(async move {
        while shutdown.sleep(TIDY_EVERY).await {
            limiter.remove_idle();
            log.denials().remove_idle();
            state.admission.remove_idle();
            state.turns.remove_idle();
            tidy_metrics(&state);
        }
    });
    Ok(server)
}

/// Serves `/healthz`, `/readyz` and `/metrics` alone, for a process without the api role.
///
/// # Errors
/// When an address cannot be bound.
pub fn serve_ops(api: Api, options: HttpOptions, shutdown: Shutdown) -> Result<Server, HttpError> {
    let state = Data::new(State::new(api, options));
    let server = start(&state, &Surface::Ops, &shutdown)?;
    tokio::spawn(async move {
        while shutdown.sleep(TIDY_EVERY).await {
            tidy_metrics(&state);
        }
    });
    Ok(server)
}

fn tidy_metrics(state: &State) {
    if let Some(metrics) = &state.api.metrics {
        metrics.upkeep();
    }
}

/// Applies the options that change while the server runs.
async fn adjust(state: Data<State>, limiter: Data<Limiter>, shutdown: Shutdown) {
    let Some(mut adjustable) = state.options.adjustable.clone() else { return };
    loop {
        let current = *adjustable.borrow_and_update();
        if let Some(Adjustable { rate_limit, analyze_budget, .. }) = current {
            limiter.set(rate_limit);
            state.admission.set(analyze_budget);
        }
        if !matches!(shutdown.unless_stopping(adjustable.changed()).await, Some(Ok(()))) {
            break;
        }
    }
}

async fn observe_progress(state: Data<State>, shutdown: Shutdown) {
    loop {
        if let Some(depth) = state.progress.observe(&state.api, state.options.check_timeout).await {
            state.inflow.record(&depth);
        }
        if !shutdown.sleep(inflow::SAMPLE_EVERY).await {
            break;
        }
    }
}

/// The set of routes that a server has.
#[derive(Clone)]
enum Surface {
    Api { authenticator: Data<Authenticator>, limiter: Data<Limiter>, log: Data<SecurityLog> },
    Ops,
}

impl Surface {
    fn configure(&self, config: &mut ServiceConfig) {
        match self {
            Self::Api { authenticator, limiter, log } => {
                config
                    .app_data(authenticator.clone())
                    .app_data(limiter.clone())
                    .app_data(log.clone())
                    .configure(routes::api);
            }
            Self::Ops => routes::ops(config),
        }
    }
}

/// The maximum number of connections that the kernel completes before they are accepted.
const BACKLOG: i32 = 2_048;
/// The maximum time for a connection to close.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

fn start(state: &Data<State>, surface: &Surface, shutdown: &Shutdown) -> Result<Server, HttpError> {
    let options = state.options.clone();
    let origins: Arc<[String]> = options.cors_origins.clone().into();
    let gate = Gate::new(&options, shutdown.clone());
    let mut server = ActixServer::build()
        .workers(options.workers.max(1))
        .disable_signals()
        .shutdown_timeout(options.drain.as_secs());
    let mut addresses = Vec::new();
    for &address in &options.listen {
        let bind = |reason| HttpError::Bind { address, reason };
        let listener = listen(address).map_err(bind)?;
        addresses.push(listener.local_addr().map_err(bind)?);
        let (state, surface, origins) = (state.clone(), surface.clone(), origins.clone());
        let (gate, shutdown) = (gate.clone(), shutdown.clone());
        let connections = move || {
            let surface = surface.clone();
            let app = App::new()
                .app_data(state.clone())
                // The last middleware is the outermost.
                .wrap(Compress::default())
                .wrap(cors(&origins))
                .wrap(from_fn(observe::observe))
                .configure(|config| surface.configure(config))
                .into_factory()
                .map_err(|error| error.error_response());
            let (gate, shutdown) = (gate.clone(), shutdown.clone());
            let http = HttpServiceBuilder::default()
                .client_request_timeout(HEAD_TIMEOUT)
                .client_disconnect_timeout(CLOSE_WAIT)
                .h1_write_buffer_size(WRITE_BUFFER)
                // A client that closes its half of the connection no longer waits for the response, so its reads are
                // cancelled.
                .h1_allow_half_closed(false)
                .local_addr(address)
                .graceful_shutdown_signal(move || {
                    let shutdown = shutdown.clone();
                    async move { shutdown.stopping().await }
                })
                .on_connect_ext(|connection: &Admitted, data| {
                    data.insert(connection.received());
                })
                .finish::<_, BoxBody>(map_config(app, |()| AppConfig::default()));
            // The future of the parser is boxed, so that a connection that still waits does not reserve memory for the
            // future.
            fn_service(move |io| gate.clone().admit(io)).and_then(boxed::factory(http))
        };
        server = server.listen(address.to_string(), listener, connections).map_err(bind)?;
    }
    let server = server.run();
    tokio::spawn(stop(server.handle(), shutdown.clone()));
    Ok(Server { addresses, running: tokio::spawn(server), archive: None })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

async fn stop(server: ServerHandle, shutdown: Shutdown) {
    shutdown.stopping().await;
    tokio::select! {
        () = server.stop(true) => {}
        () = shutdown.abandoned() => server.stop(false).await,
    }
}

fn cors(origins: &[String]) -> actix_cors::Cors {
    let mut cors = actix_cors::Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "DELETE"])
        .allowed_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            header::IF_MATCH,
            observe::REQUEST_ID,
        ])
        .expose_headers([
            "x-request-id",
            "retry-after",
            "ratelimit",
            "ratelimit-policy",
            "content-disposition",
            "etag",
            "location",
        ])
        .max_age(3_600);
    for origin in origins {
        cors = cors.allowed_origin(origin);
    }
    cors
}
