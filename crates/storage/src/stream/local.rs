//! The embedded queue: tables in the same file as those of the store.
//!
//! Entries and dead letters are rows. Leases are kept in memory, because only one process claims entries. Each claim
//! also writes one row, so that after a crash the next process knows which entries were claimed. Other processes, which
//! run single commands, may append entries, read the counts, and replay or purge dead letters. A process becomes the
//! consumer when it first claims or takes over entries.

mod dead_letters;
mod leases;
mod tables;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::sqlite::{Sqlite, SqliteError};
use sentistream_core::clock::Clock;
use sentistream_core::domain::{EntryId, EntryKey, PostId, RawFields, Timestamp};

use super::{
    Consumer, ConsumerInfo, DeadLetter, DeadLetterRequest, DeadLetterSelection, Depth, Entry, Release, StreamError,
    StreamOptions,
};
use dead_letters::NewDeadLetter;
use leases::{Change, Leases, Rescued};
use tables::{Backlog, Row};

/// The interval at which a waiting claim checks for entries that other processes appended.
const POLL: Duration = Duration::from_millis(100);

/// The embedded queue. Clones share it.
#[derive(Clone)]
pub struct LocalStream(Arc<Inner>);

struct Inner {
    sqlite: Sqlite,
    options: StreamOptions,
    clock: Clock,
    epoch: Arc<str>,
    leases: Mutex<Leases>,
    /// The highest entry that was claimed; `None` until this process becomes the consumer. Locked while entries are
    /// selected.
    cursor: tokio::sync::Mutex<Option<u64>>,
    /// Notified when this process appends entries.
    appended: Notify,
}

impl LocalStream {
    /// Opens the queue in the embedded database. The migrations must have run.
    ///
    /// # Errors
    /// When the tables are missing or the database does not answer.
    pub async fn open(sqlite: Sqlite, options: StreamOptions, clock: Clock) -> Result<Self, StreamError> {
        let epoch = within(options.command_timeout, sqlite.write(tables::epoch)).await?;
        Ok(Self(Arc::new(Inner {
            sqlite,
            options,
            clock,
            epoch: epoch.into(),
            leases: Mutex::default(),
            cursor: tokio::sync::Mutex::new(None),
            appended: Notify::new(),
        })))
    }

