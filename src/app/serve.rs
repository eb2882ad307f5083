//! Running the roles of a process.

mod roles;
mod schema;

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::{Backends, Config, Role};
use crate::http::ModelState;
use crate::inference::SharedClassifier;
use crate::inference::routes::Routes;
use crate::lifecycle::{Shutdown, Supervisor, termination};
use crate::sources::SourceStates;
use crate::telemetry::Metrics;
use crate::telemetry::trace::Tracing;

use super::lock::ServingLock;
use super::settings::Adjusting;
use super::sources::Factory;
use super::{Services, key_file_in_use, model, open, options, routes as language_routes};

use roles::Start;
use schema::Schema;

/// The running roles of this process.
pub struct Running {
    /// The addresses that the API listens on; empty without the API role.
    pub addresses: Vec<SocketAddr>,
    /// The shared modules that the roles use.
    pub services: Services,
    /// Requests a shutdown of the roles, and observes it.
    pub shutdown: Shutdown,
    roles: Vec<Role>,
    supervisor: Supervisor,
    grace: Duration,
    _lock: Option<ServingLock>,
}

impl Running {
    /// Waits for `signal`, or for a role that fails, and stops everything.
    ///
    /// # Errors
    /// When a role failed or did not stop within the grace time.
    pub async fn until(self, signal: impl Future<Output = ()>) -> anyhow::Result<()> {
        self.supervisor.run(signal, self.grace).await
    }

    /// One line for the terminal, with the URL of the dashboard.
    pub fn ready_line(&self) -> String {
        match self.addresses.first() {
            Some(address) if address.ip().is_unspecified() => {
                format!("SentiStream is ready: http://localhost:{}/", address.port())
            }
            Some(address) => format!("SentiStream is ready: http://{address}/"),
            None => {
                let roles: Vec<_> = self.roles.iter().map(ToString::to_string).collect();
                format!("SentiStream is ready: {}", roles.join(", "))
            }
        }
    }
}

/// The maximum time to send the last traces.
const TRACES_GRACE: Duration = Duration::from_secs(2);

/// The parts of a process that tests can replace.
#[derive(Default)]
pub struct Parts {
    /// The clock of all modules; the default is the system clock.
    pub clock: Clock,
    /// Replaces the configured model.
    pub classifier: Option<SharedClassifier>,
    /// The metrics that `/metrics` renders.
    pub metrics: Option<Metrics>,
}

/// Runs the configured roles until a signal ends them, and prints one line when they are ready.
///
/// # Errors
/// When a role cannot start or fails.
pub async fn serve(config: &Config, metrics: Metrics) -> anyhow::Result<()> {
    // The handler is installed first, so that a signal during startup also causes an orderly shutdown.
    let signal = termination();
    let tracing = options::tracing(config).map(|options| Tracing::start(&options, Handle::current())).transpose()?;
    let running = start(config, Parts { metrics: Some(metrics), ..Parts::default() }).await?;
    // Errors are ignored, because the parent process may have closed stdout.
    let _ = writeln!(std::io::stdout(), "{}", running.ready_line());
    let ended = running.until(signal).await;
    if let Some(tracing) = tracing {
        // The last spans are sent on this runtime, so another thread waits for the exporter.
        tokio::task::spawn_blocking(|| tracing.stop(TRACES_GRACE)).await?;
    }
    ended
}

/// Starts the configured roles. Postgres and Redis may be unavailable: roles wait for them.
///
/// # Errors
/// When another process serves from the same embedded database ([`super::InUse`]), a setting cannot be applied, the
/// model of a route is missing or unsuitable, or an address is in use. A main model that cannot be loaded is not an
/// error: loading is retried in the background.
pub async fn start(config: &Config, parts: Parts) -> anyhow::Result<Running> {
    let lock = match &config.backends {
        Backends::Embedded { path } => Some(ServingLock::take(path)?),
        Backends::Shared { .. } => None,
    };
    let services = open(config, parts.clock.clone()).await?;
    if key_file_in_use(config).is_none() {
        tracing::warn!(
            "secrets of receivers and sources are stored unencrypted: set database.key_file to a file of mode 0600 \
             with a key (openssl rand -base64 32)"
        );
    }
    let needs_model = config.has_role(Role::Worker) || config.has_role(Role::Api);
    let llm = model::llm(&config.llm, &parts.clock)?.filter(|_| needs_model);
    let cores = language_routes::cores(config).filter(|_| needs_model);
    let routes = match needs_model {
        true => language_routes::build(config, cores.clone(), parts.clock.clone()).await?,
        false => Routes::default(),
    };
    let loader = model::Loader { config: config.clone(), llm: llm.clone(), cores };
    let first = match parts.classifier {
        Some(classifier) => FirstLoad { state: ModelState::Ready(classifier), is_final: true },
        None if needs_model => first_load(&loader).await,
        None => FirstLoad { state: ModelState::Absent, is_final: true },
    };
    let shutdown = Shutdown::default();
    let adjusting = Adjusting::new(config, &services);
    let mut start = Start {
        config,
        schema: Schema::new(services.store.clone(), adjusting.clone(), shutdown.clone()),
        adjusting,
        supervisor: Supervisor::new(shutdown.clone()),
        states: SourceStates::default(),
        factory: Arc::new(Factory::new(config, &services)),
        services: &services,
        model: Arc::new(watch::channel(first.state).0),
        is_loaded: first.is_final,
        loader,
        routes,
        llm,
        shutdown: shutdown.clone(),
    };
    start.settings();
    start.topics()?;
    start.loader();
    start.routes();
    start.worker();
    start.ingester()?;
    start.alerts();
    start.notify()?;
    let addresses = start.http(parts.metrics).await?;
    let supervisor = start.supervisor;
    let roles = config.roles.clone();
    Ok(Running { addresses, services, shutdown, roles, supervisor, grace: config.shutdown.grace, _lock: lock })
}

/// The result of the first attempt to load the model.
struct FirstLoad {
    state: ModelState,
    /// Whether no further attempt is needed.
    is_final: bool,
}

/// Loads the model. If that fails, the process starts without it, and its worker waits.
async fn first_load(loader: &model::Loader) -> FirstLoad {
    match loader.load().await {
        Ok(model::Loaded::Local(classifier)) => FirstLoad { state: ModelState::Ready(classifier), is_final: true },
        Ok(model::Loaded::Fallback(classifier)) => FirstLoad { state: ModelState::Ready(classifier), is_final: false },
        Err(error) => {
            let reason = format!("{error:#}");
            tracing::error!(
                error = reason,
                "model not loaded; posts wait in the stream until it is loaded (check inference.model, or set llm.provider)"
            );
            FirstLoad { state: ModelState::Failed(reason.into()), is_final: false }
        }
    }
}
