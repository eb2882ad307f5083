//! Accounts of people: sign-in with a password, sessions, invitations.
//!
//! A session is a random secret in a cookie, of which the database has the SHA-256. A request reads its session from the
//! database, so that a change of a role and the end of a session take effect at once; answers are kept for a second.

mod live;
pub mod password;
mod people;
pub mod throttle;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::domain::account::{ActorName, Identity, RoleGrant, SignInMethod, User};
use crate::lifecycle::Shutdown;
use crate::store::accounts::{ExternalUser, NewSession, SessionFilter, SignedInUser};
use crate::store::{Store, StoreError};

use live::{LastPresence, LiveSessions};
use password::Hasher;
use throttle::{Attempt, Throttle};

pub use live::Presence;
pub use people::{Draft, Invitation};

/// The interval at which the presence of accounts and the live sessions are read.
const REFRESH: Duration = Duration::from_secs(2);
/// The interval at which expired sessions are deleted, in refreshes.
const PRUNE_EVERY: u32 = 1_800;
/// How long the answer of the database about a session is used.
const SESSION_TTL: Duration = Duration::from_secs(1);
/// The maximum number of sessions whose answer is kept.
const CACHED_SESSIONS: u64 = 10_000;
/// The time of the last request is stored at most this often.
const TOUCH_EVERY: Duration = Duration::from_secs(60);
/// The maximum length of a stored `User-Agent`, in characters.
const MAX_USER_AGENT_CHARS: usize = 300;
/// The maximum length of a user name in a sign-in, in bytes. A longer one has no account.
const MAX_NAME_BYTES: usize = 800;

/// Why a call failed.
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
    /// There is an account already.
    #[error("an account exists already: sign in, or ask an administrator for an invitation")]
    Exists,
    /// Another user, or a token, has the name.
    #[error("is the name of another user or of a token")]
    NameTaken,
    /// The session has ended.
    #[error("the session has ended: sign in again")]
    Ended,
    /// The account has no password.
    #[error("this account has no password")]
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

/// The secret of a session, which only the cookie holds.
#[derive(Clone)]
pub struct SessionSecret(String);

impl SessionSecret {
    /// A new secret with 256 random bits, as 64 hex digits.
    fn generate() -> Self {
        let bytes: [u8; 32] = rand::random();
        Self(hex(&bytes))
    }

    /// The secret in a cookie; `None` for a text that is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex =
            text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        is_hex.then(|| Self(text.to_owned()))
    }

    /// The text for the cookie.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn sha256(&self) -> String {
        sha256(&self.0)
    }
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret(…)")
    }
}

/// The browser that signs in.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// The address.
    pub address: Option<IpAddr>,
    /// The address or network to which limits apply.
    pub client: Option<IpAddr>,
    /// The `User-Agent`.
    pub user_agent: Option<String>,
    /// The session of the browser until now, which ends.
    pub replaces: Option<SessionSecret>,
}

/// A new session.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session and its user.
    pub user: SignedInUser,
    /// The secret for the cookie.
    pub secret: SessionSecret,
    /// When the session ends in any case.
    pub expires_at: Timestamp,
}

/// A user whom an identity provider has authenticated.
#[derive(Clone, Debug)]
pub struct ExternalIdentity {
    /// The user at the provider.
    pub identity: Identity,
    /// The name of a new account. If it is taken, a number is added: accounts are never linked by name.
    pub name: ActorName,
    /// The role.
    pub role: RoleGrant,
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
    /// Held while the presence is read for the first time.
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

    /// Whether there are accounts, as far as this process knows.
    pub fn presence(&self) -> Presence {
        self.0.presence.get()
    }

