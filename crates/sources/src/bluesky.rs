//! Bluesky through Jetstream: every public post as JSON over a WebSocket, without a key.
//!
//! The cursor is a time in microseconds. All hosts serve the same events, but their clocks differ slightly. The cursor
//! is therefore moved back by a few seconds after a change of host. The cursor is inclusive, so some posts arrive
//! twice; workers drop the duplicates by `post_id`. The source reads the socket only while the ingester requests more
//! posts, so a full stream slows the server down. Protocol: <https://github.com/bluesky-social/jetstream>.

mod compression;
mod event;
mod filter;
mod handles;
mod history;
mod names;
mod skip;
mod socket;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use super::fetch::Fetcher;
use super::history::Past;
use super::{Batch, Opening, Source, SourceError, SourceSpec};
use sentistream_core::clock::Clock;
use sentistream_core::domain::Timestamp;

use handles::Handles;
use history::OlderPosts;
use skip::Skip;
use socket::{Socket, Subscription};

pub use compression::{Dictionary, DictionaryError};
pub use event::{EventError, Frame, read};
pub use filter::{Filter, FilterError, FilterOptions};
pub use names::Names;

/// How far the cursor is moved back after a change of host. The clocks of two hosts differ by less than this time.
const REWIND: Duration = Duration::from_secs(5);
/// How long to collect events after the first one, so that an append can contain several posts.
const GATHER: Duration = Duration::from_millis(100);
/// When the first event is this much later than the cursor, the host has already deleted the events in between.
const GAP: Duration = Duration::from_secs(600);
/// The minimum idle limit when only selected authors are read. Hosts send a ping every 30 seconds.
const SPARSE_IDLE_LIMIT: Duration = Duration::from_secs(45);
/// The interval at which handles are resolved again, because an account may change its handle.
const REFRESH: Duration = Duration::from_secs(24 * 3_600);

/// The hosts to read, and the posts to keep.
#[derive(Clone, Debug)]
pub struct BlueskyOptions {
    /// URLs such as `wss://HOST/subscribe`. When one host fails, the source connects to the next one.
    pub hosts: Vec<String>,
    /// The posts to keep.
    pub filter: Filter,
    /// DIDs and handles of the accounts to read; empty: all accounts.
    pub authors: Vec<String>,
    /// Base URL of the public API that resolves handles.
    pub api: Url,
    /// How far back the first connection starts; zero: only new events are read.
    pub look_back: Duration,
    /// A connection that receives no data for this long is replaced.
    pub idle_limit: Duration,
    /// The dictionary that decompresses events. `None`: uncompressed events are requested.
    pub dictionary: Option<Dictionary>,
    /// How far back the public API is read when the source is added: the posts of `authors`, or else the posts with the
    /// keywords of `filter`. Zero: no older posts are read.
    pub history: Duration,
}

/// The position of the source, which is stored between runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    host: String,
    time_us: i64,
}

/// The state that is kept when the source is opened again.
struct Shared {
    options: BlueskyOptions,
    fetcher: Fetcher,
    handles: Handles,
    skip: Skip,
    clock: Clock,
}

/// The source of Bluesky posts.
struct Bluesky {
    shared: Arc<Shared>,
    host: String,
    filter: Filter,
    /// The cursor of the next connection, in microseconds since the Unix epoch; `None`: only new events.
    from: Option<i64>,
    /// Whether an earlier connection reached `from`. If so, a gap after `from` means that posts are missing.
    resumes: bool,
    socket: Option<Socket>,
    /// The error that ended the connection, if events were yielded before the error.
    broken: Option<SourceError>,
    /// When handles are resolved the next time; `None` before the first resolution.
    refresh_at: Option<Instant>,
}

