//! Keeps where a source goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::IngesterRooms;
use crate::lifecycle::{Backoff, Shutdown};
use crate::store::{Lease, StoreError};

/// A cursor is written once in this time at most: a crash repeats that much, which workers drop.
const EVERY: Duration = Duration::from_secs(1);
/// The longest the last cursor may take at a shutdown.
const LAST: Duration = Duration::from_secs(3);

/// One source's cursor.
pub struct Cursors {
    name: Arc<str>,
    rooms: IngesterRooms,
    backoff: Backoff,
    /// Under which it is kept.
    lease: Option<Lease>,
    /// Where the source goes on, written or not.
    position: Option<String>,
    /// Not written yet.
    latest: Option<String>,
    /// When it may be written.
    due: Instant,
}

impl Cursors {
    pub fn new(name: &str, rooms: IngesterRooms, longest: Duration) -> Self {
        let backoff = Backoff::new(Duration::from_millis(200), longest);
        Self { name: name.into(), rooms, backoff, lease: None, position: None, latest: None, due: Instant::now() }
    }

    /// Reads where the source goes on, under `lease`; waits while the store is away. `false` when a shutdown
    /// comes first.
    ///
    /// # Errors
    /// When the store fails for good.
    pub async fn load(&mut self, lease: Option<&Lease>, shutdown: &Shutdown) -> Result<bool, StoreError> {
        self.lease = lease.cloned();
        self.latest = None;
        loop {
            match shutdown.unless_stopping(self.rooms.store.cursor(&self.name)).await {
                None => return Ok(false),
                Some(Ok(cursor)) => {
                    self.position = cursor;
                    self.recovered();
                    return Ok(true);
                }
                Some(Err(error)) if error.is_transient() => self.away(&error),
                Some(Err(error)) => return Err(error),
            }
            if !shutdown.sleep(self.backoff.next_wait()).await {
                return Ok(false);
            }
        }
    }

    /// Where the source goes on: behind everything that is in the stream.
    pub fn position(&self) -> Option<&str> {
        self.position.as_deref()
    }

    /// Takes note of where the source goes on, now that everything before it is in the stream.
    pub fn note(&mut self, cursor: Option<String>) {
        if cursor.is_some() {
            self.position.clone_from(&cursor);
            self.latest = cursor;
        }
    }

    /// When the noted cursor is to be written; `None` when none is noted.
    pub fn due(&self) -> Option<Instant> {
        self.latest.as_ref().map(|_| self.due)
    }

    /// Writes the noted cursor if it is due. A store that is away is asked again later: the feed goes on.
    ///
    /// # Errors
    /// When the store fails for good.
    pub async fn write_if_due(&mut self) -> Result<(), StoreError> {
        if self.due().is_some_and(|due| due <= Instant::now()) { self.write().await } else { Ok(()) }
    }

    /// Writes the noted cursor at the end, within a few seconds.
    pub async fn write_last(&mut self) {
        let written = tokio::time::timeout(LAST, self.write()).await;
        if self.latest.is_some() || !matches!(written, Ok(Ok(()))) {
            tracing::warn!(source = %self.name, "the last cursor could not be kept: the next start repeats some posts");
        }
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        let Some(cursor) = &self.latest else { return Ok(()) };
        match self.rooms.store.keep_cursor(&self.name, cursor, self.lease.as_ref()).await {
            Ok(()) => {
                self.latest = None;
                self.due = Instant::now() + EVERY;
                self.recovered();
                Ok(())
            }
            Err(StoreError::LeaseLost(_)) => {
                // Another instance goes on from the cursor before; it repeats what this one appended since.
                self.latest = None;
                Ok(())
            }
            Err(error) if error.is_transient() => {
                self.away(&error);
                self.due = Instant::now() + self.backoff.next_wait().max(EVERY);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn away(&mut self, error: &StoreError) {
        if self.backoff.enter("store") {
            tracing::warn!(source = %self.name, %error, "the cursor can be neither read nor kept for now; trying again");
        }
    }

    fn recovered(&mut self) {
        if self.backoff.recovered().is_some() {
            tracing::info!(source = %self.name, "the cursor is kept again");
        }
    }
}
