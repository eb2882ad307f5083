//! Models for the languages that the main model does not support.
//!
//! A route names languages and a model. The model is loaded when the first text in one of these languages arrives, and
//! released when no such text has arrived for some time. Each model has its own engine and queue; the engines share the
//! cores ([`super::Cores`]). A batch of posts waits for a route for at most [`RoutesOptions::wait`]. If the model
//! cannot be loaded or has not classified the batch by then, these posts and the next posts of the route are stored
//! unscored, until the model has analysed them from the store.

mod model;
mod routed;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use sentistream_core::clock::Clock;
use sentistream_core::domain::language::primary;

use super::{InferenceError, SharedClassifier};

use routed::Routed;

pub use model::{Route, RouteState, RouteStatus};

/// Loads the model of a route.
pub type Load = Arc<dyn Fn() -> BoxFuture<'static, Result<SharedClassifier, InferenceError>> + Send + Sync>;
/// Detects the language of a text.
pub type Detect = fn(&str) -> Option<&'static str>;

/// A route before its model is loaded.
#[derive(Clone)]
pub struct RouteSpec {
    /// The languages as codes such as `de`. A language belongs to at most one route.
    pub languages: Vec<String>,
    /// The name of the model in the configuration.
    pub model: String,
    /// The function that loads the model.
    pub load: Load,
}

/// The limits of routes.
#[derive(Clone)]
pub struct RoutesOptions {
    /// The maximum time that a batch of posts waits for the model of a route.
    pub wait: Duration,
    /// The time without texts after which a model is released; `None` if models stay in memory.
    pub unload_after: Option<Duration>,
    /// The detection of the language of texts for which none is given; `None` if languages are not detected.
    pub detect: Option<Detect>,
    /// The clock for the release of unused models, and for the pause after a failed load.
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
    /// Creates routes without loading their models.
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

    /// The index of the route for a language, in [`Self::all`].
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

    /// The detection of languages; `None` if languages are not detected.
    pub(super) fn detector(&self) -> Option<Detect> {
        self.options.detect
    }

    /// A classifier for interactive requests. It sends each text to the route for its language, and texts without a
    /// route to `main`. It waits until the model of a route is loaded.
    pub fn over(&self, main: SharedClassifier) -> SharedClassifier {
        if self.is_empty() { main } else { Arc::new(Routed::new(main, self.clone())) }
    }

    /// Releases models that have not been used for [`RoutesOptions::unload_after`]. Call this regularly. Texts in
    /// progress are completed.
    pub fn release_unused(&self) {
        let Some(limit) = self.options.unload_after else { return };
        for route in self.routes.iter() {
            route.release_if_unused(limit);
        }
    }
}

#[cfg(test)]
mod tests;
