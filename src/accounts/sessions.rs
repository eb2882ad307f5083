//! Reading and ending sessions.

use std::time::Duration;

use crate::domain::Timestamp;
use crate::store::accounts::{SessionFilter, SignedInUser};

use super::secret::SessionSecret;
use super::{AccountError, Accounts};

/// The minimum time between two writes of a session's last request time to the database. A tenth of the idle time-out
/// is used instead if it is shorter.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

impl Accounts {
    /// The session with this secret, and its user; `None` if the session has ended or never existed. Stores the time of
    /// the request, at most once per minute, or once per tenth of the idle time-out if that is shorter.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, secret: &SessionSecret) -> Result<Option<SignedInUser>, AccountError> {
        let (now, key) = (self.0.clock.now(), secret.sha256());
        let touch_every = TOUCH_EVERY.min(self.0.options.idle / 10);
        let cached = self.0.cached.get(&key).filter(|known| now.since(known.session.last_seen_at) < touch_every);
        let known = match cached {
            Some(known) => Some(known),
            None => self.read_session(&key, touch_every).await?,
        };
        Ok(known.filter(|known| self.is_within_limits(known)))
    }

    async fn read_session(&self, key: &str, touch_every: Duration) -> Result<Option<SignedInUser>, AccountError> {
        let Some(mut known) = self.0.store.session(key).await? else { return Ok(None) };
        let now = self.0.clock.now();
        if !self.is_within_limits(&known) {
            return Ok(None);
        }
        if now.since(known.session.last_seen_at) >= touch_every {
            match self.0.store.touch_session(known.session.id, now).await {
                Ok(()) => known.session.last_seen_at = now,
                // The request does not depend on the stored time, so the error is only logged.
                Err(error) => tracing::debug!(%error, "cannot store the time of a session's request"),
            }
        }
        self.0.live.saw(known.session.id);
        self.0.cached.insert(key.to_owned(), known.clone());
        Ok(Some(known))
    }

    /// Whether the session is within its idle time-out and its absolute time-out.
    fn is_within_limits(&self, known: &SignedInUser) -> bool {
        let now = self.0.clock.now();
        now < known.session.expires_at && now.since(known.session.last_seen_at) < self.0.options.idle
    }

    /// When the session ends without another request.
    pub fn idle_expiry(&self, known: &SignedInUser) -> Timestamp {
        (known.session.last_seen_at + self.0.options.idle).min(known.session.expires_at)
    }

    /// Whether a session has not ended, according to the last read of the database. Another instance may have ended the
    /// session within the last seconds.
    pub fn is_live(&self, session: i64) -> bool {
        self.0.live.contains(session)
    }

    /// Sessions that have not expired, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions(&self, filter: SessionFilter, limit: i64) -> Result<Vec<SignedInUser>, AccountError> {
        Ok(self.0.store.sessions(SessionFilter { idle: self.0.options.idle, ..filter }, limit).await?)
    }

    /// Ends a session. With `owner`, ends it only if it belongs to this user. Returns `false` if there is no such
    /// session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_session(&self, id: i64, owner: Option<i64>) -> Result<bool, AccountError> {
        let ended = self.0.store.end_session(id, owner).await?;
        if ended {
            self.0.live.ended(id);
            self.0.cached.invalidate_all();
        }
        Ok(ended)
    }

    /// Ends the sessions of a user, except the one with the id `kept`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_sessions_of(&self, user: i64, kept: Option<i64>) -> Result<(), AccountError> {
        self.0.store.end_sessions_of(user, kept).await?;
        self.refresh().await;
        Ok(())
    }
}
