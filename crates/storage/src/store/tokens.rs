//! Tokens that are created at run time, and the codes of sign-in links. Only hashes are stored.

use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::{ExpressionMethods, Queryable};

use super::backend::{read, transact};
use super::schema::{api_tokens, sign_in_codes};
use super::sql::{At, Instant, sql};
use super::{Store, StoreError};
use sentistream_core::domain::Timestamp;
use sentistream_core::domain::account::UserRole;

/// A token to store.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The name, which must be unique.
    pub name: String,
    /// The SHA-256 of the token as 64 hex digits.
    pub sha256: String,
    /// The names of its scopes, separated by spaces.
    pub scopes: String,
    /// Who created the token.
    pub created_by: String,
    /// When the token expires. `None`: never.
    pub expires_at: Option<Timestamp>,
    /// The id of the user that the token belongs to, and with whom it is deleted. `None`: the token belongs to no user.
    pub owner_id: Option<i64>,
}

/// The user that a token belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenOwner {
    /// The id of the user.
    pub id: i64,
    /// The name of the user.
    pub name: String,
    /// The role of the user, which limits the scopes of the token.
    pub role: UserRole,
    /// Whether the user, and therefore the token, is disabled.
    pub disabled: bool,
}

/// A stored token.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredToken {
    /// The id of the token.
    pub id: i64,
    /// The name, unique among stored tokens.
    pub name: String,
    /// The SHA-256 of the token as 64 hex digits.
    pub sha256: String,
    /// The names of its scopes, separated by spaces.
    pub scopes: String,
    /// When the token was created.
    pub created_at: Timestamp,
    /// Who created the token.
    pub created_by: String,
    /// When the token expires. `None`: never.
    pub expires_at: Option<Timestamp>,
    /// The time of a recent request with the token, at most a few minutes before the last request with it. `None`: the
    /// token was never used.
    pub last_used_at: Option<Timestamp>,
    /// The user that the token belongs to. `None`: the token belongs to no user.
    pub owner: Option<TokenOwner>,
}

impl Store {
    /// All tokens, including expired ones, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> {
        let query = || sql(TOKEN).rows::<TokenColumns>();
        let rows: Vec<TokenRow> = read!(self, primary, |c| query().load(c))?;
        Ok(rows.into_iter().map(StoredToken::from).collect())
    }

    /// Stores a token. Returns `false` if its name is taken. Also removes expired tokens.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_token(&self, token: &NewToken) -> Result<bool, StoreError> {
        let data = (token.clone(), At(self.clock.now()));
        let created: usize = transact!(self, data, |c, (token, now), run| {
            run!(diesel::delete(api_tokens::table).filter(api_tokens::expires_at.lt(now)).execute(c))?;
            run!(
                diesel::insert_into(api_tokens::table)
                    .values((
                        api_tokens::name.eq(&token.name),
                        api_tokens::sha256.eq(&token.sha256),
                        api_tokens::scopes.eq(&token.scopes),
                        api_tokens::created_at.eq(now),
                        api_tokens::created_by.eq(&token.created_by),
                        api_tokens::expires_at.eq(token.expires_at.map(At)),
                        api_tokens::owner_id.eq(token.owner_id),
                    ))
                    .on_conflict_do_nothing()
                    .execute(c)
            )
        })?;
        Ok(created > 0)
    }

    /// Deletes a token. If `owner` is set, the token must belong to this user. Returns `false` if there is no such
    /// token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_token(&self, id: i64, owner: Option<i64>) -> Result<bool, StoreError> {
        let data = (id, i64::from(owner.is_none()), owner.unwrap_or_default());
        let deleted: usize = transact!(self, data, |c, (id, any, owner), run| {
            run!(
                sql("DELETE FROM api_tokens WHERE id = ? AND (? = 1 OR owner_id = ?)")
                    .bind::<BigInt, _>(id)
                    .bind::<BigInt, _>(any)
                    .bind::<BigInt, _>(owner)
                    .execute(c)
            )
        })?;
        Ok(deleted > 0)
    }

    /// Stores the times of recent requests that used tokens.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_tokens(&self, used: Vec<TokenUse>) -> Result<(), StoreError> {
        transact!(self, used, |c, used, run| {
            for TokenUse { id, at } in used {
                run!(
                    diesel::update(api_tokens::table)
                        .filter(api_tokens::id.eq(id))
                        .set(api_tokens::last_used_at.eq(Some(At(at))))
                        .execute(c)
                )?;
            }
            Ok(())
        })
    }

    /// Stores the hash of a code that can be redeemed until `expires_at`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_sign_in_code(&self, sha256: &str, expires_at: Timestamp) -> Result<(), StoreError> {
        let data = (sha256.to_owned(), At(expires_at));
        transact!(self, data, |c, (sha256, expires_at), run| {
            run!(
                diesel::insert_into(sign_in_codes::table)
                    .values((sign_in_codes::sha256.eq(&sha256), sign_in_codes::expires_at.eq(expires_at)))
                    .on_conflict_do_nothing()
                    .execute(c)
            )
        })?;
        Ok(())
    }

    /// Deletes the code with this hash. Returns `true` if the code existed and had not expired. If several callers
    /// redeem the same code, only one of them gets `true`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn redeem_sign_in_code(&self, sha256: &str) -> Result<bool, StoreError> {
        let data = (sha256.to_owned(), At(self.clock.now()));
        let redeemed: usize = transact!(self, data, |c, (sha256, now), run| {
            run!(diesel::delete(sign_in_codes::table).filter(sign_in_codes::expires_at.le(now)).execute(c))?;
            run!(diesel::delete(sign_in_codes::table).filter(sign_in_codes::sha256.eq(&sha256)).execute(c))
        })?;
        Ok(redeemed > 0)
    }
}

/// A request that used a token.
#[derive(Clone, Copy, Debug)]
pub struct TokenUse {
    /// The id of the token.
    pub id: i64,
    /// The time of the request.
    pub at: Timestamp,
}

const TOKEN: &str = "SELECT t.id, t.name, t.sha256, t.scopes, t.created_at, t.created_by, t.expires_at, \
                     t.last_used_at, u.id, u.name, u.role, u.disabled FROM api_tokens t LEFT JOIN users u ON \
                     u.id = t.owner_id ORDER BY t.id";

type TokenColumns = (
    BigInt,
    Text,
    Text,
    Text,
    Instant,
    Text,
    Nullable<Instant>,
    Nullable<Instant>,
    Nullable<BigInt>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Bool>,
);

#[derive(Queryable)]
struct TokenRow {
    id: i64,
    name: String,
    sha256: String,
    scopes: String,
    created_at: At,
    created_by: String,
    expires_at: Option<At>,
    last_used_at: Option<At>,
    owner_id: Option<i64>,
    owner_name: Option<String>,
    owner_role: Option<String>,
    owner_disabled: Option<bool>,
}

impl From<TokenRow> for StoredToken {
    fn from(row: TokenRow) -> Self {
        let owner = row.owner_id.map(|id| TokenOwner {
            id,
            name: row.owner_name.unwrap_or_default(),
            role: row.owner_role.and_then(|role| role.parse().ok()).unwrap_or(UserRole::Viewer),
            disabled: row.owner_disabled.unwrap_or_default(),
        });
        Self {
            id: row.id,
            name: row.name,
            sha256: row.sha256,
            scopes: row.scopes,
            created_at: row.created_at.0,
            created_by: row.created_by,
            expires_at: row.expires_at.map(|at| at.0),
            last_used_at: row.last_used_at.map(|at| at.0),
            owner,
        }
    }
}
