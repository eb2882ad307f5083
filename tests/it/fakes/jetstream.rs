//! Bluesky's Jetstream: hosts that tell one log of events, each with faults of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

/// What happened on the network, oldest first. All hosts tell of it.
#[derive(Default)]
pub struct Log {
    events: Mutex<Vec<(i64, String)>>,
    news: Notify,
}

impl Log {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Adds an event that happened at `time_us`.
    pub fn push(&self, time_us: i64, event: String) {
        lock(&self.events).push((time_us, event));
        self.news.notify_waiters();
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

/// What goes wrong on a host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Each connection is cut after so many events.
    pub drop_after: Option<usize>,
    /// Each connection falls silent after so many events.
    pub stall_after: Option<usize>,
    /// Something that is no event goes before every so many events.
    pub malformed_every: Option<usize>,
    /// Each connection tells this many earlier events again.
    pub repeat: usize,
    /// The look-back: an older cursor is moved here without a word.
    pub oldest: Option<i64>,
    /// Connections are refused.
    pub refuse: bool,
}

/// A connection that was made.
#[derive(Clone, Debug)]
pub struct Asked {
    pub cursor: Option<i64>,
}

/// A host.
pub struct Jetstream {
    /// `ws://…/subscribe`
    pub url: String,
    state: Arc<State>,
    serving: tokio::task::JoinHandle<()>,
}

struct State {
    log: Arc<Log>,
    faults: Mutex<Faults>,
    asked: Mutex<Vec<Asked>>,
    /// Changes when all connections are cut.
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

    /// Other faults from the next connection on.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.state.faults) = faults;
    }

    /// Cuts every connection in the middle.
    pub fn cut(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// The connections that were made so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.state.asked).clone()
    }

    /// How many connections stand.
    pub fn open(&self) -> usize {
        *self.state.open.borrow()
    }

    /// Most connections that ever stood at once.
    pub fn most_open(&self) -> usize {
        self.state.most_open.load(Ordering::Relaxed)
    }

    /// Events that were sent, over all connections.
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

/// One connection, until it is cut. Errors mean that the client has gone.
async fn talk(socket: TcpStream, state: &State) {
    let faults = *lock(&state.faults);
    if faults.refuse {
        return;
    }
    let mut query = String::new();
    #[expect(clippy::result_large_err, reason = "the library asks for this type")]
    let hear = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        query = request.uri().query().unwrap_or_default().to_owned();
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(socket, hear).await else { return };
    let cursor = query.split('&').find_map(|pair| pair.strip_prefix("cursor=")).and_then(|text| text.parse().ok());
    lock(&state.asked).push(Asked { cursor });
    state.open.send_modify(|open| {
        *open += 1;
        state.most_open.fetch_max(*open, Ordering::Relaxed);
    });
    let _closing = Closing(&state.open);

    let mut next = match cursor {
        None => state.log.len(),
        // Inclusive, as the real one.
        Some(cursor) => state.log.from(cursor.max(faults.oldest.unwrap_or(i64::MIN))).saturating_sub(faults.repeat),
    };
    let mut sent = 0;
    loop {
        let reached = |limit: Option<usize>| limit.is_some_and(|limit| sent >= limit);
        // What was told before arrives.
        if (reached(faults.drop_after) || reached(faults.stall_after)) && socket.flush().await.is_err() {
            return;
        }
        if reached(faults.drop_after) {
            return;
        }
        if reached(faults.stall_after) {
            std::future::pending::<()>().await;
        }
        let news = state.log.news.notified();
        let Some((_, event)) = state.log.get(next) else {
            if socket.flush().await.is_err() {
                return;
            }
            tokio::select! {
                () = news => {}
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
                // The client's pongs, and its going away.
                heard = socket.next() => if !matches!(heard, Some(Ok(_))) { return },
            }
            continue;
        };
        if faults.malformed_every.is_some_and(|every| next % every == 0) {
            let _ = socket.feed(Message::text("{\"did\": \"did:plc:x\", \"time_us\": ")).await;
        }
        if socket.feed(Message::text(event)).await.is_err() {
            return;
        }
        next += 1;
        sent += 1;
        state.sent.send_modify(|total| *total += 1);
    }
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

/// The id that the post `rkey` of `did` has everywhere.
pub fn post_id(did: &str, rkey: &str) -> String {
    format!("at://{did}/app.bsky.feed.post/{rkey}")
}

/// A commit to `did`'s posts; `record` is left out of a delete.
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

/// A new post in English.
pub fn create(did: &str, rkey: &str, time_us: i64, text: &str) -> String {
    let record = json!({
        "$type": "app.bsky.feed.post", "text": text, "langs": ["en"],
        "createdAt": rfc3339(time_us),
    });
    commit("create", (did, rkey), time_us, record)
}

/// An account's state changes.
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
