//! Resolves DIDs to handles for display. Posts are stored under DIDs, because an account may change its handle, and
//! because a deletion contains only the DID.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::super::fetch::Fetcher;
use super::handles::{PER_REQUEST, profiles};

/// How long a cached handle is used before it is requested again.
const FRESH: Duration = Duration::from_secs(24 * 3_600);
/// The time after which the account is requested again if it was not found or the request failed.
const RETRY: Duration = Duration::from_secs(60);
/// The longest time that a caller waits for handles. Handles that arrive later are cached for the next call.
const MAX_WAIT: Duration = Duration::from_secs(3);
/// The maximum number of cached accounts.
const CAPACITY: usize = 50_000;
/// The handle that the API returns if the domain of an account no longer confirms it
/// (<https://atproto.com/specs/handle>).
const INVALID: &str = "handle.invalid";

/// Resolves DIDs to handles in bulk, and caches them. Clones share the cache.
#[derive(Clone)]
pub struct Names(Arc<Shared>);

struct Shared {
    api: Url,
    fetcher: Fetcher,
    known: Mutex<HashMap<String, Known>>,
}

struct Known {
    handle: Option<String>,
    /// When the handle is requested again.
    due: Instant,
}

impl Names {
    /// Resolves handles with the public API at `api`.
    pub fn new(api: Url, fetcher: Fetcher) -> Self {
        Self(Arc::new(Shared { api, fetcher, known: Mutex::default() }))
    }

    /// The handles of the accounts `dids`, by DID. Accounts whose handles are not cached and do not arrive within three
    /// seconds are left out.
    pub async fn of(&self, dids: &[String]) -> BTreeMap<String, String> {
        let due = self.take_due(dids);
        if !due.is_empty() {
            let names = self.clone();
            // The request runs in its own task, so that it fills the cache for the next caller even if this caller
            // stops waiting.
            let asking = tokio::spawn(async move { names.ask(&due).await });
            let _ = tokio::time::timeout(MAX_WAIT, asking).await;
        }
        let known = self.known();
        dids.iter().filter_map(|did| Some((did.clone(), known.get(did)?.handle.clone()?))).collect()
    }

    /// Returns the accounts whose handles are due, and marks them so that no other caller requests them too.
    fn take_due(&self, dids: &[String]) -> Vec<String> {
        let (mut known, now) = (self.known(), Instant::now());
        if known.len() > CAPACITY {
            known.clear();
        }
        let mut due = Vec::new();
        for did in dids.iter().filter(|did| did.starts_with("did:")) {
            let entry = known.entry(did.clone()).or_insert(Known { handle: None, due: now });
            if entry.due <= now {
                entry.due = now + RETRY;
                due.push(did.clone());
            }
        }
        due
    }

    async fn ask(&self, dids: &[String]) {
        for dids in dids.chunks(PER_REQUEST) {
            match profiles(&self.0.api, dids, &self.0.fetcher).await {
                Ok(profiles) => {
                    let (mut known, due) = (self.known(), Instant::now() + FRESH);
                    for profile in profiles {
                        let handle = Some(profile.handle).filter(|handle| handle != INVALID);
                        known.insert(profile.did, Known { handle, due });
                    }
                }
                // After an error the cached handles remain in use.
                Err(error) => tracing::debug!(%error, "handles of Bluesky not resolved"),
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
