//! Running the roles of a process.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, watch};

use crate::alerts::{self, AlertsOptions, AlertsServices};
use crate::backups::Backups;
use crate::clock::Clock;
use crate::config::{Backends, Config, Role};
use crate::http::auth::needs_first_token;
use crate::http::{self, Administration, Api, ComponentState, Components, HttpOptions, ModelState};
use crate::inference::routes::Routes;
use crate::inference::{ActiveClassifier, Llm, SharedClassifier};
use crate::ingester::{self, IngesterServices, Limited};
use crate::lifecycle::{BackendWait, Shutdown, Supervisor, termination};
use crate::notify::{self, NotifyServices};
use crate::sources::SourceStates;
use crate::sources::managed::SourceFactory;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::telemetry::trace::Tracing;
use crate::worker::{self, Worker};

use super::demo::DemoTask;
use super::lock::ServingLock;
use super::settings::Adjusting;
use super::sources::Factory;
use super::{Services, key_file_in_use, model, open, options, routes, sign_in};

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
    // A stdout that the parent process has closed is not an error.
    let _ = writeln!(std::io::stdout(), "{}", running.ready_line());
    let ended = running.until(signal).await;
    if let Some(tracing) = tracing {
        // The last batch is sent on this runtime, so waiting for it must not block the runtime.
        tokio::task::spawn_blocking(|| tracing.stop(TRACES_GRACE)).await?;
    }
    ended
}