    /// As [`Self::presence`], but asks the database if it was not asked before.
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
            // A database without the table has no accounts.
            Err(error) if is_missing_table(&error) => self.0.presence.set_missing(),
            Err(error) => {
                tracing::debug!(%error, "cannot read the number of accounts");
                self.0.presence.set_unreachable();
            }
        }
    }

    /// Reads the presence of accounts and the live sessions at intervals until `shutdown`, and deletes expired sessions.
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

    /// Reads the presence of accounts and the live sessions.
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

    /// Signs in with a password.
    ///
    /// # Errors
    /// [`AccountError::WrongCredentials`], [`AccountError::Throttled`], [`AccountError::Busy`], or when the database fails.
    pub async fn sign_in(&self, name: &str, password: &SecretString, device: Device) -> Result<SignedIn, AccountError> {
        let attempt = self.admit(name, &device)?;
        let account = (name.len() <= MAX_NAME_BYTES).then_some(attempt.account.as_str());
        let signed_in = self.open_with_password(account, password, device).await;
        match &signed_in {
            Ok(_) => self.0.throttle.succeeded(&attempt),
            Err(AccountError::WrongCredentials) => {}
            // The server was busy, or the database failed.
            Err(_) => self.0.throttle.withdraw(&attempt),
        }
        signed_in
    }

    /// Opens a session for the account with this key, if the password is right. Without a key it takes the same time.
    async fn open_with_password(
        &self,
        account: Option<&str>,
        password: &SecretString,
        device: Device,
    ) -> Result<SignedIn, AccountError> {
        let known = match account {
            Some(account) => self.0.store.credentials(account).await?,
            None => None,
        };
        let hash = known.as_ref().and_then(|known| known.password_hash.as_deref());
        let is_right = self.0.hasher.verify(password, hash).await?;
        let known = known.filter(|known| is_right && !known.user.disabled).ok_or(AccountError::WrongCredentials)?;
        let opened = self.open_session(&known.user, SignInMethod::Password, device, known.password_hash).await;
        // The account may have been disabled, or its password changed, in the meantime.
        opened.map_err(
            |error| if matches!(error, AccountError::Disabled) { AccountError::WrongCredentials } else { error },
        )
    }

    fn admit(&self, name: &str, device: &Device) -> Result<Attempt, AccountError> {
        let name: String = name.trim().chars().take(MAX_NAME_BYTES).collect();
        let attempt = Attempt { account: name.to_lowercase(), client: device.client };
        self.0.throttle.admit(&attempt, self.0.clock.now()).map_err(AccountError::Throttled)?;
        Ok(attempt)
    }

    /// Signs in a user whom an identity provider has authenticated. Creates the account if there is none.
    ///
    /// # Errors
    /// [`AccountError::Disabled`], or when the database fails.
    pub async fn sign_in_external(&self, external: ExternalIdentity, device: Device) -> Result<SignedIn, AccountError> {
        let ExternalIdentity { identity, name, role } = external;
        let user = self.0.store.provide_external_user(ExternalUser { identity, name, role }).await?;
        let signed_in = self.open_session(&user, SignInMethod::Oidc, device, None).await?;
        self.refresh().await;
        Ok(signed_in)
    }

    /// Disables the user of an identity provider who may not sign in any more, and ends the user's sessions. Returns
    /// `false` if there is no such user, or the user is disabled already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn disable_external(&self, identity: Identity) -> Result<bool, AccountError> {
        let is_disabled = self.0.store.disable_external_user(identity).await?;
        if is_disabled {
            self.refresh().await;
        }
        Ok(is_disabled)
    }

    /// Opens a session. With `verified_hash`, only if it is still the hash of the user's password.
    async fn open_session(
        &self,
        user: &User,
        method: SignInMethod,
        device: Device,
        verified_hash: Option<String>,
    ) -> Result<SignedIn, AccountError> {
        let secret = SessionSecret::generate();
        let expires_at = self.0.clock.now() + self.0.options.absolute;
        let user_agent = device
            .user_agent
            .map(|text| text.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT_CHARS).collect::<String>());
        let new = NewSession {
            sha256: secret.sha256(),
            user_id: user.id,
            method,
            expires_at,
            address: device.address.as_ref().map(IpAddr::to_string),
            user_agent,
            replaces: device.replaces.as_ref().map(SessionSecret::sha256),
            verified_hash,
        };
        let user = self.0.store.create_session(new).await?.ok_or(AccountError::Disabled)?;
        self.0.cached.invalidate_all();
        self.0.live.saw(user.session.id);
        Ok(SignedIn { user, secret, expires_at })
    }

    /// The session with this secret and its user; `None` if it has ended. Notes the time of the request.
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
                // The request does not depend on it.
                Err(error) => tracing::debug!(%error, "cannot store the time of a session's request"),
            }
        }
        self.0.live.saw(known.session.id);
        self.0.cached.insert(key.to_owned(), known.clone());
        Ok(Some(known))
    }

    /// Whether neither the idle nor the absolute time-out of the session has passed.
    fn is_within_limits(&self, known: &SignedInUser) -> bool {
        let now = self.0.clock.now();
        now < known.session.expires_at && now.since(known.session.last_seen_at) < self.0.options.idle
    }

    /// When the session ends without another request.
    pub fn idle_expiry(&self, known: &SignedInUser) -> Timestamp {
        (known.session.last_seen_at + self.0.options.idle).min(known.session.expires_at)
    }

    /// Whether a session has not ended, as far as this process knows: another instance may have ended it within the last
    /// seconds.
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

    /// Ends a session. With `owner`, only if it is one of this user. Returns `false` if there is none.
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

fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
}

fn is_missing_table(error: &StoreError) -> bool {
    let text = error.to_string();
    text.contains("no such table") || text.contains("relation \"users\" does not exist")
}
