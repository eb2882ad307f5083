//! Running the roles of a process.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, watch};

use crate::alerts::{self, AlertsRooms};
use crate::clock::Clock;
use crate::config::{Backends, Config, Role};
use crate::http::{self, Api, ComponentState, Components, ModelState};
use crate::inference::{Llm, SharedClassifier};
use crate::ingester::{self, IngesterRooms};
use crate::lifecycle::{BackendWait, Shutdown, Supervisor, termination};
use crate::notify::{self, NotifyRooms};
use crate::sources::SourceStates;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::telemetry::trace::Tracing;
use crate::worker::{self, Worker};

use super::lock::ServingLock;
use super::{Rooms, model, open, options};

/// The roles of this process, at work.
pub struct Running {
    /// Where the API listens; empty without that role.
    pub addresses: Vec<SocketAddr>,
    pub rooms: Rooms,
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

    /// One line for people: where the dashboard is.
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

/// How long the last traces may take to be sent.
const TRACES_GRACE: Duration = Duration::from_secs(2);

/// What a test puts in the place of the real thing.
#[derive(Default)]
pub struct Parts {
    pub clock: Clock,
    /// Judges in the place of the configured model.
    pub classifier: Option<SharedClassifier>,
    /// Whose numbers `/metrics` shows.
    pub metrics: Option<Metrics>,
}

/// Runs the configured roles until a signal ends them, and prints one line when they are ready.
///
/// # Errors
/// When a role cannot start or fails.
pub async fn serve(config: &Config, metrics: Metrics) -> anyhow::Result<()> {
    // From here on a signal ends the process in order, also one that comes before it is ready.
    let signal = termination();
    let tracing = options::tracing(config).map(|options| Tracing::start(&options, Handle::current())).transpose()?;
    let running = start(config, Parts { metrics: Some(metrics), ..Parts::default() }).await?;
    // Whoever started this may not listen any more.
    let _ = writeln!(std::io::stdout(), "{}", running.ready_line());
    let ended = running.until(signal).await;
    if let Some(tracing) = tracing {
        // Its last batch needs this runtime, so it is waited for beside it.
        tokio::task::spawn_blocking(|| tracing.stop(TRACES_GRACE)).await?;
    }
    ended
}

/// Starts the configured roles. Postgres and Redis may be away: their users wait for them.
///
/// # Errors
/// When another process serves from the same embedded database ([`super::InUse`]), a setting cannot be
/// followed, or an address is taken. A model that cannot be loaded is waited for.
pub async fn start(config: &Config, parts: Parts) -> anyhow::Result<Running> {
    let lock = match &config.backends {
        Backends::Embedded { path } => Some(ServingLock::take(path)?),
        Backends::Shared { .. } => None,
    };
    let rooms = open(config, parts.clock.clone()).await?;
    let needs_model = config.has_role(Role::Worker) || config.has_role(Role::Api);
    let llm = model::llm(&config.llm, &parts.clock)?.filter(|_| needs_model);
    let state = match parts.classifier {
        Some(classifier) => ModelState::Ready(classifier),
        None if needs_model => first_load(config, llm.as_ref()).await,
        None => ModelState::Absent,
    };
    let shutdown = Shutdown::default();
    let mut start = Start {
        config,
        schema: Schema::new(rooms.store.clone(), shutdown.clone()),
        supervisor: Supervisor::new(shutdown.clone()),
        states: SourceStates::default(),
        rooms: &rooms,
        model: Arc::new(watch::channel(state).0),
        llm,
        shutdown: shutdown.clone(),
    };
    start.topics()?;
    start.loader();
    start.worker();
    start.ingester()?;
    start.alerts();
    start.notify()?;
    let addresses = start.http(parts.metrics).await?;
    let supervisor = start.supervisor;
    let roles = config.roles.clone();
    Ok(Running { addresses, rooms, shutdown, roles, supervisor, grace: config.shutdown.grace, _lock: lock })
}

struct Start<'a> {
    config: &'a Config,
    rooms: &'a Rooms,
    schema: Schema,
    supervisor: Supervisor,
    states: SourceStates,
    /// How far the model is; it must not seem lost while a role runs.
    model: Arc<watch::Sender<ModelState>>,
    llm: Option<Llm>,
    shutdown: Shutdown,
}

/// The model, or why there is none yet: the process runs without, and its worker waits.
async fn first_load(config: &Config, llm: Option<&Llm>) -> ModelState {
    match model::load(config, llm).await {
        Ok(classifier) => ModelState::Ready(classifier),
        Err(error) => {
            let reason = format!("{error:#}");
            tracing::error!(
                error = reason,
                "no model: posts wait in the stream until one is loaded (inference.model), or set llm.provider"
            );
            ModelState::Failed(reason.into())
        }
    }
}

