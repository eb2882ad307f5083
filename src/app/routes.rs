//! The models of `[[inference.routes]]`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use crate::clock::Clock;
use crate::config::{Config, RouteConfig};
use crate::http::ComponentState;
use crate::inference::routes::{Route, RouteSpec, RouteState, RouteStatus, Routes, RoutesOptions};
use crate::inference::{Cores, InferenceOptions, SharedClassifier, models};
use crate::language;
use crate::lifecycle::Shutdown;

use super::{load_engine, options};

/// The maximum time between two checks for unused models.
const RELEASE_EVERY: Duration = Duration::from_secs(10);

/// The CPU cores that the models share; `None` without routes.
pub fn cores(config: &Config) -> Option<Arc<Cores>> {
    let of_machine = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = config.inference.threads.unwrap_or_else(of_machine);
    (!config.inference.routes.is_empty()).then(|| Cores::new(threads))
}

/// Creates the routes. Their models are not loaded, but each model that is on this machine is checked.
///
/// # Errors
/// When a model is missing, is not a sentiment classifier, or does not support a language of its route.
pub async fn build(config: &Config, cores: Option<Arc<Cores>>, clock: Clock) -> anyhow::Result<Routes> {
    let mut specs = Vec::new();
    for route in &config.inference.routes {
        let options = InferenceOptions { cores: cores.clone(), ..check(config, route).await? };
        specs.push(RouteSpec {
            languages: route.languages.clone(),
            model: options.model.to_string(),
            load: Arc::new(move || load_engine(options.clone()).boxed()),
        });
    }
    let inference = &config.inference;
    Ok(Routes::new(
        specs,
        RoutesOptions {
            wait: inference.route_wait,
            unload_after: inference.unload_after,
            detect: inference.detect_language.then_some(language::detect),
            clock,
        },
    ))
}

/// The options of a route's engine, after a check of its model without loading it. A model of the Hub that is not in
/// the cache is not checked.
///
/// # Errors
/// The errors of [`build`].
pub async fn check(config: &Config, route: &RouteConfig) -> anyhow::Result<InferenceOptions> {
    let options = options::route(config, route)?;
    let (checked, languages) = (options.clone(), route.languages.clone());
    tokio::task::spawn_blocking(move || models::check_route(&checked, &languages)).await??;
    Ok(options)
}

/// Loads the model of a route; `None` if the model is not on this machine and would have to be downloaded.
///
/// # Errors
/// The errors of [`build`]; also when the model cannot be loaded.
pub async fn load_local(config: &Config, route: &RouteConfig) -> anyhow::Result<Option<SharedClassifier>> {
    let options = check(config, route).await?;
    let local = options.clone();
    if tokio::task::spawn_blocking(move || models::is_local(&local)).await? {
        return Ok(Some(load_engine(options).await?));
    }
    Ok(None)
}

/// Releases unused models until a shutdown.
pub async fn release(routes: Routes, unload_after: Option<Duration>, shutdown: Shutdown) {
    let every =
        unload_after.map_or(RELEASE_EVERY, |after| (after / 4).clamp(Duration::from_millis(100), RELEASE_EVERY));
    while shutdown.sleep(every).await {
        routes.release_unused();
    }
}

/// The state of a route, for the health report.
pub fn component(route: &Route) -> ComponentState {
    let RouteStatus { state, reason, is_behind, .. } = route.status();
    let behind = "the model is too slow; new posts in its languages get a sentiment later".to_owned();
    let (shown, detail) = match (state, is_behind) {
        (RouteState::Connected, true) => ("behind", Some(behind)),
        _ => (state.as_str(), reason),
    };
    ComponentState {
        name: format!("route:{}", route.languages().join(",")),
        healthy: state != RouteState::Failed && shown != "behind",
        state: shown.to_owned(),
        detail,
    }
}
