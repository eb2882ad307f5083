//! The api role: REST, WebSocket, dashboard and metrics.
//!
//! Handlers are thin: they read the request once ([`params`], [`body`]), call the store, the stream or the
//! model through [`state::State::run`] or the cache, and build the answer. Every failure is an [`error::ApiError`].
//! [`routes`] lists every route.

#![expect(clippy::missing_errors_doc, reason = "the API document lists the errors of each operation")]

pub mod access;
pub mod admission;
pub mod alerts;
pub mod analyze;
pub mod answer;
pub mod audit;
pub mod auth;
pub mod authors;
pub mod backups;
pub mod body;
pub mod check;
pub mod client;
pub mod compare;
pub mod counted;
pub mod dashboard;
pub mod dead_letters;
pub mod demo;
pub mod device;
pub mod docs;
pub mod error;
pub mod etag;
pub mod feeds;
pub mod gate;
pub mod health;
pub mod hook_cache;
pub mod hooks;
pub mod inflow;
pub mod insights;
pub mod limits;
pub mod notify;
pub mod observe;
pub mod oidc;
pub mod openapi;
pub mod options;
pub mod params;
pub mod posts;
pub mod progress;
pub mod prometheus;
pub mod redact;
pub mod release;
pub mod routes;
pub mod sentiment;
pub mod server;
pub mod session;
pub mod settings;
pub mod shape;
pub mod sources;
pub mod state;
pub mod stats;
pub mod system;
pub mod topics;
pub mod turns;
pub mod users;
pub mod ws;

use std::sync::Arc;

use tokio::sync::watch;

use crate::backups::Backups;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::inference::SharedClassifier;
use crate::inference::routes::Routes;
use crate::live::LiveBus;
use crate::settings::LiveSettings;
use crate::sources::bluesky::Names;
use crate::sources::managed::SourceFactory;
use crate::store::Store;
use crate::stream::Stream;
use crate::telemetry::Metrics;
use crate::topics::Topics;

pub use health::{ComponentState, Components};
pub use options::{Adjustable, AnalyzeBudget, HttpOptions, LiveOptions, RateLimit};
pub use server::{HttpError, Server, serve, serve_ops};

/// What the API needs to serve requests.
#[derive(Clone)]
pub struct Api {
    /// The database of posts, analyses and alerts.
    pub store: Store,
    /// The queue of posts between sources and workers, and the dead letters.
    pub stream: Stream,
    /// The tracked topics.
    pub topics: Topics,
    /// The events that live clients receive.
    pub live: LiveBus,
    /// The cache of answers; `None`: answers are not cached.
    pub cache: Option<Cache>,
    /// The state of the model, which is loaded in the background.
    pub model: watch::Receiver<ModelState>,
    /// The models for other languages.
    pub routes: Routes,
    /// The clock that is used for answers, token checks and the audit log.
    pub clock: Clock,
    /// The metrics that `/metrics` renders; `None` in a process that records no metrics.
    pub metrics: Option<Metrics>,
    /// The states that the other components of the process report.
    pub components: Components,
    /// Creates the sources that users add; `None` in a process that does not manage sources.
    pub sources: Option<Arc<dyn SourceFactory>>,
    /// Resolves the handles of Bluesky authors; `None`: handles are not resolved.
    pub names: Option<Names>,
    /// The settings and backups that administrators manage; empty in tests that need neither.
    pub administration: Administration,
    /// Whether `ingester.sources` has a Bluesky source. If it has none, handles are requested only while a Bluesky
    /// source that a user added exists.
    pub reads_bluesky: bool,
}

/// The settings and backups that administrators manage.
#[derive(Clone, Default)]
pub struct Administration {
    /// The current settings; `None` in a process that does not manage settings.
    pub settings: Option<LiveSettings>,
    /// Backups of the embedded database; `None` with Postgres.
    pub backups: Option<Backups>,
}

/// The state of the model.
#[derive(Clone)]
pub enum ModelState {
    /// This process needs no model.
    Absent,
    /// The model is being loaded.
    Loading,
    /// The model is loaded.
    Ready(SharedClassifier),
    /// The model could not be loaded, for this reason.
    Failed(Arc<str>),
}

impl Api {
    /// The classifier for interactive requests, if the model is loaded.
    pub fn classifier(&self) -> Option<SharedClassifier> {
        match &*self.model.borrow() {
            ModelState::Ready(classifier) => Some(self.routes.over(classifier.clone())),
            _ => None,
        }
    }
}

impl ModelState {
    /// The name of the state in responses of the API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Loading => "loading",
            Self::Ready(_) => "connected",
            Self::Failed(_) => "failed",
        }
    }
}
