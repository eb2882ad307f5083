//! Chooses the classifier: the local model, or the language model of `[llm]` if the local model cannot be loaded.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::{Config, LlmConfig};
use crate::http::{ComponentState, ModelState};
use crate::inference::llm::Budget;
use crate::inference::{
    ActiveClassifier, Classifier, Cores, InferenceError, InferenceOptions, Llm, LlmOptions, LlmState, SharedClassifier,
    WithFallback,
};
use crate::lifecycle::Shutdown;
use crate::worker::{SecondOpinion, TopicDoubts};

use super::{load_engine, options};

/// The pause between attempts to load a model.
const RETRY: Duration = Duration::from_secs(15);
/// The wait before a failed request to the language model is retried.
const RETRY_WAIT: Duration = Duration::from_millis(250);

/// The language model that `config` selects; `None` if no provider is set.
///
/// # Errors
/// When its settings are contradictory or cannot be used.
pub fn llm(config: &LlmConfig, clock: &Clock) -> anyhow::Result<Option<Llm>> {
    let Some(provider) = &config.provider else { return Ok(None) };
    let base_url = config.base_url.as_ref().map(|url| url.0.clone()).or_else(|| provider.base_url());
    let model = config.model.clone().or_else(|| provider.default_model().map(str::to_owned));
    let (Some(base_url), Some(model)) = (base_url, model) else { return Ok(None) };
    let llm = Llm::new(LlmOptions {
        provider: provider.name(),
        base_url,
        model,
        api_key: config.api_key.clone(),
        timeout: config.timeout,
        batch_size: config.posts_per_request,
        max_in_flight: config.max_in_flight,
        retries: config.retries,
        retry_wait: RETRY_WAIT,
        budget: Budget { per_minute: config.requests_per_minute, per_day: config.requests_per_day },
        clock: clock.clone(),
    })?;
    Ok(Some(llm))
}

/// A classifier that was loaded.
pub enum Loaded {
    /// The local model, with the language model as its fallback if one is configured.
    Local(SharedClassifier),
    /// The language model, used until the local model can be loaded.
    Fallback(SharedClassifier),
}

impl Loaded {
    /// Returns the classifier of either variant.
    pub fn into_classifier(self) -> SharedClassifier {
        match self {
            Self::Local(classifier) | Self::Fallback(classifier) => classifier,
        }
    }
}

/// Loads the main model.
#[derive(Clone)]
pub struct Loader {
    pub config: Config,
    /// The language model that replaces the main model if the main model cannot be loaded.
    pub llm: Option<Llm>,
    /// The CPU cores that the main model shares with the models of routes.
    pub cores: Option<Arc<Cores>>,
}

impl Loader {
    /// Loads the local model. If that fails with an error that a retry may solve, returns the language model instead.
    ///
    /// # Errors
    /// When the local model cannot be loaded and there is no replacement.
    pub async fn load(&self) -> anyhow::Result<Loaded> {
        let error = match (self.load_local().await, &self.llm) {
            (Ok(local), Some(llm)) => return Ok(Loaded::Local(Arc::new(WithFallback::new(local, llm.clone())))),
            (Ok(local), None) => return Ok(Loaded::Local(local)),
            (Err(error), _) => error,
        };
        let is_setting = matches!(error.downcast_ref(), Some(InferenceError::Setting { .. }));
        match self.llm.as_ref().filter(|_| !is_setting) {
            Some(llm) => {
                let (fallback, error) = (&llm.info().name, format!("{error:#}"));
                tracing::error!(error, fallback, "local model not loaded, using the language model");
                Ok(Loaded::Fallback(Arc::new(llm.clone())))
            }
            None => Err(error),
        }
    }

    async fn load_local(&self) -> anyhow::Result<SharedClassifier> {
        let options = InferenceOptions { cores: self.cores.clone(), ..options::inference(&self.config)? };
        let local = load_engine(options).await?;
        for warning in &local.info().warnings {
            tracing::warn!(
                model = local.info().name,
                warning,
                "model has properties that make its sentiments misleading for some texts"
            );
        }
        Ok(local)
    }
}

/// Retries loading the local model until it succeeds or a stop is requested, and publishes each result.
pub async fn keep_loading(loader: Loader, states: Arc<watch::Sender<ModelState>>, shutdown: Shutdown) {
    while shutdown.sleep(RETRY).await {
        match loader.load().await {
            Ok(Loaded::Local(classifier)) => {
                tracing::info!(model = classifier.info().name, "model loaded");
                states.send_replace(ModelState::Ready(classifier));
                break;
            }
            Ok(Loaded::Fallback(classifier)) => _ = states.send_replace(ModelState::Ready(classifier)),
            Err(error) => _ = states.send_replace(ModelState::Failed(format!("{error:#}").into())),
        }
    }
    shutdown.stopping().await;
}

/// Stores each newly loaded classifier in `active`. Never returns.
pub async fn follow(mut states: watch::Receiver<ModelState>, active: ActiveClassifier) {
    while states.changed().await.is_ok() {
        if let ModelState::Ready(classifier) = &*states.borrow_and_update() {
            active.replace(classifier.clone());
        }
    }
    std::future::pending::<()>().await;
}

/// Waits for the first classifier; `None` when a stop is requested first.
pub async fn ready(mut states: watch::Receiver<ModelState>, shutdown: &Shutdown) -> Option<SharedClassifier> {
    let ready = states.wait_for(|state| matches!(state, ModelState::Ready(_)));
    match shutdown.unless_stopping(ready).await {
        Some(Ok(state)) => match &*state {
            ModelState::Ready(classifier) => Some(classifier.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The second opinion of the worker, if one is configured.
pub fn second_opinion(config: &LlmConfig, llm: Option<&Llm>) -> Option<SecondOpinion> {
    let llm = llm.filter(|_| config.min_confidence > 0.0)?;
    Some(SecondOpinion::new(Arc::new(llm.clone()), config.min_confidence, config.max_doubts))
}

/// The second opinions about doubtful sentiments towards topics, if they are configured.
pub fn topic_doubts(config: &LlmConfig, llm: Option<&Llm>) -> Option<TopicDoubts> {
    let llm = llm.filter(|_| config.min_topic_confidence > 0.0)?;
    Some(TopicDoubts::new(llm.clone(), config.min_topic_confidence, config.max_doubts))
}

/// The state of the language model, for the health report.
pub fn component(llm: &Llm) -> ComponentState {
    let (healthy, state, detail) = match llm.state() {
        LlmState::Ready => (true, "ready", None),
        LlmState::Paused { until, reason } => (false, "paused", Some(format!("{reason}; next attempt at {until}"))),
        LlmState::Spent { until } => {
            (false, "spent", Some(format!("the budget is used up; requests continue at {until}")))
        }
    };
    ComponentState { name: "llm".to_owned(), healthy, state: state.to_owned(), detail }
}
