//! An instance of Mastodon: timelines in pages, rate limits, and streaming over a WebSocket.
//!
//! The instance streams from another host, as large servers do: `/api/v2/instance` names that host in
//! `configuration.urls` (<https://docs.joinmastodon.org/entities/Instance/>), and the web host redirects
//! `/api/v1/streaming` to it. A refused subscription is answered with `{"error", "status"}` on the open socket
//! (mastodon/mastodon, `streaming/index.js`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use super::web::{Reply, Request, Web, lock};

/// The token of the instance's user.
pub const TOKEN: &str = "a user's token";
/// The time after which a subscription becomes active.
const SUBSCRIBE: Duration = Duration::from_millis(300);

/// The running fake.
pub struct Instance {
    pub web: Web,
    /// The host that streams.
    pub streaming: Web,
    state: Arc<State>,
}

struct State {
    /// The error that is sent in response to subscriptions.
    refusal: Mutex<Option<Value>>,
    /// The statuses, by their ids.
    statuses: Mutex<BTreeMap<u64, Value>>,
    live: broadcast::Sender<String>,
    /// The number of calls of [`Instance::cut`]. Each change cuts all streams.
    cuts: watch::Sender<u64>,
    subscribed: watch::Sender<usize>,
    /// Whether streams send nothing at all, not even pings.
    is_mute: watch::Sender<bool>,
}

impl Instance {
    pub async fn start() -> Self {
        let state = Arc::new(State {
            refusal: Mutex::default(),
            statuses: Mutex::default(),
            live: broadcast::Sender::new(1_000),
            cuts: watch::Sender::new(0),
            subscribed: watch::Sender::new(0),
            is_mute: watch::Sender::new(false),
        });
        let shared = state.clone();
        let streaming = Web::start(move |request| stream_host(request, &shared)).await;
        let (shared, host) = (state.clone(), streaming.url.clone());
        let web = Web::start(move |request| answer(request, &shared, &host)).await;
        Self { web, streaming, state }
    }

    pub fn url(&self) -> Url {
        self.web.url.clone()
    }

    /// The `post_id` of the status `id`.
    pub fn post_id(&self, id: u64) -> String {
        format!("mastodon:{}:{id}", self.web.url.authority())
    }

    /// Refuses subscriptions with this error from now on, or accepts them again with `None`.
    pub fn refuse(&self, refusal: Option<Value>) {
        *lock(&self.state.refusal) = refusal;
    }

    /// Adds a status and sends it to the streams.
    pub fn write(&self, id: u64, status: Value) {
        let payload = status.to_string();
        lock(&self.state.statuses).insert(id, status);
        self.send("update", &payload);
    }

    /// Replaces a status and sends it to the streams.
    pub fn edit(&self, id: u64, status: Value) {
        let payload = status.to_string();
        lock(&self.state.statuses).insert(id, status);
        self.send("status.update", &payload);
    }

    /// Deletes a status and sends the deletion to the streams.
    pub fn delete(&self, id: u64) {
        lock(&self.state.statuses).remove(&id);
        self.send("delete", &id.to_string());
    }

    fn send(&self, event: &str, payload: &str) {
        self.send_frame(json!({"stream": ["public:local"], "event": event, "payload": payload}).to_string());
    }

    /// Sends a frame to the streams.
    pub fn send_frame(&self, frame: String) {
        let _ = self.state.live.send(frame);
    }

