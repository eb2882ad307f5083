//! The choice of the classifier: the local model, a language model where that cannot be loaded, or none yet.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::{Config, LlmConfig};
use crate::http::{ComponentState, ModelState};
use crate::inference::llm::Budget;
use crate::inference::{Classifier, Llm, LlmOptions, LlmState, SharedClassifier, WithFallback};
use crate::lifecycle::Shutdown;
use crate::worker::SecondOpinion;

use super::load_classifier;

/// The pause between attempts to load a model.
const RETRY: Duration = Duration::from_secs(15);
/// The wait before a failed request is retried.
const RETRY_WAIT: Duration = Duration::from_millis(250);

/// The language model that `config` names, if it names one.
///
/// # Errors
/// When its settings cannot be followed.
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

/// What judges: the local model with the language model behind it, or the language model alone
/// where the local one cannot be loaded.
///
/// # Errors
/// When there is neither.
pub async fn load(config: &Config, llm: Option<&Llm>) -> anyhow::Result<SharedClassifier> {
    match (load_classifier(config).await, llm) {
        (Ok(local), Some(llm)) => Ok(Arc::new(WithFallback::new(local, llm.clone()))),
        (Ok(local), None) => Ok(local),
        (Err(error), Some(llm)) => {
            tracing::error!(
                error = format!("{error:#}"),
                fallback = llm.info().name,
                "the local model cannot be loaded; the language model judges in its place"
            );
            Ok(Arc::new(llm.clone()))
        }
        (Err(error), None) => Err(error),
    }
}

/// Retries to load the model until that succeeds or a stop is requested, and publishes each result.
pub async fn keep_loading(
    config: Config,
    llm: Option<Llm>,
    states: Arc<watch::Sender<ModelState>>,
    shutdown: Shutdown,
) {
    while shutdown.sleep(RETRY).await {
        match load(&config, llm.as_ref()).await {
            Ok(classifier) => {
                tracing::info!(model = classifier.info().name, "model loaded");
                states.send_replace(ModelState::Ready(classifier));
                break;
            }
            Err(error) => _ = states.send_replace(ModelState::Failed(format!("{error:#}").into())),
        }
    }
    shutdown.stopping().await;
}

/// The classifier as soon as there is one; `None` when a stop is requested first.
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

/// The state of the language model, for the health report.
pub fn component(llm: &Llm) -> ComponentState {
    let (healthy, state, detail) = match llm.state() {
        LlmState::Ready => (true, "ready", None),
        LlmState::Paused { until, reason } => (false, "paused", Some(format!("{reason}; next attempt at {until}"))),
        LlmState::Spent { until } => (false, "spent", Some(format!("the budget is used up until {until}"))),
    };
    ComponentState { name: "llm".to_owned(), healthy, state: state.to_owned(), detail }
}
