//! Measures the speed of settling posts, which is the transaction that stores posts and acknowledges their entries.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use sentistream::sqlite::Sqlite;
use sentistream::store::settle::Settlement;

use crate::load::{Load, Queue, Rate, Watch};

impl Load {
    /// Posts per second of the settling transaction alone, with entries that were appended before.
    pub async fn settle_live(&self, posts: u64, tasks: u64, batch: u64) -> Rate {
        let mut prepared = Vec::new();
        for _ in 0..posts / batch {
            prepared.push(self.appended(batch, self.clock.now()).await);
        }
        let mut shares: Vec<Vec<Vec<Settlement>>> = (0..tasks).map(|_| Vec::new()).collect();
        for (index, batch) in prepared.into_iter().enumerate() {
            shares[index % tasks as usize].push(batch);
        }
        let watch = Watch::start();
        let running: Vec<_> = shares
            .into_iter()
            .map(|share| {
                let store = self.store.clone();
                tokio::spawn(async move {
                    for batch in share {
                        store.settle(batch).await.expect("cannot store the posts");
                    }
                })
            })
            .collect();
        for task in running {
            task.await.expect("a task panicked");
        }
        watch.rate(posts / batch * batch)
    }

    /// Posts per second from append to settlement, on the single writer of the embedded database.
    pub async fn pipeline(&self, posts: u64, tasks: u64, batch: u64) -> Option<Rate> {
        let Queue::Sqlite(sqlite) = &self.queue else { return None };
        let watch = Watch::start();
        let running: Vec<_> = (0..tasks)
            .map(|_| {
                let (this, sqlite) = (self.clone(), sqlite.clone());
                tokio::spawn(async move {
                    for _ in 0..posts / tasks / batch {
                        let batch = this.appended(batch, this.clock.now()).await;
                        claim(&sqlite, &batch).await;
                        this.store.settle(batch).await.expect("cannot store the posts");
                    }
                })
            })
            .collect();
        for task in running {
            task.await.expect("a task panicked");
        }
        Some(watch.rate(posts / tasks / batch * batch * tasks))
    }
}

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = Binary)]
    fields: Vec<u8>,
}

async fn claim(sqlite: &Sqlite, batch: &[Settlement]) {
    let (first, last) = (batch[0].key.id.seq, batch[batch.len() - 1].key.id.seq);
    let write = sqlite.write(move |connection| {
        connection.batch_execute(&format!(
            "INSERT INTO stream_claims (consumer, first_seq, last_seq) VALUES ('bench', {first}, {last});
             DELETE FROM stream_claims WHERE first_seq = {first}"
        ))?;
        let rows: Vec<Claimed> =
            diesel::sql_query("SELECT fields FROM stream_entries WHERE seq BETWEEN ? AND ? ORDER BY seq")
                .bind::<BigInt, _>(first as i64)
                .bind::<BigInt, _>(last as i64)
                .load(connection)?;
        Ok(rows.iter().map(|row| row.fields.len()).sum::<usize>())
    });
    assert!(write.await.expect("cannot claim entries") > 0);
}
