//! Bluesky by Jetstream: every public post as JSON over a WebSocket, no key needed.
//!
//! The cursor is a time in microseconds, the same on all hosts give or take their clocks: after a change of
//! host it is taken back a few seconds. It is inclusive, so that some posts always come twice; workers drop
//! them by `post_id`. While nobody asks for more nothing is read, and the socket slows the server down.
//! Protocol: <https://github.com/bluesky-social/jetstream>.

mod event;
mod filter;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message, http::StatusCode};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::{Batch, Opening, Source, SourceError, SourceSpec, tls};
use crate::clock::Clock;
use crate::domain::Timestamp;

pub use event::{Frame, read};
pub use filter::Filter;

/// The clocks of two hosts differ by less.
const REWIND: Duration = Duration::from_secs(5);
/// How long to wait for more once something is there, so that an append has more than one post.
const GATHER: Duration = Duration::from_millis(100);
/// The longest a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(15);
/// Longest frame in bytes: a post's record is far smaller.
const MAX_FRAME: usize = 1 << 20;
/// When the first event lies this far behind the cursor, the host does not reach back to it.
const GAP: Duration = Duration::from_secs(600);
/// More authors than this are not told to the server, whose URL would grow too long; they are picked here.
const MAX_WANTED_DIDS: usize = 100;

/// Where to listen, and what to keep.
#[derive(Clone, Debug)]
pub struct BlueskyOptions {
    /// `wss://HOST/subscribe`; the next one is tried when one fails.
    pub hosts: Vec<String>,
    /// What to keep of what is said there.
    pub filter: Arc<Filter>,
    /// How far back the first start begins.
    pub look_back: Duration,
    /// A connection that is silent for this long is dead.
    pub idle_limit: Duration,
}

/// What is kept between runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    host: String,
    time_us: i64,
}

/// The source of Bluesky's posts.
pub struct Bluesky {
    options: BlueskyOptions,
    clock: Clock,
    host: String,
    /// Where to begin, in microseconds since the Unix epoch; `None`: now.
    from: Option<i64>,
    /// Whether an earlier connection came that far, so that what lies between is missing.
    goes_on: bool,
    socket: Option<Socket>,
    /// Why the connection broke, when there was something to yield before that is told.
    broken: Option<String>,
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Socket {
    stream: Stream,
    /// The cursor that it goes on at, until the first event has come.
    asked: Option<i64>,
}

/// The source `name`.
pub fn spec(name: &str, options: BlueskyOptions, clock: Clock) -> SourceSpec {
    let idle_limit = options.idle_limit;
    let selective = options.filter.is_selective();
    SourceSpec::new("bluesky", name, move |opening| Box::new(Bluesky::new(options.clone(), &opening, clock.clone())))
        .idle_limit(idle_limit)
        .selective(selective)
}

impl Bluesky {
    /// Listens to the next host after each failure, from the cursor on.
    pub fn new(options: BlueskyOptions, opening: &Opening, clock: Clock) -> Self {
        let cursor: Option<Cursor> = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let turn = opening.failures as usize;
        // After a restart the host of before is taken first: its clock is that of the cursor.
        let first = cursor.as_ref().and_then(|cursor| options.hosts.iter().position(|host| *host == cursor.host));
        let first = if opening.failures == 0 { first.unwrap_or(0) } else { 0 };
        let host = options.hosts.get((first + turn) % options.hosts.len().max(1)).cloned().unwrap_or_default();
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let goes_on = cursor.is_some();
        let from = match cursor {
            Some(cursor) if cursor.host == host => Some(cursor.time_us),
            Some(cursor) => Some(cursor.time_us.saturating_sub(micros(REWIND))),
            None if options.look_back.is_zero() => None,
            None => Some((clock.now() - options.look_back).as_micros()),
        };
        Self { options, clock, host, from, goes_on, socket: None, broken: None }
    }