    /// Cuts every stream.
    pub fn cut(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    pub fn mute(&self, is_mute: bool) {
        self.state.is_mute.send_replace(is_mute);
    }

    /// The number of subscriptions that became active.
    pub fn subscribed(&self) -> usize {
        *self.state.subscribed.borrow()
    }
}

/// A status with the fields that the source uses. `more` overrides fields.
pub fn status(id: u64, content: &str, more: Value) -> Value {
    let mut status = json!({
        "id": id.to_string(), "created_at": "2026-03-01T12:20:00.000Z", "edited_at": null, "in_reply_to_id": null,
        "sensitive": false, "spoiler_text": "", "visibility": "public", "language": "en", "reblog": null,
        "uri": format!("https://m.example/users/ada/statuses/{id}"), "url": format!("https://m.example/@ada/{id}"),
        "content": content, "account": {"id": "1", "username": "ada", "acct": "ada"}, "tags": [],
    });
    let Value::Object(more) = more else { panic!("{more} is not an object") };
    status.as_object_mut().expect("an object").extend(more);
    status
}

fn stream_host(request: &Request, state: &Arc<State>) -> Reply {
    if request.path != "/api/v1/streaming" {
        return Reply::status(404);
    }
    if request.header("authorization") != format!("Bearer {TOKEN}") {
        let body = json!({"error": "Invalid access token"}).to_string();
        return Reply::Answer(401, vec![("content-type", "application/json".to_owned())], body.into_bytes());
    }
    let state = state.clone();
    Reply::Socket(Arc::new(move |socket| Box::pin(stream(socket, state.clone()))))
}

fn answer(request: &Request, state: &Arc<State>, streaming: &Url) -> Reply {
    match request.path.as_str() {
        "/api/v1/streaming" => {
            return Reply::status(301).with("Location", streaming.join("api/v1/streaming").expect("a URL"));
        }
        "/api/v2/instance" => {
            assert_eq!(request.header("authorization"), "", "the token is not needed here");
            let streaming = format!("ws://{}", streaming.authority());
            return Reply::ok(json!({"configuration": {"urls": {"streaming": streaming}}}).to_string());
        }
        _ => {}
    }
    let tag = request.path.strip_prefix("/api/v1/timelines/tag/");
    if tag.is_none() && request.path != "/api/v1/timelines/public" {
        return Reply::status(404);
    }
    let number = |name: &str| request.query.get(name).and_then(|text| text.parse::<u64>().ok());
    let limit = number("limit").unwrap_or(20).min(40) as usize;
    let statuses = lock(&state.statuses);
    let is_tagged = |status: &Value| match tag {
        None => true,
        Some(tag) => status["tags"].as_array().expect("tags").iter().any(|found| found["name"] == tag),
    };
    let shown = statuses.iter().filter(|(_, status)| is_tagged(status));
    let mut page: Vec<(u64, Value)> = match number("min_id") {
        Some(min) => shown.filter(|(id, _)| **id > min).take(limit).map(|(id, s)| (*id, s.clone())).collect(),
        None => {
            let is_older = |id: &u64| number("max_id").is_none_or(|max| *id < max);
            let older = shown.rev().filter(|(id, _)| is_older(id));
            let mut newest: Vec<_> = older.take(limit).map(|(id, s)| (*id, s.clone())).collect();
            newest.reverse();
            newest
        }
    };
    page.reverse();
    let link =
        page.first().map(|(id, _)| format!("<http://x{}?limit={limit}&min_id={id}>; rel=\"prev\"", request.path));
    let body: Vec<Value> = page.into_iter().map(|(_, status)| status).collect();
    let reply = Reply::ok(serde_json::to_vec(&body).expect("JSON")).with("Content-Type", "application/json");
    match link {
        Some(link) => reply.with("Link", link),
        None => reply,
    }
}

async fn stream(mut socket: WebSocketStream<TcpStream>, state: Arc<State>) {
    let (mut cuts, mut mute) = (state.cuts.subscribe(), state.is_mute.subscribe());
    // The instance sends no events before a subscription is active.
    let subscribed = matches!(socket.next().await, Some(Ok(Message::Text(text))) if text.contains("subscribe"));
    let refusal = lock(&state.refusal).clone();
    if let Some(refusal) = refusal {
        let _ = socket.send(Message::text(refusal.to_string())).await;
    }
    tokio::time::sleep(SUBSCRIBE).await;
    let mut live = state.live.subscribe();
    if subscribed {
        state.subscribed.send_modify(|count| *count += 1);
    }
    let mut pings = tokio::time::interval(Duration::from_millis(200));
    loop {
        if *mute.borrow_and_update() {
            tokio::select! {
                _ = cuts.changed() => return,
                _ = mute.changed() => continue,
                received = socket.next() => if !matches!(received, Some(Ok(_))) { return },
            }
            continue;
        }
        let sent = tokio::select! {
            _ = cuts.changed() => return,
            _ = mute.changed() => continue,
            frame = live.recv() => socket.send(Message::text(frame.expect("the stream reads fast enough"))).await,
            _ = pings.tick() => socket.send(Message::Ping(Default::default())).await,
            received = socket.next() => match received {
                Some(Ok(_)) => continue,
                _ => return,
            },
        };
        if sent.is_err() {
            return;
        }
    }
}