/// Creates the source `name`. One fetcher opens the connections and resolves handles. A second fetcher requests the
/// history.
pub fn spec(name: &str, options: BlueskyOptions, fetcher: impl Fn() -> Fetcher, clock: Clock) -> SourceSpec {
    let is_sparse = !options.authors.is_empty();
    let idle_limit = if is_sparse { options.idle_limit.max(SPARSE_IDLE_LIMIT) } else { options.idle_limit };
    let selective = options.filter.is_selective();
    let handles = Handles::new(options.api.clone());
    // A pause that the search API requests must not delay the connection, so the history has its own fetcher.
    let searches = Arc::new(fetcher());
    let shared = Arc::new(Shared { options, fetcher: fetcher(), handles, skip: Skip::default(), clock });
    let older = shared.clone();
    let history = Past { name, kind: "bluesky", span: shared.options.history, clock: shared.clock.clone() }
        .spec(move || Box::new(OlderPosts::new(&older.options, searches.clone(), older.clock.clone())));
    SourceSpec::new("bluesky", name, move |opening| Box::new(Bluesky::new(shared.clone(), &opening)))
        .idle_limit(idle_limit)
        .selective(selective)
        .with_history(history)
}

impl Bluesky {
    /// Continues at the cursor. After each failure another host is used.
    fn new(shared: Arc<Shared>, opening: &Opening) -> Self {
        let options = &shared.options;
        let cursor: Option<Cursor> = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok());
        // After a restart the source first connects to the host of the cursor, because the clock of this host set the
        // cursor.
        let last = cursor.as_ref().and_then(|cursor| options.hosts.iter().position(|host| *host == cursor.host));
        let first = if opening.failures == 0 { last.unwrap_or(0) } else { 0 };
        let turn = usize::try_from(opening.failures).unwrap_or(usize::MAX);
        let index = first.wrapping_add(turn) % options.hosts.len().max(1);
        let host = options.hosts.get(index).cloned().unwrap_or_default();
        let from = match &cursor {
            Some(cursor) => Some(shared.skip.resume_at(cursor.time_us).unwrap_or(match cursor.host == host {
                true => cursor.time_us,
                false => cursor.time_us.saturating_sub(micros(REWIND)),
            })),
            None if options.look_back.is_zero() => None,
            None => Some((shared.clock.now() - options.look_back).as_micros()),
        };
        let filter = options.filter.clone();
        let resumes = cursor.is_some();
        Self { shared, host, filter, from, resumes, socket: None, broken: None, refresh_at: None }
    }

    async fn batch(&mut self, max: usize) -> Result<Batch, SourceError> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let mut gathered = Gathered::default();
        if self.refresh_at.is_none_or(|at| at <= Instant::now()) {
            self.resolve_authors(&mut gathered.batch).await?;
        }
        if self.socket.is_none() {
            self.socket = Some(self.connect().await?);
        }
        let mut until: Option<Instant> = None;
        while gathered.frames < max {
            let Some(socket) = &mut self.socket else { break };
            let message = match until {
                None => socket.stream.next().await,
                Some(until) => match tokio::time::timeout_at(until, socket.stream.next()).await {
                    Ok(message) => message,
                    Err(_) => break,
                },
            };
            match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    until.get_or_insert_with(|| Instant::now() + GATHER);
                    let event = match socket.event(message) {
                        Ok(event) => event,
                        Err(error) if socket.can_decompress() => {
                            gathered.reject(error.to_string());
                            continue;
                        }
                        // The first event of a connection shows whether the dictionary is right. If this event cannot
                        // be decompressed, the connection ends.
                        Err(error) => return self.end(gathered, format!("{}: {error}", self.host)),
                    };
                    let time_us = gathered.add(&event, &self.filter, self.shared.clock.now());
                    // Selected authors may post nothing for hours, so a late first event is not a gap.
                    if let (Some(time_us), Some(asked)) = (time_us, socket.asked.take())
                        && !self.filter.is_sparse()
                    {
                        warn_of_gap(&self.host, asked, time_us);
                    }
                }
                // Selected authors may post nothing for hours, so a ping is enough to show that the connection works.
                Some(Ok(Message::Ping(_))) if self.filter.is_sparse() => break,
                Some(Ok(Message::Close(frame))) => {
                    let reason = frame.map(|frame| frame.to_string()).unwrap_or_default();
                    return self.end(gathered, format!("{} closed the connection {reason}", self.host));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    if socket::is_unreadable(&error)
                        && let Some(reached) = gathered.latest.or(self.from)
                    {
                        self.shared.skip.failed_after(reached);
                    }
                    return self.end(gathered, format!("{}: {error}", self.host));
                }
                None => return self.end(gathered, format!("{} ended the connection", self.host)),
            }
        }
        Ok(self.finish(gathered))
    }

    /// Resolves the configured authors. Closes the connection when the set of accounts has changed, so that the source
    /// subscribes again.
    async fn resolve_authors(&mut self, batch: &mut Batch) -> Result<(), SourceError> {
        let authors = &self.shared.options.authors;
        self.refresh_at = Some(Instant::now() + REFRESH);
        if authors.is_empty() {
            return Ok(());
        }
        let resolved = self.shared.handles.resolve(authors, &self.shared.fetcher).await?;
        batch.troubles.extend(resolved.problems);
        if resolved.dids.is_empty() {
            let reason = batch.troubles.join("; ");
            return Err(SourceError::Transient(format!("none of the accounts in `authors` was found: {reason}")));
        }
        if *self.filter.authors() != resolved.dids {
            self.filter = self.filter.clone().with_authors(resolved.dids);
            self.socket = None;
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Socket, SourceError> {
        let authors: &BTreeSet<String> = self.filter.authors();
        let dictionary = self.shared.options.dictionary.as_ref();
        let subscription = Subscription { host: &self.host, authors, cursor: self.from, dictionary };
        let mut socket = subscription.connect(&self.shared.fetcher).await?;
        socket.asked = self.from.filter(|_| self.resumes);
        Ok(socket)
    }

    /// Ends the connection and returns the events before its end. The next call returns the error.
    fn end(&mut self, gathered: Gathered, reason: String) -> Result<Batch, SourceError> {
        let error = SourceError::Transient(reason);
        if gathered.frames == 0 {
            return Err(error);
        }
        self.broken = Some(error);
        Ok(self.finish(gathered))
    }

    fn finish(&mut self, gathered: Gathered) -> Batch {
        let mut batch = gathered.batch;
        if let Some(time_us) = gathered.latest {
            let cursor = Cursor { host: self.host.clone(), time_us };
            // A struct of texts and numbers can always be serialised.
            batch.cursor = Some(serde_json::to_string(&cursor).unwrap_or_default());
            batch.reached = Timestamp::from_micros(time_us);
            (self.from, self.resumes) = (Some(time_us), true);
        }
        batch
    }
}

impl Source for Bluesky {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.batch(max.max(1)))
    }
}

