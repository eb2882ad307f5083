//! The tables of people: users, their sessions, and the invitations with which they set a password.

mod invitations;
mod row;
mod sessions;

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::backend::{Backend, read, transact};
use super::sql::{At, Instant, sql};
use super::{Store, StoreError};
use sentistream_core::domain::account::{ActorName, Identity, RoleGrant, User, UserRole};

use row::{USER, UserColumns, UserRow, insert};

pub use invitations::FirstUser;
pub use sessions::{NewSession, SessionFilter, SignedInUser};

/// The advisory lock for changes of users (Postgres only). Without it, two concurrent changes could remove the last two
/// administrators, one each.
const ACCOUNTS_LOCK: i64 = 0x0073_656e_7469_0010;

/// Replaces the statement that takes [`ACCOUNTS_LOCK`] on SQLite, which has only one writer and needs no lock.
const NO_LOCK: &str = "SELECT ?";

/// Counts the administrators who can sign in, without the user who has the given id.
const OTHER_ADMINS: &str = "SELECT count(*) FROM users WHERE role = 'admin' AND disabled = ? AND id <> ? \
                            AND (password_hash IS NOT NULL OR issuer IS NOT NULL)";

/// A user to store.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The name.
    pub name: ActorName,
    /// What the user may do.
    pub role: UserRole,
    /// The hash of the password in the PHC format; `None` for an invited user.
    pub password_hash: Option<String>,
    /// Who creates the user.
    pub created_by: String,
}

/// The result of creating a user.
#[derive(Clone, Debug, PartialEq)]
pub enum UserCreated {
    /// The new user.
    Done(Box<User>),
    /// Another user has the name.
    NameTaken,
    /// There are no users yet, and the first user must be an administrator.
    NeedsAdmin,
}

/// A change of a user by an administrator.
#[derive(Clone, Debug)]
pub struct UserEdit {
    /// The id of the user.
    pub id: i64,
    /// If set, the change requires this version.
    pub version: Option<i64>,
    /// The new name; `None`: unchanged.
    pub name: Option<ActorName>,
    /// The new role; `None`: unchanged.
    pub role: Option<UserRole>,
    /// Whether the user is disabled and cannot sign in; `None`: unchanged.
    pub disabled: Option<bool>,
}

/// The result of changing or deleting a user.
#[derive(Clone, Debug, PartialEq)]
pub enum UserChanged {
    /// The user after the change, or before the deletion.
    Done(Box<User>),
    /// There is no such user.
    Missing,
    /// The version of the user differs from the version that the change requires.
    Stale,
    /// Another user has the name.
    NameTaken,
    /// The user is the last administrator who can sign in.
    LastAdmin,
}

/// A user and the hash of their password.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user.
    pub user: User,
    /// The hash in the PHC format; `None` if the user cannot sign in with a password.
    pub password_hash: Option<String>,
}

/// A user of an identity provider who signs in.
#[derive(Clone, Debug)]
pub struct ExternalUser {
    /// The identity of the user at the provider.
    pub identity: Identity,
    /// The name for a new user. If another user or a token has this name, a number is appended.
    pub name: ActorName,
    /// The role that the identity provider gives the user, and when it is applied.
    pub role: RoleGrant,
}

