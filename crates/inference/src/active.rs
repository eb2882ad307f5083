//! The current classifier, which may be replaced while the process runs.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::SharedClassifier;

/// The current classifier. Clones share it.
#[derive(Clone)]
pub struct ActiveClassifier(Arc<ArcSwap<SharedClassifier>>);

impl From<SharedClassifier> for ActiveClassifier {
    fn from(classifier: SharedClassifier) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(classifier)))
    }
}

impl ActiveClassifier {
    /// The classifier for the next texts.
    pub fn current(&self) -> SharedClassifier {
        SharedClassifier::clone(&self.0.load())
    }

    /// Replaces the classifier for all later texts.
    pub fn replace(&self, classifier: SharedClassifier) {
        self.0.store(Arc::new(classifier));
    }
}
