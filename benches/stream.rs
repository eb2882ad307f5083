//! Measures the entries per second of the stream alone: append, claim, acknowledge.
//!
//! `cargo bench --bench stream [-- ENTRIES]`; Redis is measured when `SENTISTREAM_TEST_REDIS_URL` is set.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use sentistream::clock::Clock;
use sentistream::domain::{EntryKey, RawFields};
use sentistream::redis::{Redis, RedisOptions};
use sentistream::sqlite::{Sqlite, SqliteOptions};
use sentistream::store::{Retention, Store};
use sentistream::stream::{Consumer, LocalStream, RedisStream, Stream, StreamOptions};

const APPEND: usize = 500;
const CLAIM: usize = 256;
const CONSUMERS: usize = 2;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let entries = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(100_000);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("queue.db");
    let sqlite = Sqlite::open(&SqliteOptions {
        path,
        readers: 4,
        read_timeout: Duration::from_secs(5),
        busy_timeout: Duration::from_secs(5),
    })?;
    let retention = Retention { minute_rollups: Duration::from_secs(3_600) };
    Store::sqlite(sqlite.clone(), retention, Clock::system()).migrate().await?;
    let local = LocalStream::open(sqlite.clone(), options(), Clock::system()).await?;
    measure("embedded queue", Stream::Local(local), Some(sqlite), entries).await?;

    #[expect(clippy::disallowed_methods, reason = "a bench has no configuration")]
    let url = std::env::var("SENTISTREAM_TEST_REDIS_URL");
    match url {
        Ok(url) => {
            let options = options();
            let redis = Redis::connect(&RedisOptions {
                url: url.into(),
                ca_file: None,
                command_timeout: options.command_timeout,
            })?;
            measure("Redis", Stream::Redis(RedisStream::connect(redis, options)?), None, entries).await?;
        }
        Err(_) => println!("Redis: skipped, SENTISTREAM_TEST_REDIS_URL is not set"),
    }
    Ok(())
}

fn options() -> StreamOptions {
    let name = format!("bench:{}", uuid::Uuid::new_v4());
    StreamOptions {
        group: "workers".to_owned(),
        dead_letter: format!("{{{name}}}:dead"),
        processed: format!("{name}:processed"),
        name,
        processed_max_len: 1_000,
        processed_max_bytes: 64 << 20,
        dead_letter_max_bytes: 64 << 20,
        claim_idle: Duration::from_secs(30),
        max_backlog: 20_000,
        command_timeout: Duration::from_secs(10),
    }
}

fn post(number: usize) -> RawFields {
    let mut fields = RawFields::default();
    fields.push("post_id", format!("bench-{number}"));
    fields.push("source", "synthetic");
    fields.push(
        "content",
        "The new phone is great, but the battery does not last a day and support was slow. ".repeat(2),
    );
    fields.push("created_at", "2026-01-01T00:00:00.000Z");
    fields.push("author", "somebody");
    fields
}

async fn measure(name: &str, stream: Stream, sqlite: Option<Sqlite>, entries: usize) -> anyhow::Result<()> {
    let start = Instant::now();
    let producer = tokio::spawn({
        let stream = stream.clone();
        async move {
            let mut waited = Duration::ZERO;
            for first in (0..entries).step_by(APPEND) {
                let batch: Vec<RawFields> = (first..(first + APPEND).min(entries)).map(post).collect();
                while let Err(error) = stream.append(batch.clone()).await {
                    anyhow::ensure!(error.is_transient(), error);
                    waited += Duration::from_millis(5);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            Ok(waited)
        }
    });
    let consumers = (0..CONSUMERS).map(|number| {
        let (stream, sqlite) = (stream.clone(), sqlite.clone());
        tokio::spawn(async move {
            let me = Consumer(Arc::from(format!("bench-{number}")));
            loop {
                let claimed = stream.claim(&me, CLAIM, Duration::from_millis(500)).await?;
                if claimed.is_empty() {
                    return anyhow::Ok(());
                }
                let keys: Vec<EntryKey> = claimed.into_iter().map(|entry| entry.key).collect();
                if let (Some(sqlite), Some(first), Some(last)) = (&sqlite, keys.first(), keys.last()) {
                    // This deletion replaces the commit of the store, which settles the entries in the same way.
                    let (first, last) = (first.id.seq, last.id.seq);
                    let delete = format!("delete from stream_entries where seq between {first} and {last}");
                    sqlite.write(move |connection| connection.batch_execute(&delete)).await?;
                }
                stream.ack(&me, &keys).await?;
            }
        })
    });
    let consumers: Vec<_> = consumers.collect();
    let waited = producer.await??;
    let appended = start.elapsed();
    for consumer in consumers {
        consumer.await??;
    }
    // The last claims wait 500 ms for further entries. This time is subtracted.
    let total = start.elapsed().saturating_sub(Duration::from_millis(500));
    let depth = stream.depth().await?;
    anyhow::ensure!(depth.pending() == 0 && depth.appended == entries as u64, "entries are missing: {depth:?}");
    println!(
        "{name}: {entries} entries in {:.2} s = {:.0} entries/s (appended after {:.2} s, of which {:.2} s waiting for \
         free space)",
        total.as_secs_f64(),
        entries as f64 / total.as_secs_f64(),
        appended.as_secs_f64(),
        waited.as_secs_f64(),
    );
    Ok(())
}
