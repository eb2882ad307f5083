//! The ids of settled entries.

use std::collections::HashSet;

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::store::settle::state::{columns, entry_id};
use crate::store::sql::sql;
use sentistream_core::domain::EntryKey;

/// Stores the ids of settled entries that no post refers to.
pub async fn store(connection: &mut AsyncPgConnection, keys: &[EntryKey]) -> QueryResult<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let text = "INSERT INTO settled_entries (epoch, ms, seq) SELECT * FROM unnest(?, ?, ?) \
                ON CONFLICT DO NOTHING RETURNING epoch, ms, seq";
    run(connection, text, keys.iter()).await?;
    Ok(())
}

/// Runs the statement `text` with `keys` as three arrays (epoch, ms, seq), and returns the entries that it selects.
pub async fn run<'a>(
    connection: &mut AsyncPgConnection,
    text: &'static str,
    keys: impl Iterator<Item = &'a EntryKey> + Clone,
) -> QueryResult<HashSet<EntryKey>> {
    let rows: Vec<(String, i64, i64)> = sql(text)
        .bind::<Array<Text>, _>(keys.clone().map(|key| &*key.epoch).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(keys.clone().map(|key| columns(key.id).0).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(keys.map(|key| columns(key.id).1).collect::<Vec<_>>())
        .rows::<(Text, BigInt, BigInt)>()
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(|(epoch, ms, seq)| EntryKey { epoch: epoch.into(), id: entry_id((ms, seq)) }).collect())
}
