//! The two databases of the store, and macros that run a query on either of them.

use crate::sqlite::Sqlite;

use super::postgres::Postgres;

/// The database that holds the rows.
#[derive(Clone)]
pub enum Backend {
    /// The embedded database.
    Sqlite(Sqlite),
    /// A Postgres server, and possibly a replica.
    Postgres(Postgres),
}

/// Runs `$query` on a read connection to the `primary` or a `replica`. `$query` is a future of `diesel_async` that uses
/// `$connection`. Evaluates to a `Result<_, StoreError>`. When the query takes too long, or the future is dropped, the
/// statement is cancelled.
macro_rules! read {
    ($store:expr, $from:ident, |$connection:ident| $query:expr) => {
        $crate::store::backend::read!($store, $from, |$connection| $query, $query)
    };
    ($store:expr, $from:ident, |$connection:ident| $on_sqlite:expr, $on_postgres:expr) => {{
        use diesel_async::RunQueryDsl;
        match &$store.backend {
            $crate::store::backend::Backend::Sqlite(sqlite) => {
                let mut reader = sqlite.reader().await?;
                let answer = {
                    let $connection = &mut *reader;
                    sqlite.in_time($on_sqlite).await
                };
                match answer {
                    Some(answer) => {
                        reader.finish();
                        answer.map_err($crate::store::StoreError::from)
                    }
                    None => Err(sqlite.overdue().into()),
                }
            }
            $crate::store::backend::Backend::Postgres(postgres) => {
                let mut reader = postgres.$from().await?;
                let answer = {
                    let $connection = &mut *reader;
                    postgres.in_time($on_postgres).await
                };
                match answer {
                    Some(answer) => {
                        reader.finish();
                        answer.map_err($crate::store::StoreError::from)
                    }
                    None => Err(postgres.silent()),
                }
            }
        }
    }};
}
pub(crate) use read;

/// Runs `$body` in a transaction on `$connection`. `$run!(query)` runs a query and evaluates to its `QueryResult` on
/// either database. `$data` is cloned, because a transaction on Postgres may be retried. Evaluates to a `Result<_,
/// StoreError>`.
macro_rules! transact {
    ($store:expr, $data:expr, |$connection:ident, $given:pat_param, $run:ident| $body:expr) => {
        $crate::store::backend::transact!(@($) $store, $data, $connection, $given, $run, $body)
    };
    (@($d:tt) $store:expr, $data:expr, $connection:ident, $given:pat_param, $run:ident, $body:expr) => {{
        let data = $data;
        match &$store.backend {
            $crate::store::backend::Backend::Sqlite(sqlite) => {
                use diesel::RunQueryDsl;
                macro_rules! $run { ($d query:expr) => { $d query } }
                let written = sqlite.write(move |$connection| {
                    let $given = data;
                    $body
                });
                written.await.map_err($crate::store::StoreError::from)
            }
            $crate::store::backend::Backend::Postgres(postgres) => {
                use diesel_async::RunQueryDsl;
                macro_rules! $run { ($d query:expr) => { $d query.await } }
                let written = postgres.transact(move |$connection| {
                    let $given = data.clone();
                    Box::pin(async move { $body })
                });
                written.await
            }
        }
    }};
}
pub(crate) use transact;