    pub(super) async fn append(&self, entries: Vec<RawFields>) -> Result<Vec<EntryId>, StreamError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let (now, limit) = (self.0.clock.now().as_millis(), self.0.options.max_backlog);
        let encoded: Vec<Vec<u8>> = entries.iter().map(RawFields::encode).collect();
        let appended = self.write(move |connection| tables::append(connection, &encoded, now, limit)).await?;
        self.0.appended.notify_waiters();
        appended.map_err(|backlog| self.full(&backlog))
    }

    pub(super) async fn claim(
        &self,
        consumer: &Consumer,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Entry>, StreamError> {
        let deadline = Instant::now() + wait;
        loop {
            // The notification is registered before the query, so that an append between the query and the wait ends
            // the wait.
            let appended = self.0.appended.notified();
            tokio::pin!(appended);
            appended.as_mut().enable();

            let entries = self.claim_now(consumer, max).await?;
            let left = deadline.saturating_duration_since(Instant::now());
            if !entries.is_empty() || left.is_zero() {
                return Ok(entries);
            }
            let _ = timeout(left.min(POLL), appended).await;
        }
    }

    async fn claim_now(&self, consumer: &Consumer, max: usize) -> Result<Vec<Entry>, StreamError> {
        let mut cursor = self.0.cursor.lock().await;
        self.leases().ask(consumer, Instant::now());
        let after = self.consume(&mut cursor).await?;
        let rows = self.read(move |connection| tables::unclaimed(connection, after, max)).await?;
        let Some(last) = rows.last() else { return Ok(Vec::new()) };
        *cursor = Some(last.id.seq);
        let chosen = rows.iter().map(|row| Rescued { seq: row.id.seq, counts: false }).collect();
        let seqs: Vec<u64> = rows.iter().map(|row| row.id.seq).collect();
        self.leases().claim(consumer, &seqs, self.deadline());
        drop(cursor);
        self.hand_over(consumer, chosen, rows).await
    }

    pub(super) async fn rescue(&self, consumer: &Consumer, max: usize) -> Result<Vec<Entry>, StreamError> {
        {
            let mut cursor = self.0.cursor.lock().await;
            self.leases().ask(consumer, Instant::now());
            self.consume(&mut cursor).await?;
        }
        let chosen = self.leases().rescue(consumer, max, self.0.options.claim_idle);
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let seqs: Vec<u64> = chosen.iter().map(|entry| entry.seq).collect();
        let mut undo = HandOver::new(self, consumer, chosen.clone());
        let mut rows = self.read(move |connection| tables::rows(connection, &seqs)).await?;
        undo.done();
        let mut chosen = chosen;
        if let Some(first) = first_repeated(&chosen, &rows) {
            let rest = chosen.split_off(first.max(1));
            rows.retain(|row| rest.first().is_none_or(|rest| row.id.seq < rest.seq));
            self.leases().put_back(consumer, &rest);
        }
        // An entry without a row was settled by a commit of the store, but its lease was not ended.
        let (alive, settled): (Vec<_>, Vec<_>) =
            chosen.into_iter().partition(|entry| rows.binary_search_by_key(&entry.seq, |row| row.id.seq).is_ok());
        self.leases().settle(&settled.iter().map(|entry| entry.seq).collect::<Vec<_>>());
        self.hand_over(consumer, alive, rows).await
    }

    /// Stores the claim on `chosen`, and the earlier deliveries that count and are not stored yet. Returns the entries
    /// of `rows`. If storing fails or the future is dropped, the entries become free again and this delivery does not
    /// count.
    async fn hand_over(
        &self,
        consumer: &Consumer,
        chosen: Vec<Rescued>,
        rows: Vec<Row>,
    ) -> Result<Vec<Entry>, StreamError> {
        let counted: Vec<u64> = chosen.iter().filter(|entry| entry.counts).map(|entry| entry.seq).collect();
        let mut undo = HandOver::new(self, consumer, chosen);
        undo.change = self.leases().take_change();
        let (change, delivered) = (undo.change.clone(), counted.clone());
        // If the future is dropped, the write still completes, so the earlier deliveries count as stored.
        undo.counted = true;
        let written = self.write(move |connection| {
            tables::keep_claims(connection, &change.new, &change.ended)?;
            tables::count_delivery(connection, &delivered)
        });
        written.await.inspect_err(|_| undo.counted = false)?;
        undo.done();
        let entry = |row: Row| {
            let before = row.deliveries + u32::from(counted.binary_search(&row.id.seq).is_ok());
            Entry { key: self.key(row.id), fields: row.fields, deliveries: before + 1 }
        };
        Ok(rows.into_iter().map(entry).collect())
    }

    pub(super) fn renew(&self, consumer: &Consumer, keys: &[EntryKey]) {
        self.leases().renew(consumer, &self.seqs(keys), self.deadline());
    }

    pub(super) fn ack(&self, keys: &[EntryKey]) {
        self.leases().settle(&self.seqs(keys));
    }

    pub(super) async fn release(
        &self,
        consumer: &Consumer,
        keys: &[EntryKey],
        how: Release,
    ) -> Result<(), StreamError> {
        let counts = how == Release::Failed;
        self.leases().release(consumer, &self.seqs(keys), counts);
        if counts {
            return Ok(());
        }
        let mut undo = HandOver::new(self, consumer, Vec::new());
        undo.change = self.leases().take_change();
        let change = undo.change.clone();
        self.write(move |connection| tables::keep_claims(connection, &change.new, &change.ended)).await?;
        undo.done();
        Ok(())
    }

    pub(super) async fn dead_letter(&self, request: DeadLetterRequest, now: Timestamp) -> Result<bool, StreamError> {
        let key = request.entry.key.clone();
        if key.epoch != self.0.epoch {
            return Ok(false);
        }
        let new = NewDeadLetter { request, now, most_bytes: self.0.options.dead_letter_max_bytes };
        let dropped = self.write(move |connection| dead_letters::add(connection, &new)).await?;
        self.leases().settle(&[key.id.seq]);
        super::report_dropped(dropped.unwrap_or_default());
        Ok(dropped.is_some())
    }

    pub(super) async fn depth(&self) -> Result<Depth, StreamError> {
        let counts = self.read(tables::counts).await?;
        Ok(Depth {
            epoch: self.0.epoch.clone(),
            appended: counts.appended,
            lag: counts.lag,
            is_estimate: false,
            memory: None,
            claimed: counts.claimed,
            dead_lettered: counts.dead_lettered,
            dead_letters: counts.dead_letters,
            oldest_unsettled: counts.oldest_ms.and_then(Timestamp::from_millis),
        })
    }

    pub(super) fn consumers(&self) -> Vec<ConsumerInfo> {
        self.leases().consumers(Instant::now())
    }

    pub(super) fn forget_consumers(&self, idle: Duration) -> u64 {
        self.leases().forget_consumers(idle, Instant::now())
    }

    pub(super) async fn dead_letters(
        &self,
        limit: usize,
        before: Option<EntryId>,
    ) -> Result<Vec<DeadLetter>, StreamError> {
        self.read(move |connection| dead_letters::page(connection, limit, before)).await
    }

    pub(super) async fn get_dead_letter(&self, id: EntryId) -> Result<Option<DeadLetter>, StreamError> {
        self.read(move |connection| dead_letters::get(connection, id)).await
    }

    pub(super) async fn replay_dead_letters(&self, selection: &DeadLetterSelection) -> Result<u64, StreamError> {
        let mut replayed = 0;
        let mut selected = dead_letters::Selected::new(selection);
        while let Some(ids) = selected.next(self).await? {
            let (now, limit) = (self.0.clock.now().as_millis(), self.0.options.max_backlog);
            let moved = self.write(move |connection| dead_letters::replay(connection, &ids, now, limit)).await?;
            self.0.appended.notify_waiters();
            replayed += moved.map_err(|backlog| self.full(&backlog))?;
        }
        Ok(replayed)
    }

    pub(super) async fn purge_dead_letters(&self, selection: &DeadLetterSelection) -> Result<u64, StreamError> {
        let mut purged = 0;
        let mut selected = dead_letters::Selected::new(selection);
        while let Some(ids) = selected.next(self).await? {
            purged += self.write(move |connection| dead_letters::purge(connection, &ids)).await?;
        }
        Ok(purged)
    }

    pub(super) async fn forget_posts(&self, posts: &[PostId]) -> Result<(), StreamError> {
        for chunk in posts.chunks(dead_letters::CHUNK) {
            let posts: Vec<String> = chunk.iter().map(|post| post.as_str().to_owned()).collect();
            self.write(move |connection| dead_letters::forget(connection, &posts)).await?;
        }
        Ok(())
    }

    pub(super) async fn trim(&self) -> Result<EntryKey, StreamError> {
        Ok(self.key(self.read(tables::lowest_needed).await?))
    }

    pub(super) async fn ping(&self) -> Result<(), StreamError> {
        self.read(|connection| diesel::select(diesel::dsl::sql::<diesel::sql_types::Integer>("1")).execute(connection))
            .await
            .map(drop)
    }

    /// Makes this process the consumer on the first call. Returns the highest entry that was claimed.
    async fn consume(&self, cursor: &mut Option<u64>) -> Result<u64, StreamError> {
        if let Some(cursor) = *cursor {
            return Ok(cursor);
        }
        let found = self.write(tables::begin).await?;
        if !found.unsettled.is_empty() {
            tracing::info!(entries = found.unsettled.len(), "claimed entries of an earlier process taken over");
        }
        self.leases().begin(&found.unsettled, found.last_claim);
        *cursor = Some(found.cursor);
        Ok(found.cursor)
    }

    fn key(&self, id: EntryId) -> EntryKey {
        EntryKey { epoch: self.0.epoch.clone(), id }
    }

    fn seqs(&self, keys: &[EntryKey]) -> Vec<u64> {
        keys.iter().filter(|key| key.epoch == self.0.epoch).map(|key| key.id.seq).collect()
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.0.options.claim_idle
    }

    fn full(&self, backlog: &Backlog) -> StreamError {
        StreamError::Full { pending: backlog.0, limit: self.0.options.max_backlog }
    }

    /// Locks the leases. The leases are used even after a panic of a thread that held the lock, because the affected
    /// leases expire.
    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.0.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write<T, F>(&self, work: F) -> Result<T, StreamError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        within(self.0.options.command_timeout, self.0.sqlite.write(work)).await
    }

    async fn read<T, F>(&self, work: F) -> Result<T, StreamError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        within(self.0.options.command_timeout, self.0.sqlite.read(work)).await
    }
}

