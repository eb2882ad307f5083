//! Models for the languages that the main model does not judge.
//!
//! A route names languages and a model. The model is loaded when the first post in one of its languages arrives, and
//! released when none has arrived for a while. Each model has its own engine and queue; the engines share the cores
//! ([`super::Cores`]). Nothing waits for a route for longer than [`RoutesOptions::wait`]: posts whose model is being
//! loaded, fails or cannot keep up are stored unscored, and judged later from the store.

mod model;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::clock::Clock;
use crate::domain::language::primary;

use super::routed::Routed;
use super::{InferenceError, SharedClassifier};

pub use model::{Route, RouteState, RouteStatus};

/// Loads the model of a route.
pub type Load = Arc<dyn Fn() -> BoxFuture<'static, Result<SharedClassifier, InferenceError>> + Send + Sync>;
/// Detects the language of a text.
pub type Detect = fn(&str) -> Option<&'static str>;

/// A route before its model is loaded.
#[derive(Clone)]
pub struct RouteSpec {
    /// Codes such as `de`. Each belongs to one route.
    pub languages: Vec<String>,
    /// The model's name in the configuration.
    pub model: String,
    /// Loads it.
    pub load: Load,
}

/// The limits of routes.
#[derive(Clone)]
pub struct RoutesOptions {
    /// The longest time that a batch of posts waits for the model of a route.
    pub wait: Duration,
    /// A model that no text has needed for this time is released; `None`: it stays in memory.
    pub unload_after: Option<Duration>,
    /// The language of texts without a stated one; `None`: it is not detected.
    pub detect: Option<Detect>,
    /// The clock of the time without use, and of the pause after a failed load.
    pub clock: Clock,
}

/// The routes of a process. Clones share the loaded models.
#[derive(Clone)]
pub struct Routes {
    routes: Arc<[Route]>,
    by_language: Arc<HashMap<String, usize>>,
    options: RoutesOptions,
}

impl Default for Routes {
    fn default() -> Self {
        let options = RoutesOptions { wait: Duration::ZERO, unload_after: None, detect: None, clock: Clock::system() };
        Self::new(Vec::new(), options)
    }
}

impl Routes {
    /// These routes. No model is loaded yet.
    pub fn new(specs: Vec<RouteSpec>, options: RoutesOptions) -> Self {
        let mut by_language = HashMap::new();
        for (number, spec) in specs.iter().enumerate() {
            for language in &spec.languages {
                by_language.entry(language.clone()).or_insert(number);
            }
        }
        let routes = specs.into_iter().map(|spec| Route::new(spec, &options)).collect();
        Self { routes, by_language: Arc::new(by_language), options }
    }

    /// Whether there are no routes.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// All routes, in the order of the configuration.
    pub fn all(&self) -> &[Route] {
        &self.routes
    }

    /// The number of the route for a language, in [`Self::all`].
    pub fn number_of(&self, lang: Option<&str>) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        self.by_language.get(&primary(lang?)).copied()
    }

    /// The route for a language.
    pub fn of(&self, lang: Option<&str>) -> Option<&Route> {
        self.routes.get(self.number_of(lang)?)
    }

    /// The language of a text without a stated one, if it is detected.
    pub(super) fn detector(&self) -> Option<Detect> {
        self.options.detect
    }

    /// A classifier for interactive requests, which sends each text to the route of its language, and all others to
    /// `main`. Waits until the model of a route is loaded.
    pub fn over(&self, main: SharedClassifier) -> SharedClassifier {
        if self.is_empty() { main } else { Arc::new(Routed::new(main, self.clone())) }
    }

    /// Releases models that were not needed for a while. Call it regularly. Texts in progress are completed.
    pub fn release_unused(&self) {
        let Some(limit) = self.options.unload_after else { return };
        for route in self.routes.iter() {
            route.release_if_unused(limit);
        }
    }
}

#[cfg(test)]
mod tests;
