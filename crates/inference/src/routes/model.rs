//! A route, whose model is loaded on demand and released when it is not needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::{InferenceError, ModelInfo, SharedClassifier, Speed};
use sentistream_core::clock::Clock;
use sentistream_core::domain::{Analysis, Timestamp};

use super::{Load, RouteSpec, RoutesOptions};

/// The pause between two attempts to load a model.
const RETRY: Duration = Duration::from_secs(30);

/// A route. Clones share its model.
#[derive(Clone)]
pub struct Route(Arc<Inner>);

struct Inner {
    languages: Vec<String>,
    model: String,
    load: Load,
    wait: Duration,
    clock: Clock,
    stage: watch::Sender<Stage>,
    /// When the model was last needed, in microseconds since the Unix epoch.
    used_at: AtomicI64,
    posts: AtomicU64,
    is_behind: AtomicBool,
    has_unscored: AtomicBool,
}

#[derive(Clone)]
enum Stage {
    Unloaded,
    Loading,
    Ready(SharedClassifier),
    Failed { reason: Arc<str>, at: Timestamp },
}

/// The state of a route's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RouteState {
    /// The model is not loaded, because no text has needed it yet or recently.
    Unloaded,
    /// The model is being loaded.
    Loading,
    /// The model is loaded and classifies texts.
    Connected,
    /// The model could not be loaded. After a pause, the next text that needs it causes another attempt.
    Failed,
}

impl RouteState {
    /// The state in the format of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unloaded => "unloaded",
            Self::Loading => "loading",
            Self::Connected => "connected",
            Self::Failed => "failed",
        }
    }
}

/// The current status of a route.
#[derive(Clone, Debug)]
pub struct RouteStatus {
    /// The state of the model.
    pub state: RouteState,
    /// Why the model could not be loaded; `None` unless the state is `Failed`.
    pub reason: Option<String>,
    /// Information about the loaded model; `None` if no model is loaded.
    pub info: Option<ModelInfo>,
    /// The recent speed of the loaded model.
    pub speed: Option<Speed>,
    /// The number of texts that the model has classified since the start of the process.
    pub posts: u64,
    /// Whether new posts are stored unscored until the model has classified all waiting posts.
    pub is_behind: bool,
}

impl Route {
    pub(super) fn new(spec: RouteSpec, options: &RoutesOptions) -> Self {
        let RouteSpec { languages, model, load } = spec;
        Self(Arc::new(Inner {
            languages,
            model,
            load,
            wait: options.wait,
            clock: options.clock.clone(),
            stage: watch::Sender::new(Stage::Unloaded),
            used_at: AtomicI64::new(options.clock.now().as_micros()),
            posts: AtomicU64::new(0),
            is_behind: AtomicBool::new(false),
            // Posts of the route's languages may have been stored unscored before the start of this process.
            has_unscored: AtomicBool::new(true),
        }))
    }

    /// The languages, as codes.
    pub fn languages(&self) -> &[String] {
        &self.0.languages
    }

    /// The name of the model in the configuration.
    pub fn model(&self) -> &str {
        &self.0.model
    }

