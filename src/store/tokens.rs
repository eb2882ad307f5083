//! Tokens that are created at run time, and the codes of sign-in links. Only hashes are stored.

use diesel::{ExpressionMethods, QueryDsl, Queryable, Selectable, SelectableHelper};

use super::backend::{read, transact};
use super::schema::{api_tokens, sign_in_codes};
use super::sql::At;
use super::{Store, StoreError};
use crate::domain::Timestamp;

/// A token to store.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The name, which must be unique.
    pub name: String,
    /// The SHA-256 of the token as 64 hex digits.
    pub sha256: String,
    /// The names of its scopes, separated by spaces.
    pub scopes: String,
    /// Who created it.
    pub created_by: String,
    /// `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
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
    /// Who created it.
    pub created_by: String,
    /// `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
}

impl Store {
    /// All tokens, including expired ones, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> {
        let rows: Vec<TokenRow> =
            read!(self, primary, |c| api_tokens::table.order(api_tokens::id).select(TokenRow::as_select()).load(c))?;
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
                    ))
                    .on_conflict_do_nothing()
                    .execute(c)
            )
        })?;
        Ok(created > 0)
    }

    /// Deletes a token. Returns `false` if no token has this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_token(&self, id: i64) -> Result<bool, StoreError> {
        let deleted: usize = transact!(self, id, |c, id, run| {
            run!(diesel::delete(api_tokens::table).filter(api_tokens::id.eq(id)).execute(c))
        })?;
        Ok(deleted > 0)
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

    /// Deletes the code with this hash. Returns `true` if it existed and had not expired. Only one of several callers
    /// gets `true`.
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

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_tokens)]
struct TokenRow {
    id: i64,
    name: String,
    sha256: String,
    scopes: String,
    created_at: At,
    created_by: String,
    expires_at: Option<At>,
}

impl From<TokenRow> for StoredToken {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            sha256: row.sha256,
            scopes: row.scopes,
            created_at: row.created_at.0,
            created_by: row.created_by,
            expires_at: row.expires_at.map(|at| at.0),
        }
    }
}
