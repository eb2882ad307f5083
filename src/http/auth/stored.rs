//! This process's copy of the tokens in the database.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::domain::Timestamp;
use crate::lifecycle::Shutdown;
use crate::store::tokens::StoredToken;
use crate::store::{Store, StoreError};

use super::Scope;
use super::tokens::{self, StaticToken};

/// The interval at which tokens are read. Other instances may accept a deleted token for this long.
const REFRESH: Duration = Duration::from_secs(2);

/// A token of the database.
#[derive(Clone, Debug)]
pub struct KnownToken {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    sha256: [u8; 32],
}

/// The tokens of the database.
#[derive(Debug, Default)]
pub struct StoredTokens(ArcSwap<Vec<KnownToken>>);

impl StoredTokens {
    /// The valid token with this text.
    pub fn find(&self, token: &str, now: Timestamp) -> Option<KnownToken> {
        let known = self.0.load();
        let found = tokens::find_by(&known, token, |known| &known.sha256)?;
        found.expires_at.is_none_or(|expiry| now < expiry).then(|| found.clone())
    }

    /// Whether the token exists.
    pub fn contains(&self, id: i64) -> bool {
        self.0.load().iter().any(|known| known.id == id)
    }

    /// Reads the tokens.
    ///
    /// # Errors
    /// When the store is unavailable; the tokens of the last read are kept.
    pub async fn refresh(&self, store: &Store) -> Result<(), StoreError> {
        let known = store.tokens().await?.into_iter().filter_map(known).collect();
        self.0.store(Arc::new(known));
        Ok(())
    }

    /// Reads the tokens at intervals until `shutdown`.
    pub async fn follow(self: Arc<Self>, store: Store, shutdown: Shutdown) {
        loop {
            if let Err(error) = self.refresh(&store).await {
                tracing::debug!(%error, "cannot read the stored tokens");
            }
            if !shutdown.sleep(REFRESH).await {
                break;
            }
        }
    }
}

/// Parses a row; `None` if its hash is invalid. Scopes of a later version are ignored.
fn known(row: StoredToken) -> Option<KnownToken> {
    let sha256 = StaticToken::parse_hash(&row.sha256)?;
    let scopes = row.scopes.split_whitespace().filter_map(|scope| scope.parse().ok()).collect();
    Some(KnownToken { id: row.id, name: row.name, scopes, expires_at: row.expires_at, sha256 })
}
