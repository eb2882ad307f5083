//! Starts each role and each background task of a process.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::alerts::{self, AlertsOptions, AlertsServices};
use crate::app::demo::DemoTask;
use crate::app::settings::Adjusting;
use crate::app::sign_in::{self, FirstToken};
use crate::app::{Services, model, oidc, options, routes, sources};
use crate::backups::Backups;
use crate::config::{Config, Role};
use crate::http::auth::needs_first_token;
use crate::http::{self, Administration, Api, ComponentState, Components, HttpOptions, ModelState};
use crate::inference::routes::Routes;
use crate::inference::{ActiveClassifier, Llm};
use crate::ingester::{self, IngesterServices, Limited};
use crate::lifecycle::{BackendWait, Shutdown, Supervisor};
use crate::notify::{self, NotifyServices};
use crate::sources::managed::SourceFactory;
use crate::sources::{SourceState, SourceStates};
use crate::telemetry::Metrics;
use crate::worker::{self, Worker};

use super::schema::Schema;

/// The parts of a process from which roles are started.
pub(super) struct Start<'a> {
    pub(super) config: &'a Config,
    pub(super) services: &'a Services,
    pub(super) schema: Schema,
    /// The settings that people change while the process runs.
    pub(super) adjusting: Adjusting,
    pub(super) supervisor: Supervisor,
    pub(super) states: SourceStates,
    pub(super) factory: Arc<dyn SourceFactory>,
    /// The state of the model. The sender exists as long as the roles that watch the state.
    pub(super) model: Arc<watch::Sender<ModelState>>,
    /// Whether no further attempt to load the main model is needed.
    pub(super) is_loaded: bool,
    pub(super) loader: model::Loader,
    /// The models for other languages.
    pub(super) routes: Routes,
    pub(super) llm: Option<Llm>,
    pub(super) shutdown: Shutdown,
}

impl Start<'_> {
    /// Keeps the settings of this process up to date.
    pub(super) fn settings(&mut self) {
        let (adjusting, shutdown) = (self.adjusting.clone(), self.shutdown.clone());
        self.spawn("settings", async move {
            adjusting.follow(shutdown).await;
            Ok(())
        });
    }

    /// Keeps the topics of this process up to date. Processes with the worker role also store the configured topics.
    pub(super) fn topics(&mut self) -> anyhow::Result<()> {
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

    /// Starts the task that retries to load the main model, if the first attempt failed.
    pub(super) fn loader(&mut self) {
        if !self.is_loaded {
            let loader = self.loader.clone();
            let (states, shutdown) = (Arc::clone(&self.model), self.shutdown.clone());
            self.spawn("model", async move {
                model::keep_loading(loader, states, shutdown).await;
                Ok(())
            });
        }
    }

    /// Starts the task that releases unused models of routes.
    pub(super) fn routes(&mut self) {
        if !self.routes.is_empty() {
            let (routes, shutdown) = (self.routes.clone(), self.shutdown.clone());
            let unload_after = self.config.inference.unload_after;
            self.spawn("routes", async move {
                routes::release(routes, unload_after, shutdown).await;
                Ok(())
            });
        }
    }

    pub(super) fn worker(&mut self) {
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
            let rest = crate::app::worker(&config, &services, active.clone());
            let mut worker = Worker { second_opinion, topic_doubts, routes, ..rest };
            worker.options.languages.others = other_languages;
            tokio::select! {
                result = worker::run(worker, shutdown) => result,
                () = model::follow(model, active) => Ok(()),
            }
        });
    }

    /// Starts the sources and the demonstration.
    pub(super) fn ingester(&mut self) -> anyhow::Result<()> {
        if self.config.has_role(Role::Ingester) {
            let demo = DemoTask::new(self.config, self.services, self.shutdown.clone());
            let (mut decision, shutdown) = (demo.decision(), self.shutdown.clone());
            let sources = sources::sources(self.config, self.services)?;
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
            self.spawn("demonstration", demo.run());
            self.spawn("ingester", async move {
                // A task that ends without a decision has failed, which stops the process.
                let decided = async { decision.wait_for(|decided| *decided).await.is_ok() };
                match shutdown.unless_stopping(decided).await {
                    Some(true) => role.await,
                    _ => Ok(()),
                }
            });
            self.spawn("managed sources", managed);
        }
        Ok(())
    }

    pub(super) fn alerts(&mut self) {
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
    pub(super) fn notify(&mut self) -> anyhow::Result<()> {
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
    pub(super) async fn http(&mut self, metrics: Option<Metrics>) -> anyhow::Result<Vec<SocketAddr>> {
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
            names: sources::names(self.config, self.services),
            administration: Administration {
                settings: Some(self.adjusting.settings.clone()),
                backups: options::backups(self.config)
                    .map(|options| Backups::new(options, self.services.clock.clone())),
            },
            reads_bluesky: sources::reads_bluesky(self.config),
        };
        let serves_api = self.config.has_role(Role::Api);
        let options = HttpOptions {
            adjustable: Some(self.adjusting.http()),
            oidc: oidc::provider(self.config)?,
            ..options::http(self.config).await?
        };
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
            let token = FirstToken::generate();
            while !shutdown.is_stopping() {
                match token.create(&store, &clock).await {
                    Ok(Some(first)) => {
                        // Errors are ignored, because the parent process may have closed stdout.
                        let _ = write!(std::io::stdout(), "{}", first.notice(&url));
                        break;
                    }
                    Ok(None) => {
                        // A process that ends before it prints its token leaves a database without a known token.
                        if sign_in::is_unused(&store).await.unwrap_or_default() {
                            let _ = writeln!(std::io::stdout(), "{}", sign_in::REMINDER);
                        }
                        break;
                    }
                    Err(error) if error.is_transient() => wait.wait(&error, &shutdown).await,
                    Err(error) => return Err(error.into()),
                }
            }
            shutdown.stopping().await;
            Ok(())
        });
    }

    /// Starts a role when the database schema is ready. The API starts earlier, and reports that the schema is missing.
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

fn components(states: SourceStates, llm: Option<Llm>, routes: Routes) -> Components {
    Arc::new(move || {
        let component = |source: SourceState| ComponentState {
            name: format!("source:{}", source.name),
            healthy: source.state.is_healthy(),
            state: source.state.as_str().to_owned(),
            detail: source.last_error,
        };
        let routes = routes.all().iter().map(routes::component);
        states.all().into_iter().map(component).chain(llm.as_ref().map(model::component)).chain(routes).collect()
    })
}
