//! Accounts of people: sign-in with a password, sessions, invitations.
//!
//! The secret of a session is random and only the cookie contains it; the database stores its SHA-256. Each request
//! reads its session from the database, through a cache of one second, so that a changed role or an ended session takes
//! effect within a second.

mod live;
pub mod password;
mod people;
mod secret;
mod sessions;
mod sign_in;
pub mod throttle;

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::lifecycle::Shutdown;
use crate::store::accounts::SignedInUser;
use crate::store::{Store, StoreError};

use live::{LastPresence, LiveSessions};
use password::Hasher;
use throttle::Throttle;

pub use live::Presence;
pub use people::{Draft, Invitation};
pub use secret::SessionSecret;
pub use sign_in::{Device, ExternalIdentity, SignedIn};

/// The interval at which the process reads whether accounts exist, and which sessions are live.
const REFRESH: Duration = Duration::from_secs(2);
/// Expired sessions are deleted once per this number of refreshes, which is about once per hour.
const PRUNE_EVERY: u32 = 1_800;
/// How long a session that was read from the database stays in the cache.
const SESSION_TTL: Duration = Duration::from_secs(1);
/// The maximum number of sessions in the cache.
const CACHED_SESSIONS: u64 = 10_000;
/// Why a call of [`Accounts`] failed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The user name or the password is wrong, or the account is disabled.
    #[error("the user name or the password is wrong")]
    WrongCredentials,
    /// There were too many failed attempts.
    #[error("too many failed attempts; try again in {} s", .0.as_secs() + 1)]
    Throttled(Duration),
    /// Too many sign-ins are in progress.
    #[error("too many sign-ins are in progress; try again")]
    Busy,
    /// The account is disabled.
    #[error("the account is disabled; ask an administrator")]
    Disabled,
    /// The code is wrong, used or expired.
    #[error("the code is wrong, expired or used")]
    WrongCode,
    /// An account already exists.
    #[error("an account exists already: sign in, or ask an administrator for an invitation")]
    Exists,
    /// Another user or a token already has the name.
    #[error("is the name of another user or of a token")]
    NameTaken,
    /// The session has ended.
    #[error("the session has ended: sign in again")]
    Ended,
    /// The account has no password.
    #[error("this account has no password: sign in with the identity provider")]
    NoPassword,
    /// A password cannot be hashed.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// A session ends after this time without a request.
    pub idle: Duration,
    /// A session ends this long after the sign-in.
    pub absolute: Duration,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { idle: Duration::from_secs(8 * 3_600), absolute: Duration::from_secs(7 * 86_400) }
    }
}

/// Accounts and sessions. Clones share their state.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    options: SessionOptions,
    hasher: Hasher,
    throttle: Throttle,
    presence: LastPresence,
    live: LiveSessions,
    cached: Cache<String, SignedInUser>,
    /// Locked during the first read of whether accounts exist, so that concurrent requests cause only one read.
    first_read: Mutex<()>,
}

impl Accounts {
    /// The accounts in `store`.
    pub fn new(store: Store, clock: Clock, options: SessionOptions) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            options,
            hasher: Hasher::default(),
            throttle: Throttle::default(),
            presence: LastPresence::default(),
            live: LiveSessions::default(),
            cached: Cache::builder().max_capacity(CACHED_SESSIONS).time_to_live(SESSION_TTL).build(),
            first_read: Mutex::default(),
        }))
    }

    /// How long sessions last.
    pub fn options(&self) -> SessionOptions {
        self.0.options
    }

    /// Whether accounts exist, according to the last read of the database.
    pub fn presence(&self) -> Presence {
        self.0.presence.get()
    }

    /// As [`Self::presence`], but first reads the database if this process has not read it yet.
    pub async fn known_presence(&self) -> Presence {
        if self.presence() == Presence::Unknown {
            let _first = self.0.first_read.lock().await;
            if self.presence() == Presence::Unknown {
                self.read_presence().await;
            }
        }
        self.presence()
    }

    async fn read_presence(&self) {
        match self.0.store.count_users().await {
            Ok(0) => self.0.presence.set(Presence::Absent),
            Ok(_) => self.0.presence.set(Presence::Present),
            // A database without the table `users` has no accounts.
            Err(error) if is_missing_table(&error) => self.0.presence.set_missing(),
            Err(error) => {
                tracing::debug!(%error, "cannot read the number of accounts");
                self.0.presence.set_unreachable();
            }
        }
    }

    /// Reads at intervals until `shutdown` whether accounts exist and which sessions are live. Deletes expired
    /// sessions.
    pub async fn follow(self, shutdown: Shutdown) {
        for round in 0_u32.. {
            self.refresh().await;
            if round % PRUNE_EVERY == 1
                && let Err(error) = self.0.store.prune_sessions(self.0.options.idle).await
            {
                tracing::debug!(%error, "cannot delete expired sessions");
            }
            if !shutdown.sleep(REFRESH).await {
                break;
            }
        }
    }

    /// Reads whether accounts exist and which sessions are live, and empties the cache of sessions.
    pub async fn refresh(&self) {
        self.read_presence().await;
        self.0.cached.invalidate_all();
        if self.presence() == Presence::Absent {
            return self.0.live.after_read(Vec::new());
        }
        self.0.live.before_read();
        match self.0.store.session_ids(self.0.options.idle).await {
            Ok(ids) => self.0.live.after_read(ids),
            Err(error) => tracing::debug!(%error, "cannot read the sessions"),
        }
    }
}

fn is_missing_table(error: &StoreError) -> bool {
    let text = error.to_string();
    text.contains("no such table") || text.contains("relation \"users\" does not exist")
}
