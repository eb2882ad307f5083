//! Invitations, and the first user.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::row::{USER, UserColumns, UserRow, insert};
use super::{ACCOUNTS_LOCK, NewUser};
use crate::store::backend::{read, transact};
use crate::store::sql::{At, Instant, sql};
use crate::store::{Store, StoreError};
use sentistream_core::domain::Timestamp;
use sentistream_core::domain::account::User;

/// The result of creating the first user.
#[derive(Clone, Debug, PartialEq)]
pub enum FirstUser {
    /// The new user.
    Done(Box<User>),
    /// A user already exists.
    Exists,
    /// The code of the sign-in link is wrong, used or expired.
    WrongCode,
}

impl Store {
    /// Stores the first user. `code` is the SHA-256 of the code in a sign-in link, and the link becomes invalid; `None`
    /// when the client needs no link.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_first_user(&self, new: NewUser, code: Option<String>) -> Result<FirstUser, StoreError> {
        let data = (self.accounts_lock(), new, code, At(self.clock.now()));
        transact!(self, data, |c, (lock, new, code, now), run| {
            run!(sql(lock).bind::<BigInt, _>(ACCOUNTS_LOCK).execute(c))?;
            let others: i64 = run!(sql("SELECT count(*) FROM users").rows::<BigInt>().get_result(c))?;
            if others > 0 {
                return Ok(FirstUser::Exists);
            }
            if let Some(code) = code {
                let redeemed = run!(
                    sql("DELETE FROM sign_in_codes WHERE sha256 = ? AND expires_at > ?")
                        .bind::<Text, _>(code)
                        .bind::<Instant, _>(now)
                        .execute(c)
                )?;
                if redeemed == 0 {
                    return Ok(FirstUser::WrongCode);
                }
            }
            let id: i64 = run!(insert!(new, now).get_result(c))?;
            let row: UserRow =
                run!(sql(format!("{USER} WHERE u.id = ?")).bind::<BigInt, _>(id).rows::<UserColumns>().get_result(c))?;
            Ok(FirstUser::Done(Box::new(row.into())))
        })
    }

    /// Whether the code of a sign-in link has this SHA-256 and has not expired. The link stays valid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_sign_in_code(&self, sha256: &str) -> Result<bool, StoreError> {
        let now = At(self.clock.now());
        let query = || {
            sql("SELECT count(*) FROM sign_in_codes WHERE sha256 = ? AND expires_at > ?")
                .bind::<Text, _>(sha256)
                .bind::<Instant, _>(now)
                .rows::<BigInt>()
        };
        let found: i64 = read!(self, primary, |c| query().get_result(c))?;
        Ok(found > 0)
    }

    /// Stores the SHA-256 of a code with which the user can set a password until `expires_at`. An earlier code becomes
    /// invalid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invite_user(&self, user: i64, sha256: &str, expires_at: Timestamp) -> Result<(), StoreError> {
        let data = (user, sha256.to_owned(), At(expires_at));
        transact!(self, data, |c, (user, sha256, expires_at), run| {
            run!(
                sql("INSERT INTO user_invitations (user_id, sha256, expires_at) VALUES (?, ?, ?) \
                     ON CONFLICT (user_id) DO UPDATE SET sha256 = excluded.sha256, expires_at = excluded.expires_at")
                .bind::<BigInt, _>(user)
                .bind::<Text, _>(sha256)
                .bind::<Instant, _>(expires_at)
                .execute(c)
            )?;
            Ok(())
        })
    }

    /// Sets the password of the user who has the invitation with this code, deletes the invitation, and ends the user's
    /// sessions. `None` when the code is wrong, used or expired, or the user is disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn redeem_invitation(&self, sha256: &str, hash: &str) -> Result<Option<User>, StoreError> {
        let data = (sha256.to_owned(), hash.to_owned(), At(self.clock.now()));
        transact!(self, data, |c, (sha256, hash, now), run| {
            run!(sql("DELETE FROM user_invitations WHERE expires_at <= ?").bind::<Instant, _>(now).execute(c))?;
            let invited: Option<i64> = run!(
                sql("SELECT u.id FROM user_invitations i JOIN users u ON u.id = i.user_id WHERE i.sha256 = ? AND \
                     u.disabled = ?")
                .bind::<Text, _>(sha256.as_str())
                .bind::<Bool, _>(false)
                .rows::<BigInt>()
                .get_result(c)
            )
            .optional()?;
            let Some(id) = invited else { return Ok(None) };
            // If several requests contain the same code, only one of them deletes the row and can use the code.
            let redeemed =
                run!(sql("DELETE FROM user_invitations WHERE sha256 = ?").bind::<Text, _>(sha256.as_str()).execute(c))?;
            if redeemed == 0 {
                return Ok(None);
            }
            // The sessions must be deleted after this update, because the update waits until a concurrent sign-in has
            // stored its session.
            run!(
                sql("UPDATE users SET password_hash = ? WHERE id = ?")
                    .bind::<Text, _>(hash)
                    .bind::<BigInt, _>(id)
                    .execute(c)
            )?;
            run!(sql("DELETE FROM sessions WHERE user_id = ?").bind::<BigInt, _>(id).execute(c))?;
            let row: UserRow =
                run!(sql(format!("{USER} WHERE u.id = ?")).bind::<BigInt, _>(id).rows::<UserColumns>().get_result(c))?;
            Ok(Some(row.into()))
        })
    }

    /// The user whose invitation has this code. `None` when the code is wrong, used or expired, or the user is
    /// disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invited_user(&self, sha256: &str) -> Result<Option<User>, StoreError> {
        let now = At(self.clock.now());
        let query = || {
            sql(format!("{USER} WHERE i.sha256 = ? AND i.expires_at > ? AND u.disabled = ?"))
                .bind::<Text, _>(sha256)
                .bind::<Instant, _>(now)
                .bind::<Bool, _>(false)
                .rows::<UserColumns>()
        };
        let rows: Vec<UserRow> = read!(self, primary, |c| query().load(c))?;
        Ok(rows.into_iter().next().map(User::from))
    }
}
