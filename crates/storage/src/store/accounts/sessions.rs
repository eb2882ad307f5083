//! Sessions, which are identified by the SHA-256 of their secret.

use std::time::Duration;

use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::{OptionalExtension, Queryable};

use super::ACCOUNTS_LOCK;
use super::row::role;
use crate::store::backend::{read, transact};
use crate::store::sql::{At, Instant, sql};
use crate::store::{Store, StoreError};
use sentistream_core::domain::Timestamp;
use sentistream_core::domain::account::{Identity, Session, SignInMethod, UserRole};

/// The maximum number of sessions of one user. A further session ends the oldest one.
const MAX_PER_USER: i64 = 50;

/// A session to store.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The SHA-256 of the secret, as 64 hex digits.
    pub sha256: String,
    /// The user.
    pub user_id: i64,
    /// How the user signed in.
    pub method: SignInMethod,
    /// When the session ends, even if it is in use.
    pub expires_at: Timestamp,
    /// The IP address of the client; `None` if it is not known.
    pub address: Option<String>,
    /// The `User-Agent` header of the client; `None` if the client sent none.
    pub user_agent: Option<String>,
    /// The SHA-256 of the secret of an earlier session of the same browser. The new session ends it.
    pub replaces: Option<String>,
    /// The hash of the password with which the user signed in, in the PHC format. `None` for other methods.
    pub verified_hash: Option<String>,
}

/// A session with its user.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedInUser {
    /// The session.
    pub session: Session,
    /// The name of the user.
    pub name: String,
    /// The role of the user.
    pub role: UserRole,
    /// Whether the user has a password.
    pub has_password: bool,
    /// The URL of the identity provider of the user; `None` for a local account.
    pub issuer: Option<String>,
}

/// Selects sessions.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionFilter {
    /// Only sessions of this user.
    pub user_id: Option<i64>,
    /// Only sessions with a lower id.
    pub before: Option<i64>,
    /// The time after which a session without requests has ended.
    pub idle: Duration,
}

/// The columns of [`SessionRow`].
const SESSION: &str = "SELECT s.id, s.user_id, s.method, s.created_at, s.last_seen_at, s.expires_at, s.address, \
                       s.user_agent, u.name, u.role, u.password_hash IS NOT NULL, u.issuer FROM sessions s \
                       JOIN users u ON u.id = s.user_id";

type SessionColumns =
    (BigInt, BigInt, Text, Instant, Instant, Instant, Nullable<Text>, Nullable<Text>, Text, Text, Bool, Nullable<Text>);

#[derive(Queryable)]
struct SessionRow {
    id: i64,
    user_id: i64,
    method: String,
    created_at: At,
    last_seen_at: At,
    expires_at: At,
    address: Option<String>,
    user_agent: Option<String>,
    name: String,
    role: String,
    has_password: bool,
    issuer: Option<String>,
}

impl From<SessionRow> for SignedInUser {
    fn from(row: SessionRow) -> Self {
        Self {
            session: Session {
                id: row.id,
                user_id: row.user_id,
                method: row.method.parse().unwrap_or(SignInMethod::Link),
                created_at: row.created_at.0,
                last_seen_at: row.last_seen_at.0,
                expires_at: row.expires_at.0,
                address: row.address,
                user_agent: row.user_agent,
            },
            name: row.name,
            role: role(&row.role),
            has_password: row.has_password,
            issuer: row.issuer,
        }
    }
}