/// Starts the configured roles. Postgres and Redis may be unavailable: roles wait for them.
///
/// # Errors
/// When another process serves from the same embedded database ([`super::InUse`]), a setting cannot be
/// applied, the model of a route is missing or unsuitable, or an address is in use. Another model that cannot be loaded is not an error: loading is retried in the
/// background.
pub async fn start(config: &Config, parts: Parts) -> anyhow::Result<Running> {
    let lock = match &config.backends {
        Backends::Embedded { path } => Some(ServingLock::take(path)?),
        Backends::Shared { .. } => None,
    };
    let services = open(config, parts.clock.clone()).await?;
    if key_file_in_use(config).is_none() {
        tracing::warn!(
            "secrets of receivers are stored unencrypted: set database.key_file to a file of mode 0600 with a key \
             (openssl rand -base64 32)"
        );
    }
    let needs_model = config.has_role(Role::Worker) || config.has_role(Role::Api);
    let llm = model::llm(&config.llm, &parts.clock)?.filter(|_| needs_model);
    let cores = routes::cores(config).filter(|_| needs_model);
    let routes = match needs_model {
        true => routes::build(config, cores.clone(), parts.clock.clone()).await?,
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
    start.demo();
    start.alerts();
    start.notify()?;
    let addresses = start.http(parts.metrics).await?;
    let supervisor = start.supervisor;
    let roles = config.roles.clone();
    Ok(Running { addresses, services, shutdown, roles, supervisor, grace: config.shutdown.grace, _lock: lock })
}

struct Start<'a> {
    config: &'a Config,
    services: &'a Services,
    schema: Schema,
    /// The settings that people change while the process runs.
    adjusting: Adjusting,
    supervisor: Supervisor,
    states: SourceStates,
    factory: Arc<dyn SourceFactory>,
    /// The state of the model. The sender exists as long as the roles that watch the state.
    model: Arc<watch::Sender<ModelState>>,
    /// Whether the local model is loaded, or not needed.
    is_loaded: bool,
    loader: model::Loader,
    /// The models for other languages.
    routes: Routes,
    llm: Option<Llm>,
    shutdown: Shutdown,
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

impl Start<'_> {
    /// Keeps the settings of this process up to date.
    fn settings(&mut self) {
        let (adjusting, shutdown) = (self.adjusting.clone(), self.shutdown.clone());
        self.spawn("settings", async move {
            adjusting.follow(shutdown).await;
            Ok(())
        });
    }

    /// Keeps the topics of this process up to date. Processes with the worker role also store the configured topics.
    fn topics(&mut self) -> anyhow::Result<()> {
        let wanted = options::topics(self.config)?;
        let provides = self.config.has_role(Role::Worker);
        let (store, topics, shutdown) =
            (self.services.store.clone(), self.services.topics.clone(), self.shutdown.clone());
        self.spawn("topics", async move {
            let mut backoff = BackendWait::new("topics");
            while provides && !shutdown.is_stopping() {
                match store.provision_topics(wanted.clone()).await {
                    Ok(()) => break,
                    Err(error) => backoff.wait(&error, &shutdown).await,
                }
            }
            topics.follow(shutdown).await;
            Ok(())
        });
        Ok(())
    }

    /// Retries to load a model that could not be loaded.
    fn loader(&mut self) {
        if !self.is_loaded {
            let loader = self.loader.clone();
            let (states, shutdown) = (Arc::clone(&self.model), self.shutdown.clone());
            self.spawn("model", async move {
                model::keep_loading(loader, states, shutdown).await;
                Ok(())
            });
        }
    }

    /// Releases models of routes that are not needed.
    fn routes(&mut self) {
        if !self.routes.is_empty() {
            let (routes, shutdown) = (self.routes.clone(), self.shutdown.clone());
            let unload_after = self.config.inference.unload_after;
            self.spawn("routes", async move {
                routes::release(routes, unload_after, shutdown).await;
                Ok(())
            });
        }
    }

    fn worker(&mut self) {
        if !self.config.has_role(Role::Worker) {
            return;
        }
        let (config, services, shutdown) = (self.config.clone(), self.services.clone(), self.shutdown.clone());
        let second_opinion = model::second_opinion(&config.llm, self.llm.as_ref());
        let topic_doubts = model::topic_doubts(&config.llm, self.llm.as_ref());
        let (model, routes) = (self.model.subscribe(), self.routes.clone());
        let other_languages = self.adjusting.other_languages.clone();
        self.spawn("worker", async move {
            let Some(classifier) = model::ready(model.clone(), &shutdown).await else { return Ok(()) };
            let active = ActiveClassifier::from(classifier);
            let rest = super::worker(&config, &services, active.clone());
            let mut worker = Worker { second_opinion, topic_doubts, routes, ..rest };
            worker.options.languages.others = other_languages;
            tokio::select! {
                result = worker::run(worker, shutdown) => result,
                () = model::follow(model, active) => Ok(()),
            }
        });
    }

    fn ingester(&mut self) -> anyhow::Result<()> {
        if self.config.has_role(Role::Ingester) {
            let sources = super::sources::sources(self.config, self.services)?;
            let services = IngesterServices {
                stream: self.services.stream.clone(),
                store: self.services.store.clone(),
                states: self.states.clone(),
                clock: self.services.clock.clone(),
            };
            let options = Limited::from(options::ingester(self.config));
            let factory = self.factory.clone();
            let managed = ingester::managed::run(factory, services.clone(), options.clone(), self.shutdown.clone());
            let role = ingester::run(sources, services, options, self.shutdown.clone());
            self.spawn("ingester", role);
            self.spawn("managed sources", managed);
        }
        Ok(())
    }

    /// Starts the demonstration task, which belongs to the ingester role.
    fn demo(&mut self) {
        if self.config.has_role(Role::Ingester) {
            let task = DemoTask::new(self.config, self.services, self.shutdown.clone());
            self.spawn("demonstration", task.run());
        }
    }

    fn alerts(&mut self) {
        if self.config.has_role(Role::Alerts) {
            let services = AlertsServices {
                store: self.services.store.clone(),
                stream: self.services.stream.clone(),
                live: self.services.live.clone(),
                clock: self.services.clock.clone(),
            };
            let options = AlertsOptions { rules: self.adjusting.rules().into(), ..options::alerts(self.config) };
            let role = alerts::run(services, options, self.shutdown.clone());
            self.spawn("alerts", role);
        }
    }

    /// Starts the notifier, which belongs to the alerts role.
    fn notify(&mut self) -> anyhow::Result<()> {
        if self.config.has_role(Role::Alerts) {
            let services = NotifyServices {
                store: self.services.store.clone(),
                outbound: self.services.outbound.clone(),
                clock: self.services.clock.clone(),
            };
            let role = notify::run(services, options::notify(self.config)?, self.shutdown.clone());
            self.spawn("notify", role);
        }
        Ok(())
    }

    /// Starts the API, or the operational endpoints in a process without the api role.
    async fn http(&mut self, metrics: Option<Metrics>) -> anyhow::Result<Vec<SocketAddr>> {
        let api = Api {
            store: self.services.store.clone(),
            stream: self.services.stream.clone(),
            topics: self.services.topics.clone(),
            live: self.services.live.clone(),
            cache: Some(self.services.cache.clone()),
            model: self.model.subscribe(),
            routes: self.routes.clone(),
            clock: self.services.clock.clone(),
            metrics,
            components: components(self.states.clone(), self.llm.clone(), self.routes.clone()),
            sources: Some(self.factory.clone()),
            names: super::sources::names(self.config, self.services),
            administration: Administration {
                settings: Some(self.adjusting.settings.clone()),
                backups: options::backups(self.config)
                    .map(|options| Backups::new(options, self.services.clock.clone())),
            },
            reads_bluesky: super::sources::reads_bluesky(self.config),
        };
        let serves_api = self.config.has_role(Role::Api);
        let options = HttpOptions { adjustable: Some(self.adjusting.http()), ..options::http(self.config).await? };
        if serves_api && needs_first_token(options.auth.as_ref(), &options.listen) {
            self.first_sign_in(options.external_url.clone());
        }
        let server = match (serves_api, options.listen.is_empty()) {
            (true, _) => http::serve(api, options, self.shutdown.clone()),
            (false, false) => http::serve_ops(api, options, self.shutdown.clone()),
            (false, true) => return Ok(Vec::new()),
        };
        let server = server?;
        let addresses = if serves_api { server.addresses().to_vec() } else { Vec::new() };
        let states = Arc::clone(&self.model);
        self.spawn("api", async move {
            // The sender must live as long as the server, which watches the model's state.
            let _states = states;
            Ok(server.finished().await?)
        });
        Ok(addresses)
    }

    /// Creates the first admin token, once per database, and prints it with a sign-in link.
    fn first_sign_in(&mut self, url: String) {
        let (store, clock) = (self.services.store.clone(), self.services.clock.clone());
        let shutdown = self.shutdown.clone();
        self.spawn("first sign-in", async move {
            let mut wait = BackendWait::new("database");
            while !shutdown.is_stopping() {
                match sign_in::first(&store, &clock).await {
                    Ok(Some(first)) => {
                        // A closed stdout is not an error.
                        let _ = write!(std::io::stdout(), "{}", first.notice(&url));
                        break;
                    }
                    Ok(None) => break,
                    Err(error) if error.is_transient() => wait.wait(&error, &shutdown).await,
                    Err(error) => return Err(error.into()),
                }
            }
            shutdown.stopping().await;
            Ok(())
        });
    }

    /// Starts a role. Every role waits for the schema, except the API, which reports that it is missing.
    fn spawn(&mut self, name: &'static str, role: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let schema = self.schema.clone();
        self.supervisor.spawn(name, async move {
            if name != "api" && !schema.ready().await? {
                return Ok(());
            }
            role.await
        });
    }
}

