//! The webhooks that this process has parsed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::Timestamp;
use crate::sources::webhook::{Hook, Scheme, Signature};

/// The minimum time between two reports of wrong signatures for the same webhook, in the log and as its last error.
const RECORD_INTERVAL: Duration = Duration::from_secs(10);

/// A cache of the webhooks that this process has parsed, so that settings are not parsed for each request.
pub struct Hooks {
    known: Mutex<BTreeMap<String, Known>>,
    /// When wrong signatures were last reported, by name of the webhook. Entries older than [`RECORD_INTERVAL`] are
    /// removed.
    recorded: Mutex<BTreeMap<String, Timestamp>>,
    /// A signature that is checked for unknown names, so that the answer takes as long as for known names.
    pub decoy: Option<Signature>,
}

impl Default for Hooks {
    fn default() -> Self {
        let secret = uuid::Uuid::new_v4().simple().to_string();
        let decoy = Signature::new(Scheme::Sha256, &secret, ("", Duration::ZERO)).ok();
        Self { known: Mutex::default(), recorded: Mutex::default(), decoy }
    }
}

struct Known {
    /// The id and the version of the stored source.
    version: (i64, i64),
    hook: Arc<Hook>,
}

impl Hooks {
    /// The webhook `name` with this version. If it is not in the cache, `make` creates it.
    pub fn of(&self, name: &str, version: (i64, i64), make: impl FnOnce() -> Option<Hook>) -> Option<Arc<Hook>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(name).filter(|found| found.version == version) {
            return Some(found.hook.clone());
        }
        known.remove(name);
        let hook = Arc::new(make()?);
        known.insert(name.to_owned(), Known { version, hook: hook.clone() });
        Some(hook)
    }

    /// Removes the webhook `name` from the cache.
    pub fn forget(&self, name: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Whether a wrong signature of the existing webhook `name` may be reported now: at most once per
    /// [`RECORD_INTERVAL`].
    pub fn may_record(&self, name: &str, now: Timestamp) -> bool {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.retain(|_, at| now.since(*at) < RECORD_INTERVAL);
        if recorded.contains_key(name) {
            return false;
        }
        recorded.insert(name.to_owned(), now);
        true
    }
}