impl Store {
    /// Stores a session. `None` when the user is disabled or does not exist, or the password has changed since it was
    /// verified.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_session(&self, new: NewSession) -> Result<Option<SignedInUser>, StoreError> {
        let data = (new, At(self.clock.now()));
        transact!(self, data, |c, (new, now), run| {
            let changed = run!(
                sql("UPDATE users SET last_sign_in_at = ? WHERE id = ? AND disabled = ? \
                     AND (? = 1 OR password_hash = ?)")
                .bind::<Instant, _>(now)
                .bind::<BigInt, _>(new.user_id)
                .bind::<Bool, _>(false)
                .bind::<BigInt, _>(i64::from(new.verified_hash.is_none()))
                .bind::<Text, _>(new.verified_hash.clone().unwrap_or_default())
                .execute(c)
            )?;
            if changed == 0 {
                return Ok(None);
            }
            run!(
                sql("DELETE FROM sessions WHERE user_id = ? AND expires_at <= ?")
                    .bind::<BigInt, _>(new.user_id)
                    .bind::<Instant, _>(now)
                    .execute(c)
            )?;
            if let Some(replaced) = &new.replaces {
                run!(sql("DELETE FROM sessions WHERE sha256 = ?").bind::<Text, _>(replaced.as_str()).execute(c))?;
            }
            run!(
                sql("DELETE FROM sessions WHERE user_id = ? AND id NOT IN \
                     (SELECT id FROM sessions WHERE user_id = ? ORDER BY id DESC LIMIT ?)")
                .bind::<BigInt, _>(new.user_id)
                .bind::<BigInt, _>(new.user_id)
                .bind::<BigInt, _>(MAX_PER_USER - 1)
                .execute(c)
            )?;
            let id: i64 = run!(
                sql("INSERT INTO sessions (sha256, user_id, method, created_at, last_seen_at, expires_at, address, \
                     user_agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id")
                .bind::<Text, _>(new.sha256.as_str())
                .bind::<BigInt, _>(new.user_id)
                .bind::<Text, _>(new.method.as_str())
                .bind::<Instant, _>(now)
                .bind::<Instant, _>(now)
                .bind::<Instant, _>(At(new.expires_at))
                .bind::<Nullable<Text>, _>(new.address.clone())
                .bind::<Nullable<Text>, _>(new.user_agent.clone())
                .rows::<BigInt>()
                .get_result(c)
            )?;
            let row: SessionRow = run!(
                sql(format!("{SESSION} WHERE s.id = ?")).bind::<BigInt, _>(id).rows::<SessionColumns>().get_result(c)
            )?;
            Ok(Some(row.into()))
        })
    }

    /// The session whose secret has this SHA-256; `None` if there is no such session, or its user is disabled. The
    /// session may have expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, sha256: &str) -> Result<Option<SignedInUser>, StoreError> {
        let query = || {
            sql(format!("{SESSION} WHERE s.sha256 = ? AND u.disabled = ?"))
                .bind::<Text, _>(sha256)
                .bind::<Bool, _>(false)
                .rows::<SessionColumns>()
        };
        let rows: Vec<SessionRow> = read!(self, primary, |c| query().load(c))?;
        Ok(rows.into_iter().next().map(SignedInUser::from))
    }

    /// At most `limit` sessions that `filter` selects and that have not ended, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions(&self, filter: SessionFilter, limit: i64) -> Result<Vec<SignedInUser>, StoreError> {
        let now = self.clock.now();
        let idle_since = now - filter.idle;
        let any_user = i64::from(filter.user_id.is_none());
        let query = || {
            sql(format!(
                "{SESSION} WHERE s.expires_at > ? AND s.last_seen_at > ? AND s.id < ? AND (? = 1 OR s.user_id = ?) \
                 ORDER BY s.id DESC LIMIT ?"
            ))
            .bind::<Instant, _>(now)
            .bind::<Instant, _>(idle_since)
            .bind::<BigInt, _>(filter.before.unwrap_or(i64::MAX))
            .bind::<BigInt, _>(any_user)
            .bind::<BigInt, _>(filter.user_id.unwrap_or_default())
            .bind::<BigInt, _>(limit)
            .rows::<SessionColumns>()
        };
        let rows: Vec<SessionRow> = read!(self, primary, |c| query().load(c))?;
        Ok(rows.into_iter().map(SignedInUser::from).collect())
    }

    /// The ids of the sessions that have not ended. `idle`: the time after which a session without requests has ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_ids(&self, idle: Duration) -> Result<Vec<i64>, StoreError> {
        let now = self.clock.now();
        let query = || {
            sql("SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id \
                 WHERE u.disabled = ? AND s.expires_at > ? AND s.last_seen_at > ?")
            .bind::<Bool, _>(false)
            .bind::<Instant, _>(now)
            .bind::<Instant, _>(now - idle)
            .rows::<BigInt>()
        };
        read!(self, primary, |c| query().load(c))
    }

    /// Replaces the secret of a session. Returns `false` if there is no such session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate_session(&self, id: i64, sha256: &str) -> Result<bool, StoreError> {
        let data = (id, sha256.to_owned());
        let changed: usize = transact!(self, data, |c, (id, sha256), run| {
            run!(
                sql("UPDATE sessions SET sha256 = ? WHERE id = ?")
                    .bind::<Text, _>(sha256.as_str())
                    .bind::<BigInt, _>(id)
                    .execute(c)
            )
        })?;
        Ok(changed > 0)
    }

    /// Stores the time of a request of a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_session(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        let data = (id, At(now));
        transact!(self, data, |c, (id, now), run| {
            run!(
                sql("UPDATE sessions SET last_seen_at = ? WHERE id = ? AND last_seen_at < ?")
                    .bind::<Instant, _>(now)
                    .bind::<BigInt, _>(id)
                    .bind::<Instant, _>(now)
                    .execute(c)
            )
        })?;
        Ok(())
    }

    /// Ends a session. If `owner` is set, the session must belong to this user. Returns `false` if there is no such
    /// session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_session(&self, id: i64, owner: Option<i64>) -> Result<bool, StoreError> {
        let data = (id, i64::from(owner.is_none()), owner.unwrap_or_default());
        let ended: usize = transact!(self, data, |c, (id, any, owner), run| {
            run!(
                sql("DELETE FROM sessions WHERE id = ? AND (? = 1 OR user_id = ?)")
                    .bind::<BigInt, _>(id)
                    .bind::<BigInt, _>(any)
                    .bind::<BigInt, _>(owner)
                    .execute(c)
            )
        })?;
        Ok(ended > 0)
    }

    /// Ends the sessions of a user, except the one with the id `kept`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_sessions_of(&self, user: i64, kept: Option<i64>) -> Result<(), StoreError> {
        let data = (user, kept.unwrap_or_default());
        transact!(self, data, |c, (user, kept), run| {
            run!(
                sql("DELETE FROM sessions WHERE user_id = ? AND id <> ?")
                    .bind::<BigInt, _>(user)
                    .bind::<BigInt, _>(kept)
                    .execute(c)
            )
        })?;
        Ok(())
    }

    /// Ends the sessions of the user of an identity provider who may not sign in any more, and deletes the user's
    /// tokens. Returns `false` if there were no sessions and no tokens.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_external_access(&self, identity: Identity) -> Result<bool, StoreError> {
        let data = (self.accounts_lock(), identity);
        transact!(self, data, |c, (lock, identity), run| {
            run!(sql(lock).bind::<BigInt, _>(ACCOUNTS_LOCK).execute(c))?;
            let found: Option<i64> = run!(
                sql("SELECT id FROM users WHERE issuer = ? AND subject = ?")
                    .bind::<Text, _>(identity.issuer.as_str())
                    .bind::<Text, _>(identity.subject.as_str())
                    .rows::<BigInt>()
                    .get_result(c)
            )
            .optional()?;
            let Some(id) = found else { return Ok(false) };
            let sessions: usize = run!(sql("DELETE FROM sessions WHERE user_id = ?").bind::<BigInt, _>(id).execute(c))?;
            let tokens: usize =
                run!(sql("DELETE FROM api_tokens WHERE owner_id = ?").bind::<BigInt, _>(id).execute(c))?;
            Ok(sessions + tokens > 0)
        })
    }

    /// Deletes expired sessions and invitations. `idle`: the time after which a session without requests has ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_sessions(&self, idle: Duration) -> Result<(), StoreError> {
        let now = self.clock.now();
        let data = (At(now), At(now - idle));
        transact!(self, data, |c, (now, idle_since), run| {
            run!(sql("DELETE FROM user_invitations WHERE expires_at <= ?").bind::<Instant, _>(now).execute(c))?;
            run!(
                sql("DELETE FROM sessions WHERE expires_at <= ? OR last_seen_at <= ?")
                    .bind::<Instant, _>(now)
                    .bind::<Instant, _>(idle_since)
                    .execute(c)
            )?;
            Ok(())
        })
    }

    /// Ends the session whose secret has this SHA-256. Returns its id, or `None` if there is no such session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_session_with(&self, sha256: &str) -> Result<Option<i64>, StoreError> {
        transact!(self, sha256.to_owned(), |c, sha256, run| {
            run!(
                sql("DELETE FROM sessions WHERE sha256 = ? RETURNING id")
                    .bind::<Text, _>(sha256.as_str())
                    .rows::<BigInt>()
                    .get_result(c)
            )
            .optional()
        })
    }
}
