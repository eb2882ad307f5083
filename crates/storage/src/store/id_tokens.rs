//! Encrypted ID tokens of sessions that began at an OpenID Connect provider.

use diesel::{ExpressionMethods, QueryDsl};

use super::backend::{read, transact};
use super::schema::session_id_tokens;
use super::{Store, StoreError};

impl Store {
    /// Stores the encrypted ID token of a session. The token is deleted together with the session.
    ///
    /// # Errors
    /// When the database fails, or the session has ended.
    pub async fn keep_id_token(&self, session_id: i64, sealed: String) -> Result<(), StoreError> {
        let data = (session_id, sealed);
        transact!(self, data, |c, (session_id, sealed), run| {
            run!(
                diesel::insert_into(session_id_tokens::table)
                    .values((session_id_tokens::session_id.eq(session_id), session_id_tokens::id_token.eq(&sealed)))
                    .on_conflict_do_nothing()
                    .execute(c)
            )
        })?;
        Ok(())
    }

    /// The encrypted ID token of a session; `None` if the session did not begin at a provider.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn id_token(&self, session_id: i64) -> Result<Option<String>, StoreError> {
        let found: Vec<String> = read!(self, primary, |c| session_id_tokens::table
            .filter(session_id_tokens::session_id.eq(session_id))
            .select(session_id_tokens::id_token)
            .load(c))?;
        Ok(found.into_iter().next())
    }
}
