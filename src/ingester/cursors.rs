//! Stores the cursor of a source.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::IngesterServices;
use crate::lifecycle::{Backoff, Shutdown};
use crate::store::{Lease, StoreError};

/// The shortest time between two writes of the cursor. After a crash, posts since the last write are read again, and
/// workers drop the duplicates.
const EVERY: Duration = Duration::from_secs(1);
/// The time limit for writing the cursor when the reading of the source ends or its lease is lost.
const LAST: Duration = Duration::from_secs(3);

/// The cursor of one source.
pub struct Cursors {
    name: Arc<str>,
    services: IngesterServices,
    backoff: Backoff,
    /// The lease that is checked when the cursor is written.
    lease: Option<Lease>,
    /// The latest cursor, whether written or not.
    position: Option<String>,
    /// The latest cursor if it is not written yet; otherwise `None`.
    latest: Option<String>,
    /// The earliest time of the next write.
    due: Instant,
}

impl Cursors {
    /// The cursor of the source `name`, which is not read from the store yet. `longest`: the longest delay between two
    /// attempts to use the store.
    pub fn new(name: &str, services: IngesterServices, longest: Duration) -> Self {
        let backoff = Backoff::new(Duration::from_millis(200), longest);
        Self { name: name.into(), services, backoff, lease: None, position: None, latest: None, due: Instant::now() }
    }

    /// Reads the cursor, and uses `lease` for later writes. Waits while the store is unavailable. Returns `false` when
    /// a shutdown begins before the cursor is read.
    ///
    /// # Errors
    /// When the store fails permanently.
    pub async fn load(&mut self, lease: Option<&Lease>, shutdown: &Shutdown) -> Result<bool, StoreError> {
        self.lease = lease.cloned();
        self.latest = None;
        loop {
            match shutdown.unless_stopping(self.services.store.cursor(&self.name)).await {
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

    /// The position after all posts of the source that were appended to the stream.
    pub fn position(&self) -> Option<&str> {
        self.position.as_deref()
    }

    /// Records a cursor, to be written later. All posts before it must have been appended to the stream.
    pub fn note(&mut self, cursor: Option<String>) {
        if cursor.is_some() {
            self.position.clone_from(&cursor);
            self.latest = cursor;
        }
    }

    /// When the recorded cursor is to be written; `None` when the latest cursor is already written.
    pub fn due(&self) -> Option<Instant> {
        self.latest.as_ref().map(|_| self.due)
    }

    /// Writes the recorded cursor if it is due. When the store is unavailable, a later call retries. If the lease is
    /// lost, the cursor is dropped.
    ///
    /// # Errors
    /// When the store fails permanently.
    pub async fn write_if_due(&mut self) -> Result<(), StoreError> {
        if self.due().is_some_and(|due| due <= Instant::now()) { self.write().await } else { Ok(()) }
    }

    /// Writes the recorded cursor when the reading of the source ends or its lease is lost, within [`LAST`].
    pub async fn write_last(&mut self) {
        let written = tokio::time::timeout(LAST, self.write()).await;
        if self.latest.is_some() || !matches!(written, Ok(Ok(()))) {
            tracing::warn!(
                source = %self.name,
                "cursor not stored; when the source is opened again, some posts are read again"
            );
        }
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        let Some(cursor) = &self.latest else { return Ok(()) };
        match self.services.store.keep_cursor(&self.name, cursor, self.lease.as_ref()).await {
            Ok(()) => {
                self.latest = None;
                self.due = Instant::now() + EVERY;
                self.recovered();
                Ok(())
            }
            Err(StoreError::LeaseLost(_)) => {
                // This instance lost the lease. The next instance resumes at the last written cursor and appends later
                // posts again.
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
            tracing::warn!(source = %self.name, %error, "cannot read or store the cursor, retrying");
        }
    }

    fn recovered(&mut self) {
        if self.backoff.recovered().is_some() {
            tracing::info!(source = %self.name, "the cursor can be read and stored again");
        }
    }
}
