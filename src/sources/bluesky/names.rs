//! Handles of accounts, for display. Posts are stored under DIDs: an account may change its handle, and its deletion
//! names the DID.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::super::fetch::Fetcher;
use super::handles::{PER_REQUEST, profiles};

/// How long a handle is used before it is requested again.
const FRESH: Duration = Duration::from_secs(24 * 3_600);
/// When an account that was not found, or whose request failed, is requested again.
const RETRY: Duration = Duration::from_secs(60);
/// The longest wait for handles. Later answers are kept for the next call.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most accounts that are remembered.
const CAPACITY: usize = 50_000;
/// The handle of an account whose domain no longer confirms it (<https://atproto.com/specs/handle>).
const INVALID: &str = "handle.invalid";

/// Resolves DIDs to handles in bulk, and remembers them. Clones share what they know.
#[derive(Clone)]
pub struct Names(Arc<Shared>);

struct Shared {
    api: Url,
    fetcher: Fetcher,
    known: Mutex<HashMap<String, Known>>,
}

struct Known {
    handle: Option<String>,
    /// When it is requested again.
    due: Instant,
}

impl Names {
    /// Asks the public API at `api`.
    pub fn new(api: Url, fetcher: Fetcher) -> Self {
        Self(Arc::new(Shared { api, fetcher, known: Mutex::default() }))
    }

    /// The handles of the accounts `dids`, by DID. It leaves out accounts that the API does not name within three
    /// seconds.
    pub async fn of(&self, dids: &[String]) -> BTreeMap<String, String> {
        let due = self.take_due(dids);
        if !due.is_empty() {
            let names = self.clone();
            // A caller that no longer waits leaves the answer for the next one.
            let asking = tokio::spawn(async move { names.ask(&due).await });
            let _ = tokio::time::timeout(PATIENCE, asking).await;
        }
        let known = self.known();
        dids.iter().filter_map(|did| Some((did.clone(), known.get(did)?.handle.clone()?))).collect()
    }

    /// The accounts that have to be requested. Others do not request them meanwhile.
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
                // Handles that are known stay in use.
                Err(error) => tracing::debug!(%error, "handles of Bluesky not resolved"),
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
