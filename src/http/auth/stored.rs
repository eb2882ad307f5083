//! This process's copy of the tokens in the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::domain::Timestamp;
use crate::lifecycle::Shutdown;
use crate::store::tokens::{StoredToken, TokenUse};
use crate::store::{Store, StoreError};

use super::Scope;
use super::tokens::{self, StaticToken};

/// The interval at which tokens are read. Other instances may accept a deleted token for this long.
const REFRESH: Duration = Duration::from_secs(2);
/// The times of the last requests are stored after this many reads.
const STORE_USE_EVERY: u32 = 30;

/// A token of the database.
#[derive(Clone, Debug)]
pub struct KnownToken {
    /// The id of the token.
    pub id: i64,
    /// The name of the token.
    pub name: String,
    /// The scopes of the token: no more than the scopes of its owner's role.
    pub scopes: Vec<Scope>,
    /// When the token expires.
    pub expires_at: Option<Timestamp>,
    /// The user that the token belongs to.
    pub owner_id: Option<i64>,
    sha256: [u8; 32],
}

/// The tokens of the database.
#[derive(Debug, Default)]
pub struct StoredTokens {
    known: ArcSwap<Vec<KnownToken>>,
    /// The times of the last requests that are not stored yet, by the id of the token.
    used: Mutex<HashMap<i64, Timestamp>>,
}

impl StoredTokens {
    /// The valid token with this text.
    pub fn find(&self, token: &str, now: Timestamp) -> Option<KnownToken> {
        let known = self.known.load();
        let found = tokens::find_by(&known, token, |known| &known.sha256)?;
        let is_valid = found.expires_at.is_none_or(|expiry| now < expiry);
        if is_valid {
            self.used().insert(found.id, now);
        }
        is_valid.then(|| found.clone())
    }

    /// The time of the last request of a token, if it is not stored yet.
    pub fn last_used(&self, id: i64) -> Option<Timestamp> {
        self.used().get(&id).copied()
    }

    /// Whether the token exists and its owner is not disabled.
    pub fn contains(&self, id: i64) -> bool {
        self.known.load().iter().any(|known| known.id == id)
    }

    /// Reads the tokens from the database.
    ///
    /// # Errors
    /// When the store is unavailable; the tokens of the last read are kept.
    pub async fn refresh(&self, store: &Store) -> Result<(), StoreError> {
        let known = store.tokens().await?.into_iter().filter_map(known).collect();
        self.known.store(Arc::new(known));
        Ok(())
    }

    /// Reads the tokens at intervals until `shutdown`.
    pub async fn follow(self: Arc<Self>, store: Store, shutdown: Shutdown) {
        for round in 1_u32.. {
            if let Err(error) = self.refresh(&store).await {
                tracing::debug!(%error, "cannot read the stored tokens");
            }
            if round % STORE_USE_EVERY == 0 {
                self.store_use(&store).await;
            }
            if !shutdown.sleep(REFRESH).await {
                break;
            }
        }
        self.store_use(&store).await;
    }

    /// Stores the times of the last requests. If the write fails, these times are lost.
    async fn store_use(&self, store: &Store) {
        let used: Vec<_> = self.used().drain().map(|(id, at)| TokenUse { id, at }).collect();
        if !used.is_empty()
            && let Err(error) = store.touch_tokens(used).await
        {
            tracing::debug!(%error, "cannot store when tokens were used");
        }
    }

    fn used(&self) -> MutexGuard<'_, HashMap<i64, Timestamp>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Parses a row; `None` if its hash is invalid, or its owner is disabled. Scopes that this version does not know are
/// ignored.
fn known(row: StoredToken) -> Option<KnownToken> {
    let sha256 = StaticToken::parse_hash(&row.sha256)?;
    if row.owner.as_ref().is_some_and(|owner| owner.disabled) {
        return None;
    }
    let allowed = |scope: &Scope| row.owner.as_ref().is_none_or(|owner| Scope::of(owner.role).contains(scope));
    let scopes = row.scopes.split_whitespace().filter_map(|scope| scope.parse().ok()).filter(allowed).collect();
    let owner_id = row.owner.as_ref().map(|owner| owner.id);
    Some(KnownToken { id: row.id, name: row.name, scopes, expires_at: row.expires_at, owner_id, sha256 })
}
