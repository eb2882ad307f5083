//! The counts of the requests to each webhook.

use diesel::{ExpressionMethods, QueryDsl, Queryable};

use super::backend::{read, transact};
use super::schema::source_hooks::dsl;
use super::sql::At;
use super::{Store, StoreError};
use sentistream_core::domain::Timestamp;

/// The result of one request to a webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookRequest {
    /// The number of posts that were appended to the stream.
    pub accepted: usize,
    /// The number of items that are not valid posts.
    pub rejected: usize,
    /// The last error, if there was one.
    pub error: Option<String>,
}

/// The counts of a webhook since it was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookRow {
    /// The name of the source.
    pub name: String,
    /// The number of posts that were appended to the stream.
    pub accepted: u64,
    /// The number of items that are not valid posts.
    pub rejected: u64,
    /// When the last post was appended; `None` if none was.
    pub last_post: Option<Timestamp>,
    /// The last error; `None` if there was none.
    pub last_error: Option<String>,
}

#[derive(Queryable)]
struct StoredRow {
    name: String,
    accepted: i64,
    rejected: i64,
    last_post: Option<At>,
    last_error: Option<String>,
}

impl From<StoredRow> for HookRow {
    fn from(row: StoredRow) -> Self {
        Self {
            name: row.name,
            accepted: row.accepted.unsigned_abs(),
            rejected: row.rejected.unsigned_abs(),
            last_post: row.last_post.map(|at| at.0),
            last_error: row.last_error,
        }
    }
}

impl Store {
    /// Adds the result of a request to the counts of the webhook `name`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
    pub async fn count_hook_request(&self, name: &str, request: HookRequest) -> Result<(), StoreError> {
        let at = (request.accepted > 0).then(|| At(self.clock.now()));
        transact!(self, (name.to_owned(), request, at), |c, (name, request, at), run| {
            let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
            run!(
                diesel::insert_into(dsl::source_hooks)
                    .values((
                        dsl::name.eq(&name),
                        dsl::accepted.eq(0),
                        dsl::rejected.eq(0),
                        dsl::last_post.eq(at),
                        dsl::last_error.eq(&request.error),
                    ))
                    .on_conflict(dsl::name)
                    .do_nothing()
                    .execute(c)
            )?;
            let row = || dsl::source_hooks.filter(dsl::name.eq(&name));
            run!(
                diesel::update(row())
                    .set((
                        dsl::accepted.eq(dsl::accepted + count(request.accepted)),
                        dsl::rejected.eq(dsl::rejected + count(request.rejected)),
                    ))
                    .execute(c)
            )?;
            if let Some(at) = at {
                run!(diesel::update(row()).set(dsl::last_post.eq(at)).execute(c))?;
            }
            if let Some(error) = &request.error {
                run!(diesel::update(row()).set(dsl::last_error.eq(error)).execute(c))?;
            }
            Ok(())
        })
    }

    /// The counts of every webhook, sorted by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn hooks(&self) -> Result<Vec<HookRow>, StoreError> {
        let query = || {
            dsl::source_hooks.order(dsl::name).select((
                dsl::name,
                dsl::accepted,
                dsl::rejected,
                dsl::last_post,
                dsl::last_error,
            ))
        };
        let rows: Vec<StoredRow> = read!(self, primary, |c| query().load(c))?;
        Ok(rows.into_iter().map(HookRow::from).collect())
    }
}