/// The events that were received since the last batch.
#[derive(Default)]
struct Gathered {
    batch: Batch,
    /// The number of all frames, including filtered ones. A batch ends at a number of frames, even if the filter
    /// excludes all of them.
    frames: usize,
    latest: Option<i64>,
}

impl Gathered {
    /// Parses a frame and returns the time of its event.
    fn add(&mut self, text: &str, filter: &Filter, now: Timestamp) -> Option<i64> {
        self.frames += 1;
        match read(text, filter, now) {
            Ok(Frame { time_us, op }) => {
                match op {
                    Some(op) => self.batch.ops.push(op),
                    None => self.batch.filtered += 1,
                }
                self.latest = Some(self.latest.map_or(time_us, |latest| latest.max(time_us)));
                Some(time_us)
            }
            Err(error) => {
                self.batch.rejected.push(error.to_string());
                None
            }
        }
    }

    /// Counts a frame without a valid event.
    fn reject(&mut self, reason: String) {
        self.frames += 1;
        self.batch.rejected.push(reason);
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Logs a warning if the host no longer has the events after the cursor. Hosts silently move forward a cursor that is
/// too old, and the posts in between are lost.
fn warn_of_gap(host: &str, asked: i64, first: i64) {
    let gap = Duration::from_micros(u64::try_from(first.saturating_sub(asked)).unwrap_or_default());
    if gap > GAP {
        let gap_seconds = gap.as_secs();
        tracing::warn!(
            host,
            gap_seconds,
            "posts are missing: the host no longer has events from the time of the cursor"
        );
    }
}
