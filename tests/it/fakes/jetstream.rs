//! Bluesky's Jetstream: hosts that serve one common log of events, each with its own faults.
//!
//! Options behave as in <https://github.com/bluesky-social/jetstream> (`internal/subscribe`): the cursor is inclusive,
//! `maxMessageSizeBytes` leaves out larger frames, `wantedDids` applies to events of all kinds, and with
//! `requireHello=true` the host waits for an `options_update` message. With `compress=true` each event is a binary
//! message with a zstd frame that names the dictionary (`compress.go`). The size limit applies before compression.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use super::web::{Reply, Web};

/// A dictionary that was created by `zstd --train`. Tests use it instead of the dictionary that Bluesky publishes.
pub const DICTIONARY: &[u8] = include_bytes!("../../data/jetstream/dictionary.zdict");
/// An event. Its compressed frame was created by `zstd -D dictionary.zdict`.
pub const EVENT: &str = include_str!("../../data/jetstream/event.json");
const FRAME: &[u8] = include_bytes!("../../data/jetstream/event.zst");
/// The id of [`DICTIONARY`].
const DICTIONARY_ID: u8 = 77;

/// The events of the network, oldest first. All hosts serve them.
#[derive(Default)]
pub struct Log {
    events: Mutex<Vec<(i64, String)>>,
    changed: Notify,
}

impl Log {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Adds an event that happened at `time_us`.
    pub fn push(&self, time_us: i64, event: String) {
        lock(&self.events).push((time_us, event));
        self.changed.notify_waiters();
    }

    pub fn len(&self) -> usize {
        lock(&self.events).len()
    }

    fn get(&self, at: usize) -> Option<(i64, String)> {
        lock(&self.events).get(at).cloned()
    }

    fn from(&self, time_us: i64) -> usize {
        lock(&self.events).partition_point(|(at, _)| *at < time_us)
    }
}

/// The faults of a host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Each connection is closed after this many events.
    pub drop_after: Option<usize>,
    /// Each connection sends nothing more after this many events.
    pub stall_after: Option<usize>,
    /// A malformed frame is sent each time that the connection has sent this many events.
    pub malformed_every: Option<usize>,
    /// Each connection repeats this many earlier events.
    pub repeat: usize,
    /// The time of the oldest stored event. An older cursor is silently moved to this time.
    pub oldest: Option<i64>,
    /// Connections are refused.
    pub refuse: bool,
    /// `maxMessageSizeBytes` has no effect.
    pub ignores_max_size: bool,
    /// Compressed events need this dictionary instead of [`DICTIONARY`].
    pub dictionary: Option<u8>,
}

/// The parameters of a connection that a client opened.
#[derive(Clone, Debug)]
pub struct Asked {
    pub cursor: Option<i64>,
    /// The `wantedDids` of the URL or of the first message.
    pub dids: Vec<String>,
    pub has_hello: bool,
    pub is_compressed: bool,
}

/// A host.
pub struct Jetstream {
    /// The URL of the host: `ws://…/subscribe`
    pub url: String,
    state: Arc<State>,
    serving: tokio::task::JoinHandle<()>,
}

struct State {
    log: Arc<Log>,
    faults: Mutex<Faults>,
    asked: Mutex<Vec<Asked>>,
    /// The number of calls of [`Jetstream::cut`]. Each change cuts all connections.
    cuts: watch::Sender<u64>,
    open: watch::Sender<usize>,
    most_open: AtomicUsize,
    sent: watch::Sender<usize>,
}