/// The schema of the database, migrated once per process, and the settings that it stores.
#[derive(Clone)]
struct Schema {
    store: Store,
    adjusting: Adjusting,
    shutdown: Shutdown,
    migrated: Arc<OnceCell<()>>,
}

impl Schema {
    fn new(store: Store, adjusting: Adjusting, shutdown: Shutdown) -> Self {
        Self { store, adjusting, shutdown, migrated: Arc::default() }
    }

    /// Waits for the database, migrates it, and applies the stored settings; `false` when a stop was requested first.
    async fn ready(&self) -> anyhow::Result<bool> {
        let migrate = self.migrated.get_or_try_init(|| async {
            let mut backoff = BackendWait::new("database");
            loop {
                let prepare = async {
                    self.store.migrate().await?;
                    self.adjusting.refresh().await
                };
                match prepare.await {
                    Ok(()) => return Ok(()),
                    Err(error) if error.is_transient() => backoff.wait(&error, &self.shutdown).await,
                    Err(error) => return Err(error),
                }
            }
        });
        match self.shutdown.unless_stopping(migrate).await {
            None => Ok(false),
            Some(result) => result.map(|()| true).context("the database cannot be migrated"),
        }
    }
}

fn components(states: SourceStates, llm: Option<Llm>, routes: Routes) -> Components {
    Arc::new(move || {
        let component = |source: crate::sources::SourceState| ComponentState {
            name: format!("source:{}", source.name),
            healthy: source.state.is_healthy(),
            state: source.state.as_str().to_owned(),
            detail: source.last_error,
        };
        let routes = routes.all().iter().map(routes::component);
        states.all().into_iter().map(component).chain(llm.as_ref().map(model::component)).chain(routes).collect()
    })
}