    async fn batch(&mut self, max: usize) -> Result<Batch, SourceError> {
        if let Some(error) = self.broken.take() {
            return Err(SourceError::Transient(error));
        }
        if self.socket.is_none() {
            let stream = connect(&self.url(), &self.host).await?;
            self.socket = Some(Socket { stream, asked: self.from.filter(|_| self.goes_on) });
        }
        let mut gathered = Gathered::default();
        let mut until: Option<Instant> = None;
        while gathered.len() < max {
            let Some(socket) = &mut self.socket else { break };
            let message = match until {
                None => socket.stream.next().await,
                Some(until) => match tokio::time::timeout_at(until, socket.stream.next()).await {
                    Ok(message) => message,
                    Err(_) => break,
                },
            };
            match message {
                Some(Ok(Message::Text(text))) => {
                    until.get_or_insert_with(|| Instant::now() + GATHER);
                    let time_us = gathered.add(&text, &self.options.filter, self.clock.now());
                    if let (Some(time_us), Some(asked)) = (time_us, socket.asked.take()) {
                        tell_gap(&self.host, asked, time_us);
                    }
                }
                // Of few authors hours may pass without a word; of all it is never quiet.
                Some(Ok(Message::Ping(_))) if self.options.filter.is_sparse() => break,
                Some(Ok(Message::Close(frame))) => {
                    let reason = frame.map(|frame| frame.to_string()).unwrap_or_default();
                    return gathered.or_error(format!("{} closed the connection {reason}", self.host), self);
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return gathered.or_error(format!("{}: {error}", self.host), self),
                None => return gathered.or_error(format!("{} ended the connection", self.host), self),
            }
        }
        Ok(gathered.batch(&self.host))
    }

    fn url(&self) -> String {
        let separator = if self.host.contains('?') { '&' } else { '?' };
        let mut url = format!("{}{separator}wantedCollections={}", self.host, event::COLLECTION);
        let authors = self.options.filter.authors();
        if authors.len() <= MAX_WANTED_DIDS {
            for did in authors {
                url.push_str("&wantedDids=");
                url.extend(percent_encoding::utf8_percent_encode(did, percent_encoding::NON_ALPHANUMERIC));
            }
        }
        if let Some(from) = self.from {
            url.push_str(&format!("&cursor={from}"));
        }
        url
    }
}

impl Source for Bluesky {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.batch(max.max(1)))
    }
}

/// What was read since the last batch.
#[derive(Default)]
struct Gathered {
    batch: Batch,
    frames: usize,
    latest: Option<i64>,
}

impl Gathered {
    /// Frames count whatever became of them: a batch of what is left out must end too.
    fn len(&self) -> usize {
        self.frames
    }

    /// Reads a frame; its time.
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
            Err(reason) => {
                self.batch.rejected.push(reason);
                None
            }
        }
    }

    fn batch(mut self, host: &str) -> Batch {
        if let Some(time_us) = self.latest {
            let cursor = Cursor { host: host.to_owned(), time_us };
            // A struct of texts and numbers always has a JSON form.
            self.batch.cursor = Some(serde_json::to_string(&cursor).unwrap_or_default());
            self.batch.reached = Timestamp::from_micros(time_us);
        }
        self.batch
    }

    /// What was read before the connection broke; the next call tells of it.
    fn or_error(self, error: String, source: &mut Bluesky) -> Result<Batch, SourceError> {
        if self.frames == 0 {
            return Err(SourceError::Transient(error));
        }
        source.broken = Some(error);
        Ok(self.batch(&source.host))
    }
}

async fn connect(url: &str, host: &str) -> Result<Stream, SourceError> {
    let tls = tls::client_config().map_err(SourceError::Permanent)?;
    let limits = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
    let connecting = connect_async_tls_with_config(url, Some(limits), true, Some(Connector::Rustls(tls)));
    match tokio::time::timeout(CONNECT, connecting).await {
        Ok(Ok((stream, _))) => Ok(stream),
        Ok(Err(WsError::Http(answer))) if answer.status() == StatusCode::TOO_MANY_REQUESTS => {
            Err(SourceError::Busy { reason: format!("{host} answered 429"), after: Duration::from_secs(60) })
        }
        Ok(Err(error)) => Err(SourceError::Transient(format!("{host} cannot be reached: {error}"))),
        Err(_) => Err(SourceError::Transient(format!("{host} did not answer within {} s", CONNECT.as_secs()))),
    }
}

/// A cursor that is too old is moved without a word: what lies between is lost, and that is said.
fn tell_gap(host: &str, asked: i64, first: i64) {
    let gap = Duration::from_micros(u64::try_from(first - asked).unwrap_or_default());
    if gap > GAP {
        let gap_seconds = gap.as_secs();
        tracing::warn!(host, gap_seconds, "the host does not reach back to the cursor: posts of this time are missing");
    }
}