impl Store {
    /// The number of users.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_users(&self) -> Result<i64, StoreError> {
        let query = || sql("SELECT count(*) FROM users").rows::<BigInt>();
        read!(self, primary, |c| query().get_result(c))
    }

    /// At most `limit` users with ids above `after`, sorted by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self, after: i64, limit: i64) -> Result<Vec<User>, StoreError> {
        let query = || {
            sql(format!("{USER} WHERE u.id > ? ORDER BY u.id LIMIT ?"))
                .bind::<BigInt, _>(after)
                .bind::<BigInt, _>(limit)
                .rows::<UserColumns>()
        };
        let rows: Vec<UserRow> = read!(self, primary, |c| query().load(c))?;
        Ok(rows.into_iter().map(User::from).collect())
    }

    /// The user with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, id: i64) -> Result<Option<User>, StoreError> {
        let query = || sql(format!("{USER} WHERE u.id = ?")).bind::<BigInt, _>(id).rows::<UserColumns>();
        let rows: Vec<UserRow> = read!(self, primary, |c| query().load(c))?;
        Ok(rows.into_iter().next().map(User::from))
    }

    /// The user whose name has this key ([`ActorName::key`]), with the hash of the password.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn credentials(&self, key: &str) -> Result<Option<Credentials>, StoreError> {
        let query = || sql(format!("{USER} WHERE u.name_key = ?")).bind::<Text, _>(key).rows::<UserColumns>();
        let rows: Vec<UserRow> = read!(self, primary, |c| query().load(c))?;
        Ok(rows
            .into_iter()
            .next()
            .map(|row| Credentials { password_hash: row.password_hash.clone(), user: row.into() }))
    }

    /// Stores a user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_user(&self, new: NewUser) -> Result<UserCreated, StoreError> {
        let data = (self.accounts_lock(), new, At(self.clock.now()));
        transact!(self, data, |c, (lock, new, now), run| {
            run!(sql(lock).bind::<BigInt, _>(ACCOUNTS_LOCK).execute(c))?;
            let others: i64 = run!(sql("SELECT count(*) FROM users").rows::<BigInt>().get_result(c))?;
            if others == 0 && new.role != UserRole::Admin {
                return Ok(UserCreated::NeedsAdmin);
            }
            let inserted: Option<i64> = run!(insert!(new, now).get_result(c)).optional()?;
            let Some(id) = inserted else { return Ok(UserCreated::NameTaken) };
            let row: UserRow =
                run!(sql(format!("{USER} WHERE u.id = ?")).bind::<BigInt, _>(id).rows::<UserColumns>().get_result(c))?;
            Ok(UserCreated::Done(Box::new(row.into())))
        })
    }

    /// Changes a user. Changing the role or disabling the user ends the user's sessions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn edit_user(&self, edit: UserEdit) -> Result<UserChanged, StoreError> {
        let data = (self.accounts_lock(), edit);
        transact!(self, data, |c, (lock, edit), run| {
            run!(sql(lock).bind::<BigInt, _>(ACCOUNTS_LOCK).execute(c))?;
            let found: Option<UserRow> = run!(
                sql(format!("{USER} WHERE u.id = ?")).bind::<BigInt, _>(edit.id).rows::<UserColumns>().get_result(c)
            )
            .optional()?;
            let Some(user) = found.map(User::from) else { return Ok(UserChanged::Missing) };
            if edit.version.is_some_and(|version| version != user.version) {
                return Ok(UserChanged::Stale);
            }
            let role = edit.role.unwrap_or(user.role);
            let disabled = edit.disabled.unwrap_or(user.disabled);
            let name = edit.name.clone().map_or_else(|| user.name.clone(), |name| name.as_str().to_owned());
            if is_active_admin(&user) && (role != UserRole::Admin || disabled) {
                let others: i64 = run!(
                    sql(OTHER_ADMINS).bind::<Bool, _>(false).bind::<BigInt, _>(user.id).rows::<BigInt>().get_result(c)
                )?;
                if others == 0 {
                    return Ok(UserChanged::LastAdmin);
                }
            }
            let taken: i64 = run!(
                sql("SELECT count(*) FROM users WHERE name_key = ? AND id <> ?")
                    .bind::<Text, _>(name.to_lowercase())
                    .bind::<BigInt, _>(user.id)
                    .rows::<BigInt>()
                    .get_result(c)
            )?;
            if taken > 0 {
                return Ok(UserChanged::NameTaken);
            }
            if role != user.role || disabled {
                run!(sql("DELETE FROM sessions WHERE user_id = ?").bind::<BigInt, _>(user.id).execute(c))?;
            }
            run!(
                sql("UPDATE users SET name = ?, name_key = ?, role = ?, disabled = ?, version = version + 1 WHERE id = ?")
                    .bind::<Text, _>(name.as_str())
                    .bind::<Text, _>(name.to_lowercase())
                    .bind::<Text, _>(role.as_str())
                    .bind::<Bool, _>(disabled)
                    .bind::<BigInt, _>(user.id)
                    .execute(c)
            )?;
            let row: UserRow = run!(
                sql(format!("{USER} WHERE u.id = ?")).bind::<BigInt, _>(user.id).rows::<UserColumns>().get_result(c)
            )?;
            Ok(UserChanged::Done(Box::new(row.into())))
        })
    }

    /// Deletes a user with their sessions, invitations and tokens. The last administrator can be deleted only if there
    /// is no other user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_user(&self, id: i64) -> Result<UserChanged, StoreError> {
        let data = (self.accounts_lock(), id);
        transact!(self, data, |c, (lock, id), run| {
            run!(sql(lock).bind::<BigInt, _>(ACCOUNTS_LOCK).execute(c))?;
            let found: Option<UserRow> =
                run!(sql(format!("{USER} WHERE u.id = ?")).bind::<BigInt, _>(id).rows::<UserColumns>().get_result(c))
                    .optional()?;
            let Some(user) = found.map(User::from) else { return Ok(UserChanged::Missing) };
            let users: i64 = run!(sql("SELECT count(*) FROM users").rows::<BigInt>().get_result(c))?;
            let admins: i64 =
                run!(sql(OTHER_ADMINS).bind::<Bool, _>(false).bind::<BigInt, _>(id).rows::<BigInt>().get_result(c))?;
            if is_active_admin(&user) && admins == 0 && users > 1 {
                return Ok(UserChanged::LastAdmin);
            }
            // The rows of other tables are deleted by their foreign keys.
            run!(sql("DELETE FROM users WHERE id = ?").bind::<BigInt, _>(id).execute(c))?;
            Ok(UserChanged::Done(Box::new(user)))
        })
    }

    /// The user with this identity at an identity provider. The user is created if there is none. A change of the role
    /// ends the user's sessions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn provide_external_user(&self, external: ExternalUser) -> Result<User, StoreError> {
        let data = (self.accounts_lock(), external, At(self.clock.now()));
        transact!(self, data, |c, (lock, external, now), run| {
            run!(sql(lock).bind::<BigInt, _>(ACCOUNTS_LOCK).execute(c))?;
            let ExternalUser { identity, name, role } = external;
            let found: Option<UserRow> = run!(
                sql(format!("{USER} WHERE u.issuer = ? AND u.subject = ?"))
                    .bind::<Text, _>(identity.issuer.as_str())
                    .bind::<Text, _>(identity.subject.as_str())
                    .rows::<UserColumns>()
                    .get_result(c)
            )
            .optional()?;
            let id = match found.map(User::from) {
                Some(user) if user.role == role.role(Some(user.role)) => return Ok(user),
                Some(user) => {
                    run!(sql("DELETE FROM sessions WHERE user_id = ?").bind::<BigInt, _>(user.id).execute(c))?;
                    run!(
                        sql("UPDATE users SET role = ?, version = version + 1 WHERE id = ?")
                            .bind::<Text, _>(role.role(Some(user.role)).as_str())
                            .bind::<BigInt, _>(user.id)
                            .execute(c)
                    )?;
                    user.id
                }
                None => {
                    // The audit log identifies users and tokens by name, so a user must not have the name of a token.
                    let tokens: Vec<String> = run!(sql("SELECT name FROM api_tokens").rows::<Text>().load(c))?;
                    let mut free = name.as_str().to_owned();
                    for number in 2_u32.. {
                        let taken: i64 = run!(
                            sql("SELECT count(*) FROM users WHERE name_key = ?")
                                .bind::<Text, _>(free.to_lowercase())
                                .rows::<BigInt>()
                                .get_result(c)
                        )?;
                        let is_token = tokens.iter().any(|token| token.to_lowercase() == free.to_lowercase());
                        if taken == 0 && !is_token {
                            break;
                        }
                        free = format!("{name} {number}");
                    }
                    run!(
                        sql("INSERT INTO users (name, name_key, role, issuer, subject, disabled, created_at, created_by) \
                             VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id")
                            .bind::<Text, _>(free.as_str())
                            .bind::<Text, _>(free.to_lowercase())
                            .bind::<Text, _>(role.role(None).as_str())
                            .bind::<Text, _>(identity.issuer.as_str())
                            .bind::<Text, _>(identity.subject.as_str())
                            .bind::<Bool, _>(false)
                            .bind::<Instant, _>(now)
                            .bind::<Text, _>(identity.issuer.as_str())
                            .rows::<BigInt>()
                            .get_result(c)
                    )?
                }
            };
            let row: UserRow =
                run!(sql(format!("{USER} WHERE u.id = ?")).bind::<BigInt, _>(id).rows::<UserColumns>().get_result(c))?;
            Ok(row.into())
        })
    }

    /// Sets the hash of a user's password, deletes the user's invitation, and ends the user's sessions except the one
    /// with the id `kept`. Returns `false` if the user does not exist.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_password(&self, user: i64, hash: &str, kept: Option<i64>) -> Result<bool, StoreError> {
        let data = (user, hash.to_owned(), kept.unwrap_or_default());
        let changed: usize = transact!(self, data, |c, (user, hash, kept), run| {
            // The sessions must be deleted after this update, because the update waits until a concurrent sign-in has
            // stored its session.
            let changed = run!(
                sql("UPDATE users SET password_hash = ? WHERE id = ?")
                    .bind::<Text, _>(hash.as_str())
                    .bind::<BigInt, _>(user)
                    .execute(c)
            )?;
            run!(sql("DELETE FROM user_invitations WHERE user_id = ?").bind::<BigInt, _>(user).execute(c))?;
            run!(
                sql("DELETE FROM sessions WHERE user_id = ? AND id <> ?")
                    .bind::<BigInt, _>(user)
                    .bind::<BigInt, _>(kept)
                    .execute(c)
            )?;
            Ok(changed)
        })?;
        Ok(changed > 0)
    }

    /// The statement that takes [`ACCOUNTS_LOCK`].
    fn accounts_lock(&self) -> &'static str {
        match &self.backend {
            Backend::Sqlite(_) => NO_LOCK,
            Backend::Postgres(_) => "SELECT pg_advisory_xact_lock(?)",
        }
    }
}

fn is_active_admin(user: &User) -> bool {
    user.role == UserRole::Admin && !user.disabled && (user.has_password || user.identity.is_some())
}