impl Start<'_> {
    /// Keeps this process' topics in step with the store; those of the configuration are kept by who works.
    fn topics(&mut self) -> anyhow::Result<()> {
        let wanted = options::topics(self.config)?;
        let provides = self.config.has_role(Role::Worker);
        let (store, topics, shutdown) = (self.rooms.store.clone(), self.rooms.topics.clone(), self.shutdown.clone());
        self.spawn("topics", async move {
            let mut patience = BackendWait::new("topics");
            while provides && !shutdown.is_stopping() {
                match store.provision_topics(wanted.clone()).await {
                    Ok(()) => break,
                    Err(error) => patience.wait(&error, &shutdown).await,
                }
            }
            topics.follow(shutdown).await;
            Ok(())
        });
        Ok(())
    }

    /// Tries again to load a model that could not be loaded.
    fn loader(&mut self) {
        if matches!(*self.model.borrow(), ModelState::Failed(_)) {
            let (config, llm) = (self.config.clone(), self.llm.clone());
            let (told, shutdown) = (Arc::clone(&self.model), self.shutdown.clone());
            self.spawn("model", async move {
                model::keep_loading(config, llm, told, shutdown).await;
                Ok(())
            });
        }
    }

    fn worker(&mut self) {
        if !self.config.has_role(Role::Worker) {
            return;
        }
        let (config, rooms, shutdown) = (self.config.clone(), self.rooms.clone(), self.shutdown.clone());
        let second_opinion = model::second_opinion(&config.llm, self.llm.as_ref());
        let model = self.model.subscribe();
        self.spawn("worker", async move {
            let Some(classifier) = model::ready(model, &shutdown).await else { return Ok(()) };
            let worker = Worker { second_opinion, ..super::worker(&config, &rooms, classifier) };
            worker::run(worker, shutdown).await
        });
    }

    fn ingester(&mut self) -> anyhow::Result<()> {
        if self.config.has_role(Role::Ingester) {
            let sources = super::sources::sources(self.config, self.rooms)?;
            let rooms = IngesterRooms {
                stream: self.rooms.stream.clone(),
                store: self.rooms.store.clone(),
                states: self.states.clone(),
                clock: self.rooms.clock.clone(),
            };
            let role = ingester::run(sources, rooms, options::ingester(self.config), self.shutdown.clone());
            self.spawn("ingester", role);
        }
        Ok(())
    }

    fn alerts(&mut self) {
        if self.config.has_role(Role::Alerts) {
            let rooms = AlertsRooms {
                store: self.rooms.store.clone(),
                stream: self.rooms.stream.clone(),
                live: self.rooms.live.clone(),
                clock: self.rooms.clock.clone(),
            };
            let role = alerts::run(rooms, options::alerts(self.config), self.shutdown.clone());
            self.spawn("alerts", role);
        }
    }

    /// Whoever keeps alerts also tells of them.
    fn notify(&mut self) -> anyhow::Result<()> {
        if self.config.has_role(Role::Alerts) {
            let rooms = NotifyRooms {
                store: self.rooms.store.clone(),
                outbound: self.rooms.outbound.clone(),
                clock: self.rooms.clock.clone(),
            };
            let role = notify::run(rooms, options::notify(self.config)?, self.shutdown.clone());
            self.spawn("notify", role);
        }
        Ok(())
    }

    /// The API, or what a process without it shows to those who operate it.
    async fn http(&mut self, metrics: Option<Metrics>) -> anyhow::Result<Vec<SocketAddr>> {
        let api = Api {
            store: self.rooms.store.clone(),
            stream: self.rooms.stream.clone(),
            topics: self.rooms.topics.clone(),
            live: self.rooms.live.clone(),
            cache: Some(self.rooms.cache.clone()),
            model: self.model.subscribe(),
            clock: self.rooms.clock.clone(),
            metrics,
            components: components(self.states.clone(), self.llm.clone()),
        };
        let serves_api = self.config.has_role(Role::Api);
        let options = options::http(self.config).await?;
        let server = match (serves_api, options.listen.is_empty()) {
            (true, _) => http::serve(api, options, self.shutdown.clone()),
            (false, false) => http::serve_ops(api, options, self.shutdown.clone()),
            (false, true) => return Ok(Vec::new()),
        };
        let server = server?;
        let addresses = if serves_api { server.addresses().to_vec() } else { Vec::new() };
        let told = Arc::clone(&self.model);
        self.spawn("api", async move {
            // The model's state must not seem lost while the server runs.
            let _told = told;
            Ok(server.finished().await?)
        });
        Ok(addresses)
    }

    /// Starts a role; it begins when the schema is there, except the API, which tells that it is not.
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

/// The database's schema, brought up to date once per process.
#[derive(Clone)]
struct Schema {
    store: Store,
    shutdown: Shutdown,
    migrated: Arc<OnceCell<()>>,
}

impl Schema {
    fn new(store: Store, shutdown: Shutdown) -> Self {
        Self { store, shutdown, migrated: Arc::default() }
    }

    /// Waits for the database and migrates it; `false` when a stop came first.
    async fn ready(&self) -> anyhow::Result<bool> {
        let migrate = self.migrated.get_or_try_init(|| async {
            let mut patience = BackendWait::new("database");
            loop {
                match self.store.migrate().await {
                    Ok(_) => return Ok(()),
                    Err(error) if error.is_transient() => patience.wait(&error, &self.shutdown).await,
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

fn components(states: SourceStates, llm: Option<Llm>) -> Components {
    Arc::new(move || {
        let component = |source: crate::sources::SourceState| ComponentState {
            name: format!("source:{}", source.name),
            healthy: source.state.is_healthy(),
            state: source.state.as_str().to_owned(),
            detail: source.last_error,
        };
        states.all().into_iter().map(component).chain(llm.as_ref().map(model::component)).collect()
    })
}
