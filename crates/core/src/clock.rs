//! The only source of the current time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::Timestamp;

/// The system clock, or a fixed clock that a test sets. Clones of a fixed clock share its time.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The system clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that returns `start` until it is set.
    pub fn fixed(start: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(start.as_micros()))))
    }

    /// The current time.
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the system clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            None => jiff::Timestamp::now().into(),
            // `fixed` and `set` store only valid timestamps, so the default is never returned.
            Some(micros) => Timestamp::from_micros(micros.load(Ordering::SeqCst)).unwrap_or_default(),
        }
    }

    /// Sets the time of a fixed clock. Has no effect on the system clock.
    pub fn set(&self, now: Timestamp) {
        if let Some(micros) = &self.0 {
            micros.store(now.as_micros(), Ordering::SeqCst);
        }
    }
}