    /// Classifies posts. Returns `None` if the model is not available or cannot keep up. The caller must then store the
    /// posts unscored and call [`Self::left_unscored`].
    ///
    /// # Errors
    /// [`InferenceError::Failed`] and [`InferenceError::TooSlow`] when a text makes the model fail.
    pub async fn classify(&self, texts: Vec<String>) -> Result<Option<Vec<Analysis>>, InferenceError> {
        if self.0.is_behind.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match tokio::time::timeout(self.0.wait, self.classify_late(texts)).await {
            Ok(Ok(analyses)) => Ok(Some(analyses)),
            Ok(Err(error @ (InferenceError::Failed(_) | InferenceError::TooSlow(_)))) => Err(error),
            Ok(Err(_)) | Err(_) => {
                if !self.0.is_behind.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        model = self.model(),
                        languages = self.languages().join(","),
                        "model not available in time, so posts of its route are stored unscored and analysed later"
                    );
                }
                Ok(None)
            }
        }
    }

    /// Classifies stored posts, without the time limit of [`RoutesOptions::wait`].
    ///
    /// # Errors
    /// When the model cannot be loaded, does not answer within `inference.max_wait`, or fails on a text.
    pub async fn classify_late(&self, texts: Vec<String>) -> Result<Vec<Analysis>, InferenceError> {
        let analyses = self.ready().await?.classify(texts).await?;
        self.counted(analyses.len());
        Ok(analyses)
    }

    /// Counts texts that the model has classified.
    pub(crate) fn counted(&self, texts: usize) {
        self.touch();
        self.0.posts.fetch_add(texts as u64, Ordering::Relaxed);
    }

    /// Returns the model. Loads it if necessary, and waits until it is loaded.
    ///
    /// # Errors
    /// [`InferenceError::Unavailable`] with the reason when the model cannot be loaded.
    pub async fn ready(&self) -> Result<SharedClassifier, InferenceError> {
        self.touch();
        self.request();
        let mut stages = self.0.stage.subscribe();
        let loaded = stages.wait_for(|stage| matches!(stage, Stage::Ready(_) | Stage::Failed { .. })).await;
        match loaded.map(|stage| stage.clone()) {
            Ok(Stage::Ready(classifier)) => Ok(classifier),
            Ok(Stage::Failed { reason, .. }) => Err(self.unavailable(&reason)),
            // Waiting fails only if the sender is dropped, which happens together with this route.
            Ok(Stage::Unloaded | Stage::Loading) | Err(_) => Err(self.unavailable("the model is not loaded")),
        }
    }

    fn unavailable(&self, reason: &str) -> InferenceError {
        InferenceError::Unavailable(format!("{} for {}: {reason}", self.model(), self.languages().join(", ")))
    }

    /// Starts to load the model. Does nothing if the model is loaded or being loaded, or if a load failed less than
    /// [`RETRY`] ago.
    fn request(&self) {
        let now = self.0.clock.now();
        let starts = self.0.stage.send_if_modified(|stage| {
            let due = match stage {
                Stage::Unloaded => true,
                Stage::Failed { at, .. } => now >= *at + RETRY,
                Stage::Loading | Stage::Ready(_) => false,
            };
            if due {
                *stage = Stage::Loading;
            }
            due
        });
        if starts {
            let route = self.clone();
            tokio::spawn(async move { route.load().await });
        }
    }

    async fn load(&self) {
        let loaded = (self.0.load)().await;
        let result = if loaded.is_ok() { "loaded" } else { "failed" };
        metrics::counter!("sentistream_model_loads_total", "model" => self.model().to_owned(), "result" => result)
            .increment(1);
        self.0.stage.send_replace(match loaded {
            Ok(classifier) => {
                let info = classifier.info();
                tracing::info!(model = info.name, load_ms = info.load_ms, "model of a route loaded");
                for warning in &info.warnings {
                    tracing::warn!(
                        model = info.name,
                        warning,
                        "model has properties that make its sentiments misleading for some texts"
                    );
                }
                Stage::Ready(classifier)
            }
            Err(error) => {
                let reason = error.to_string();
                tracing::error!(
                    model = self.model(),
                    languages = self.languages().join(","),
                    error = reason,
                    "model of a route not loaded, so posts of the route are stored unscored until it is loaded"
                );
                Stage::Failed { reason: reason.into(), at: self.0.clock.now() }
            }
        });
        self.gauge();
    }

    pub(super) fn release_if_unused(&self, limit: Duration) {
        let used_at = Timestamp::from_micros(self.0.used_at.load(Ordering::Relaxed)).unwrap_or_default();
        let unused = self.0.clock.now() >= used_at + limit;
        let released = unused
            && self.0.stage.send_if_modified(|stage| {
                let is_loaded = matches!(stage, Stage::Ready(_));
                if is_loaded {
                    *stage = Stage::Unloaded;
                }
                is_loaded
            });
        if released {
            tracing::info!(model = self.model(), "unused model of a route released");
            self.gauge();
        }
    }

    fn gauge(&self) {
        let is_loaded = matches!(&*self.0.stage.borrow(), Stage::Ready(_));
        metrics::gauge!("sentistream_model_loaded", "model" => self.model().to_owned()).set(if is_loaded {
            1.0
        } else {
            0.0
        });
    }

    /// Records that posts in the languages of this route were stored unscored.
    pub fn left_unscored(&self) {
        self.0.has_unscored.store(true, Ordering::Relaxed);
    }

    /// Whether stored posts in the languages of this route may be unscored. Resets the flag that
    /// [`Self::left_unscored`] sets.
    pub fn take_unscored(&self) -> bool {
        self.0.has_unscored.swap(false, Ordering::Relaxed)
    }

    /// Records that no stored posts are waiting any more, so that new posts are sent to the model again.
    pub fn caught_up(&self) {
        if self.0.is_behind.swap(false, Ordering::Relaxed) {
            tracing::info!(model = self.model(), "model of a route has analysed all waiting posts");
        }
    }

    /// The current status of the route.
    pub fn status(&self) -> RouteStatus {
        let (state, reason, classifier) = match &*self.0.stage.borrow() {
            Stage::Unloaded => (RouteState::Unloaded, None, None),
            Stage::Loading => (RouteState::Loading, None, None),
            Stage::Ready(classifier) => (RouteState::Connected, None, Some(classifier.clone())),
            Stage::Failed { reason, .. } => (RouteState::Failed, Some(reason.to_string()), None),
        };
        RouteStatus {
            state,
            reason,
            info: classifier.as_ref().map(|classifier| classifier.info().clone()),
            speed: classifier.and_then(|classifier| classifier.speed()),
            posts: self.0.posts.load(Ordering::Relaxed),
            is_behind: self.0.is_behind.load(Ordering::Relaxed),
        }
    }

    fn touch(&self) {
        self.0.used_at.store(self.0.clock.now().as_micros(), Ordering::Relaxed);
    }
}