/// The index of the first entry that was delivered twice or more. Such an entry is delivered alone. If it makes the
/// process crash again, no other entry counts an additional delivery.
fn first_repeated(chosen: &[Rescued], rows: &[Row]) -> Option<usize> {
    chosen.iter().position(|entry| {
        let row = rows.binary_search_by_key(&entry.seq, |row| row.id.seq).ok().map(|at| &rows[at]);
        row.is_some_and(|row| row.deliveries + u32::from(entry.counts) >= 2)
    })
}

/// Frees the selected entries if this value is dropped before the entries are delivered.
struct HandOver<'a> {
    stream: &'a LocalStream,
    consumer: &'a Consumer,
    chosen: Vec<Rescued>,
    change: Change,
    /// Whether the deliveries before this one are stored.
    counted: bool,
}

impl<'a> HandOver<'a> {
    fn new(stream: &'a LocalStream, consumer: &'a Consumer, chosen: Vec<Rescued>) -> Self {
        Self { stream, consumer, chosen, change: Change::default(), counted: false }
    }

    fn done(&mut self) {
        self.chosen.clear();
        self.change = Change::default();
    }
}

impl Drop for HandOver<'_> {
    fn drop(&mut self) {
        let mut leases = self.stream.leases();
        for entry in self.chosen.drain(..) {
            leases.free(self.consumer, Rescued { counts: entry.counts && !self.counted, ..entry });
        }
        leases.undo(std::mem::take(&mut self.change));
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, SqliteError>>) -> Result<T, StreamError> {
    let answer = timeout(limit, work).await;
    answer.map_err(|_| StreamError::Unavailable(format!("the database did not answer within {limit:?}")))?.map_err(
        |error| match &error {
            SqliteError::Query(diesel::result::Error::DatabaseError(_, info)) if is_passing(info.message()) => {
                StreamError::Unavailable(error.to_string())
            }
            SqliteError::Commit(_) | SqliteError::Unavailable(_) => StreamError::Unavailable(error.to_string()),
            SqliteError::Query(_) | SqliteError::Open { .. } => StreamError::Failed(error.to_string()),
        },
    )
}

/// Whether SQLite's message describes a transient condition.
fn is_passing(message: &str) -> bool {
    ["locked", "busy", "full", "disk I/O"].iter().any(|word| message.contains(word))
}