impl Jetstream {
    pub async fn start(log: &Arc<Log>, faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}/subscribe", listener.local_addr().expect("an address"));
        let state = Arc::new(State {
            log: log.clone(),
            faults: Mutex::new(faults),
            asked: Mutex::default(),
            cuts: watch::Sender::new(0),
            open: watch::Sender::new(0),
            most_open: AtomicUsize::new(0),
            sent: watch::Sender::new(0),
        });
        let serving = tokio::spawn(serve(listener, state.clone()));
        Self { url, state, serving }
    }

    /// Sets the faults of later connections.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.state.faults) = faults;
    }

    /// Closes every connection without a close frame.
    pub fn cut(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// The connections that clients have opened so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.state.asked).clone()
    }

    /// The number of connections that are open.
    pub fn open(&self) -> usize {
        *self.state.open.borrow()
    }

    /// The largest number of connections that were open at the same time.
    pub fn most_open(&self) -> usize {
        self.state.most_open.load(Ordering::Relaxed)
    }

    /// The number of events that were sent on all connections.
    pub fn sent(&self) -> usize {
        *self.state.sent.borrow()
    }
}

impl Drop for Jetstream {
    fn drop(&mut self) {
        self.serving.abort();
        self.cut();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((socket, _)) = listener.accept().await {
        let state = state.clone();
        tokio::spawn(async move {
            let mut cuts = state.cuts.subscribe();
            tokio::select! {
                () = talk(socket, &state) => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

/// Serves one connection until it is cut. An error means that the client has disconnected.
async fn talk(socket: TcpStream, state: &State) {
    let faults = *lock(&state.faults);
    if faults.refuse {
        return;
    }
    let mut query = String::new();
    #[expect(clippy::result_large_err, reason = "the library asks for this type")]
    let note = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        query = request.uri().query().unwrap_or_default().to_owned();
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(socket, note).await else { return };
    let cursor = query.split('&').find_map(|pair| pair.strip_prefix("cursor=")).and_then(|text| text.parse().ok());
    let url: url::Url = format!("http://host/?{query}").parse().expect("a URL");
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let all =
        |name: &str| -> Vec<&String> { pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value).collect() };
    let mut dids: Vec<String> = all("wantedDids").into_iter().cloned().collect();
    let mut max_size: usize = all("maxMessageSizeBytes").first().and_then(|size| size.parse().ok()).unwrap_or(0);
    let has_hello = all("requireHello").first().is_some_and(|value| *value == "true");
    if has_hello {
        let Some(Ok(Message::Text(text))) = socket.next().await else { return };
        let message: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(message["type"], "options_update");
        let payload = &message["payload"];
        dids = serde_json::from_value(payload["wantedDids"].clone()).expect("a list");
        max_size = payload["maxMessageSizeBytes"].as_u64().expect("a number") as usize;
    }
    assert!(dids.len() <= 10_000, "the real server refuses more than 10,000 accounts");
    let is_wanted = |event: &str| {
        let is_small = max_size == 0 || faults.ignores_max_size || event.len() <= max_size;
        is_small && (dids.is_empty() || dids.iter().any(|did| event.contains(&format!("\"did\":\"{did}\""))))
    };
    let is_compressed = all("compress").first().is_some_and(|value| *value == "true");
    let message = |event: String| match is_compressed {
        true => Message::binary(frame(&event, faults.dictionary.unwrap_or(DICTIONARY_ID))),
        false => Message::text(event),
    };
    lock(&state.asked).push(Asked { cursor, dids: dids.clone(), has_hello, is_compressed });
    state.open.send_modify(|open| {
        *open += 1;
        state.most_open.fetch_max(*open, Ordering::Relaxed);
    });
    let _closing = Closing(&state.open);

    let mut next = match cursor {
        None => state.log.len(),
        // The cursor is inclusive, as in the real protocol.
        Some(cursor) => state.log.from(cursor.max(faults.oldest.unwrap_or(i64::MIN))).saturating_sub(faults.repeat),
    };
    let mut sent = 0;
    loop {
        let reached = |limit: Option<usize>| limit.is_some_and(|limit| sent >= limit);
        // The events that were sent must arrive before the connection is cut.
        if (reached(faults.drop_after) || reached(faults.stall_after)) && socket.flush().await.is_err() {
            return;
        }
        if reached(faults.drop_after) {
            return;
        }
        if reached(faults.stall_after) {
            std::future::pending::<()>().await;
        }
        let changed = state.log.changed.notified();
        let Some((_, event)) = state.log.get(next) else {
            if socket.flush().await.is_err() {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
                // Pongs of the client are ignored. The end of the connection ends the loop.
                received = socket.next() => if !matches!(received, Some(Ok(_))) { return },
            }
            continue;
        };
        if !is_wanted(&event) {
            next += 1;
            continue;
        }
        if faults.malformed_every.is_some_and(|every| next % every == 0) {
            let malformed = match is_compressed {
                true => Message::binary(&FRAME[..FRAME.len() / 2]),
                false => Message::text("{\"did\": \"did:plc:x\", \"time_us\": "),
            };
            let _ = socket.feed(malformed).await;
        }
        if socket.feed(message(event)).await.is_err() {
            return;
        }
        next += 1;
        sent += 1;
        state.sent.send_modify(|total| *total += 1);
    }
}

/// A zstd frame that names a dictionary. Events other than [`EVENT`] are stored in raw blocks, which are also valid.
fn frame(event: &str, dictionary: u8) -> Vec<u8> {
    if event == EVENT && dictionary == DICTIONARY_ID {
        return FRAME.to_vec();
    }
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa1, dictionary];
    frame.extend((event.len() as u32).to_le_bytes());
    let mut blocks = event.as_bytes().chunks(128 << 10).peekable();
    while let Some(block) = blocks.next() {
        let header = ((block.len() as u32) << 3) | u32::from(blocks.peek().is_none());
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(block);
    }
    frame
}

struct Closing<'a>(&'a watch::Sender<usize>);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The public API that resolves handles, as described in <https://docs.bsky.app/docs/api/app-bsky-actor-get-profiles>.
/// It accepts at most 25 actors, and leaves out unknown ones.
pub async fn profiles(accounts: &'static [(&'static str, &'static str)]) -> Web {
    Web::start(|request| {
        let actors: Vec<&str> = request.pairs.iter().filter(|(name, _)| name == "actors").map(|(_, a)| &**a).collect();
        if request.path != "/xrpc/app.bsky.actor.getProfiles" || actors.len() > 25 {
            return Reply::status(400);
        }
        let profile = |actor: &&str| accounts.iter().find(|(handle, did)| handle == actor || did == actor);
        let profiles: Vec<_> = actors.iter().filter_map(profile).collect();
        let profiles: Vec<_> = profiles.iter().map(|(handle, did)| json!({"did": did, "handle": handle})).collect();
        Reply::ok(json!({"profiles": profiles}).to_string())
    })
    .await
}

/// The `post_id` of the post `rkey` of `did`.
pub fn post_id(did: &str, rkey: &str) -> String {
    format!("at://{did}/app.bsky.feed.post/{rkey}")
}

/// An event of a commit to `did`'s posts. A deletion has no `record`.
pub fn commit(operation: &str, (did, rkey): (&str, &str), time_us: i64, record: serde_json::Value) -> String {
    let mut event = json!({
        "did": did, "time_us": time_us, "kind": "commit",
        "commit": {"rev": "3l", "operation": operation, "collection": "app.bsky.feed.post", "rkey": rkey, "cid": "bafy"},
    });
    if operation != "delete" {
        event["commit"]["record"] = record;
    }
    event.to_string()
}

/// An event of a new post in English.
pub fn create(did: &str, rkey: &str, time_us: i64, text: &str) -> String {
    let record = json!({
        "$type": "app.bsky.feed.post", "text": text, "langs": ["en"],
        "createdAt": rfc3339(time_us),
    });
    commit("create", (did, rkey), time_us, record)
}

/// An event of a change of an account's status.
pub fn account(did: &str, time_us: i64, status: &str) -> String {
    let active = status.is_empty();
    let mut account = json!({"active": active, "did": did, "seq": 1, "time": rfc3339(time_us)});
    if !active {
        account["status"] = json!(status);
    }
    json!({"did": did, "time_us": time_us, "kind": "account", "account": account}).to_string()
}

fn rfc3339(time_us: i64) -> String {
    sentistream::domain::Timestamp::from_micros(time_us).expect("a time").to_string()
}
