//! Rows of users.

use diesel::Queryable;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use crate::store::sql::{At, Instant};
use sentistream_core::domain::account::{Identity, User, UserRole};

/// The beginning of a statement that selects [`UserColumns`].
pub const USER: &str = "SELECT u.id, u.name, u.role, u.password_hash, u.issuer, u.subject, u.disabled, u.created_at, \
                        u.created_by, u.last_sign_in_at, i.expires_at, u.version FROM users u LEFT JOIN \
                        user_invitations i ON i.user_id = u.id";

/// The types of the columns of [`USER`].
pub type UserColumns = (
    BigInt,
    Text,
    Text,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Bool,
    Instant,
    Text,
    Nullable<Instant>,
    Nullable<Instant>,
    BigInt,
);

/// A row of [`USER`].
#[derive(Queryable)]
pub struct UserRow {
    id: i64,
    name: String,
    role: String,
    /// The hash of the password.
    pub password_hash: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    disabled: bool,
    created_at: At,
    created_by: String,
    last_sign_in_at: Option<At>,
    invited_until: Option<At>,
    version: i64,
}

/// The role with this name. An unknown role, from a later version of the program, is read as the role with the fewest
/// permissions.
pub fn role(name: &str) -> UserRole {
    name.parse().unwrap_or(UserRole::Viewer)
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            role: role(&row.role),
            has_password: row.password_hash.is_some(),
            identity: row.issuer.zip(row.subject).map(|(issuer, subject)| Identity { issuer, subject }),
            disabled: row.disabled,
            created_at: row.created_at.0,
            created_by: row.created_by,
            last_sign_in_at: row.last_sign_in_at.map(|at| at.0),
            invited_until: row.invited_until.map(|at| at.0),
            version: row.version,
        }
    }
}

/// The statement that inserts a local user and returns its id, unless the name is taken.
macro_rules! insert {
    ($new:ident, $now:ident) => {
        sql("INSERT INTO users (name, name_key, role, password_hash, disabled, created_at, created_by) \
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id")
        .bind::<Text, _>($new.name.as_str())
        .bind::<Text, _>($new.name.key())
        .bind::<Text, _>($new.role.as_str())
        .bind::<Nullable<Text>, _>($new.password_hash.clone())
        .bind::<Bool, _>(false)
        .bind::<Instant, _>($now)
        .bind::<Text, _>($new.created_by.as_str())
        .rows::<BigInt>()
    };
}
pub(super) use insert;
