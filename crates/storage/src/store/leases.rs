//! Leases with a fencing token, and the cursors of sources.
//!
//! The expiry of a lease is compared with the clock of the database, because the clocks of instances may differ.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::sql_types::{BigInt, Text};
use diesel::upsert::excluded;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, TextExpressionMethods};

use super::backend::{Backend, read, transact};
use super::schema::source_cursors;
use super::sql::{At, sql};
use super::{Lease, Store, StoreError};

/// A lease is valid for at most this time, or for four times its time to live if that is longer, because instances of
/// other versions may use another time to live. A lease that expires later was acquired while the clock was ahead.
const LONGEST: Duration = Duration::from_secs(300);

/// Whether the holder in `$lease` still holds the lease. An expired lease is held until another instance takes it over.
/// This should be the first statement of a transaction. It locks the lease, so that no other instance can take the
/// lease over before the commit.
macro_rules! is_held {
    ($run:ident, $c:ident, $lease:expr) => {{
        let lease: &$crate::store::Lease = $lease;
        let held: usize = $run!(
            $crate::store::sql::sql("UPDATE leases SET token = token WHERE name = ? AND token = ? AND holder = ?")
                .bind::<diesel::sql_types::Text, _>(&lease.name)
                .bind::<diesel::sql_types::BigInt, _>(lease.token)
                .bind::<diesel::sql_types::Text, _>(&lease.holder)
                .execute($c)
        )?;
        held > 0
    }};
}
pub(super) use is_held;

/// The current time of SQLite, in microseconds.
macro_rules! sqlite_now {
    () => {
        "CAST(unixepoch('subsec') * 1000000 AS integer)"
    };
}

/// The statement that acquires or renews a lease. `$now` is the current time; `$later` adds the next bound duration to
/// it. A new holder, or a holder whose lease has expired, gets a new token. A lease that expires later than [`LONGEST`]
/// allows counts as expired.
macro_rules! acquire {
    ($now:expr, $later:expr) => {
        concat!(
            "INSERT INTO leases (name, holder, token, expires_at) VALUES (?, ?, 1, ",
            $later,
            ") ON CONFLICT (name) DO UPDATE SET token = CASE WHEN leases.expires_at > ",
            $now,
            " AND leases.expires_at <= ",
            $later,
            " THEN leases.token ELSE leases.token + 1 END, holder = excluded.holder, expires_at = excluded.expires_at \
             WHERE leases.holder = excluded.holder OR leases.expires_at <= ",
            $now,
            " OR leases.expires_at > ",
            $later,
            " RETURNING token"
        )
    };
}

impl Lease {
    /// Returns the value in `done`. `None` means that this instance no longer holds the lease, so the result is an
    /// error.
    pub(super) fn check<T>(&self, done: Option<T>) -> Result<T, StoreError> {
        done.ok_or_else(|| StoreError::LeaseLost(self.name.clone()))
    }
}

impl Store {
    /// Acquires or renews the lease `name` for `holder` for the time `ttl`. Returns `None` while another instance holds
    /// it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn acquire_lease(&self, name: &str, holder: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let text = match &self.backend {
            Backend::Sqlite(_) => acquire!(sqlite_now!(), concat!(sqlite_now!(), " + ?")),
            Backend::Postgres(_) => acquire!("clock_timestamp()", "clock_timestamp() + ? * interval '1 microsecond'"),
        };
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let (ttl, longest) = (micros(ttl), micros(LONGEST.max(ttl.saturating_mul(4))));
        let data = (name.to_owned(), holder.to_owned());
        transact!(self, data, |c, (name, holder), run| {
            let acquire = sql(text)
                .bind::<Text, _>(&name)
                .bind::<Text, _>(&holder)
                .bind::<BigInt, _>(ttl)
                .bind::<BigInt, _>(longest)
                .bind::<BigInt, _>(longest);
            let token: Option<i64> = run!(acquire.rows::<BigInt>().get_result(c)).optional()?;
            Ok(token.map(|token| Lease { name, holder, token }))
        })
    }

    /// Releases a lease before it expires. Does nothing when another instance has taken it over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let text = match &self.backend {
            Backend::Sqlite(_) => {
                concat!(
                    "UPDATE leases SET expires_at = ",
                    sqlite_now!(),
                    " WHERE name = ? AND token = ? AND holder = ?"
                )
            }
            Backend::Postgres(_) => {
                "UPDATE leases SET expires_at = clock_timestamp() WHERE name = ? AND token = ? AND holder = ?"
            }
        };
        transact!(self, lease.clone(), |c, lease, run| {
            let release = sql(text).bind::<Text, _>(&lease.name).bind::<BigInt, _>(lease.token);
            run!(release.bind::<Text, _>(&lease.holder).execute(c))?;
            Ok(())
        })
    }

    /// The position after which a source continues; `None` if no position is stored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn cursor(&self, source: &str) -> Result<Option<String>, StoreError> {
        let query = || source_cursors::table.filter(source_cursors::source.eq(source)).select(source_cursors::cursor);
        let found: Vec<String> = read!(self, primary, |c| query().load(c))?;
        Ok(found.into_iter().next())
    }

    /// The cursors of the sources whose names end with `suffix`, by the name of the source.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn cursors_of(&self, suffix: &str) -> Result<BTreeMap<String, String>, StoreError> {
        let query = || {
            source_cursors::table
                .filter(source_cursors::source.like(format!("%{suffix}")))
                .select((source_cursors::source, source_cursors::cursor))
        };
        let found: Vec<(String, String)> = read!(self, primary, |c| query().load(c))?;
        Ok(found.into_iter().collect())
    }

    /// Stores the position after which a source continues, if `lease` is still held. `None`: no lease is checked.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another instance has taken over the lease. In this case nothing is changed.
    pub async fn keep_cursor(&self, source: &str, cursor: &str, lease: Option<&Lease>) -> Result<(), StoreError> {
        let data = (source.to_owned(), cursor.to_owned(), lease.cloned(), At(self.clock.now()));
        let kept = transact!(self, data, |c, (source, cursor, lease, now), run| {
            if let Some(lease) = &lease
                && !is_held!(run, c, lease)
            {
                return Ok(None);
            }
            run!(
                diesel::insert_into(source_cursors::table)
                    .values((
                        source_cursors::source.eq(&source),
                        source_cursors::cursor.eq(&cursor),
                        source_cursors::updated_at.eq(now),
                    ))
                    .on_conflict(source_cursors::source)
                    .do_update()
                    .set((
                        source_cursors::cursor.eq(excluded(source_cursors::cursor)),
                        source_cursors::updated_at.eq(excluded(source_cursors::updated_at)),
                    ))
                    .execute(c)
            )?;
            Ok(Some(()))
        })?;
        lease.map_or(Ok(()), |lease| lease.check(kept))
    }
}
