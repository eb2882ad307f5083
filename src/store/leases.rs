//! Who acts (leases with a fencing token), and where sources go on (cursors).

use std::time::Duration;

use diesel::upsert::excluded;
use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl};

use super::backend::{read, transact};
use super::schema::{leases, source_cursors};
use super::sql::At;
use super::{Lease, Store, StoreError};

impl Store {
    /// Takes or renews the lease `name` for `holder` for `ttl`; `None` while another holds it.
    pub async fn acquire_lease(&self, name: &str, holder: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let now = self.clock.now();
        let data = (name.to_owned(), holder.to_owned(), At(now), At(now + ttl));
        transact!(self, data, |c, (name, holder, now, until), run| {
            run!(
                diesel::insert_into(leases::table)
                    .values((
                        leases::name.eq(&name),
                        leases::holder.eq(&holder),
                        leases::token.eq(0),
                        leases::expires_at.eq(now),
                    ))
                    .on_conflict_do_nothing()
                    .execute(c)
            )?;
            // One of the two matches, or another instance holds the lease.
            let renewed: Option<i64> = run!(
                diesel::update(leases::table)
                    .filter(leases::name.eq(&name).and(leases::holder.eq(&holder)).and(leases::expires_at.gt(now)))
                    .set(leases::expires_at.eq(until))
                    .returning(leases::token)
                    .get_result(c)
            )
            .optional()?;
            let token: Option<i64> = match renewed {
                Some(token) => Some(token),
                None => run!(
                    diesel::update(leases::table)
                        .filter(leases::name.eq(&name).and(leases::expires_at.le(now)))
                        .set((
                            leases::holder.eq(&holder),
                            leases::token.eq(leases::token + 1),
                            leases::expires_at.eq(until),
                        ))
                        .returning(leases::token)
                        .get_result(c)
                )
                .optional()?,
            };
            Ok(token.map(|token| Lease { name, holder, token }))
        })
    }

    /// Gives a lease back before it runs out.
    pub async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        transact!(self, (lease.clone(), At(self.clock.now())), |c, (lease, now), run| {
            run!(
                diesel::update(leases::table)
                    .filter(leases::name.eq(&lease.name).and(leases::token.eq(lease.token)))
                    .filter(leases::holder.eq(&lease.holder))
                    .set(leases::expires_at.eq(now))
                    .execute(c)
            )?;
            Ok(())
        })
    }

    /// Where a source goes on.
    pub async fn cursor(&self, source: &str) -> Result<Option<String>, StoreError> {
        let query = || source_cursors::table.filter(source_cursors::source.eq(source)).select(source_cursors::cursor);
        let found: Vec<String> = read!(self, primary, |c| query().load(c))?;
        Ok(found.into_iter().next())
    }

    /// Keeps where a source goes on. With a lease only if it still holds, checked in the same transaction.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another instance took over; nothing was changed then.
    pub async fn keep_cursor(&self, source: &str, cursor: &str, lease: Option<&Lease>) -> Result<(), StoreError> {
        let data = (source.to_owned(), cursor.to_owned(), lease.cloned(), At(self.clock.now()));
        let kept = transact!(self, data, |c, (source, cursor, lease, now), run| {
            if let Some(lease) = lease {
                // Locks the row against whoever would take over before this is committed.
                let held: usize = run!(
                    diesel::update(leases::table)
                        .filter(leases::name.eq(&lease.name).and(leases::token.eq(lease.token)))
                        .filter(leases::holder.eq(&lease.holder))
                        .set(leases::token.eq(lease.token))
                        .execute(c)
                )?;
                if held == 0 {
                    return Ok(false);
                }
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
            Ok(true)
        })?;
        match (kept, lease) {
            (false, Some(lease)) => Err(StoreError::LeaseLost(lease.name.clone())),
            _ => Ok(()),
        }
    }
}
