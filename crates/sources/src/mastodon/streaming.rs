//! Reads the WebSocket of an instance.
//!
//! Large instances serve the stream from another host, whose URL is in `/api/v2/instance`
//! (<https://docs.joinmastodon.org/entities/Instance/#urls-streaming>).

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message, http};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use url::Url;

use super::super::fetch::{Fetcher, json, place};
use super::super::lenient::lenient;
use super::super::{SourceError, tls};
use super::status::Status;
use super::{MastodonOptions, bearer};

/// The timeout for establishing a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// The maximum length of a frame, in bytes. A longer frame ends the connection, and its status is polled afterwards.
const MAX_FRAME: usize = 1 << 20;
/// How long to collect events after the first one, so that an append can contain several posts.
const GATHER: Duration = Duration::from_millis(100);

/// An event of the stream.
pub enum StreamEvent {
    /// A new status.
    New {
        /// The tag of the timeline that delivered the status. `None`: the public timeline.
        tag: Option<String>,
        /// The status.
        status: Box<Status>,
    },
    /// A status that its author edited, in its new version.
    Edited(Box<Status>),
    /// The id of a status that was deleted.
    Deleted(String),
    /// The server refused a subscription.
    Refused(SourceError),
    /// An event that is not about posts.
    Other,
    /// An event that cannot be parsed, with the reason.
    Malformed(String),
}

/// A frame. Its payload is JSON in a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Frame {
    Event {
        #[serde(default)]
        stream: Vec<String>,
        event: String,
        #[serde(default)]
        payload: Option<String>,
    },
    /// The response to a subscription that the server refuses.
    Error {
        error: String,
        #[serde(default)]
        status: Option<u16>,
    },
}

#[derive(Deserialize)]
struct InstanceV2 {
    configuration: Configuration,
}

#[derive(Deserialize)]
struct Configuration {
    urls: Urls,
}

#[derive(Deserialize)]
struct InstanceV1 {
    urls: Urls,
}

#[derive(Deserialize)]
struct Urls {
    #[serde(default, alias = "streaming_api", deserialize_with = "lenient")]
    streaming: Option<String>,
}

/// A connection with its subscriptions.
pub struct Streaming {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    host: String,
}

impl Streaming {
    /// Connects to the streaming host of the first instance and subscribes; `None` without a token.
    ///
    /// # Errors
    /// When the host cannot be reached or refuses the token.
    pub async fn open(options: &MastodonOptions, fetcher: &Fetcher) -> Result<Option<Self>, SourceError> {
        let (Some(token), Some(instance)) = (&options.token, options.instances.first()) else { return Ok(None) };
        let url = streaming_url(instance, fetcher).await?;
        let host = place(&url).to_owned();
        let wrong = |error: &dyn std::fmt::Display| SourceError::Permanent(format!("{host}: {error}"));
        let mut request = url.as_str().into_client_request().map_err(|error| wrong(&error))?;
        request.headers_mut().insert("authorization", bearer(token)?);
        let limits = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
        let connector = Connector::Rustls(tls::client_config().map_err(|error| wrong(&error))?);
        let connecting = async {
            let tcp = fetcher.connect(&url).await?;
            let connected = client_async_tls_with_config(request, tcp, Some(limits), Some(connector)).await;
            connected.map_err(|error| handshake(&host, error))
        };
        let (mut socket, _) = tokio::time::timeout(CONNECT, connecting)
            .await
            .map_err(|_| SourceError::Transient(format!("{host} did not answer within {} s", CONNECT.as_secs())))??;
        for subscription in subscriptions(options) {
            let sent = socket.send(Message::text(subscription)).await;
            sent.map_err(|error| SourceError::Transient(format!("{host}: {error}")))?;
        }
        Ok(Some(Self { socket, host }))
    }

    /// Waits for an event, then collects up to `max` events for a short time. Returns no events after a ping, which
    /// shows that the connection works. Returns at the latest at `deadline`, if it is set.
    ///
    /// # Errors
    /// When the connection ends before any event.
    pub async fn next(&mut self, max: usize, deadline: Option<Instant>) -> Result<Vec<StreamEvent>, SourceError> {
        let mut events = Vec::new();
        let mut until = deadline;
        while events.len() < max {
            let message = match until {
                None => self.socket.next().await,
                Some(until) => match tokio::time::timeout_at(until, self.socket.next()).await {
                    Ok(message) => message,
                    Err(_) => break,
                },
            };
            match message {
                Some(Ok(Message::Text(text))) => {
                    if events.is_empty() {
                        let soon = Instant::now() + GATHER;
                        until = Some(until.map_or(soon, |until| until.min(soon)));
                    }
                    events.push(read(&text, &self.host));
                }
                // A ping shows that the connection works, even if the timeline has no new posts.
                Some(Ok(Message::Ping(_))) if events.is_empty() => break,
                Some(Ok(Message::Close(_))) | None if events.is_empty() => {
                    return Err(SourceError::Transient(format!("{} ended the stream", self.host)));
                }
                Some(Ok(Message::Close(_))) | None => break,
                Some(Ok(_)) => {}
                Some(Err(error)) if events.is_empty() => {
                    return Err(SourceError::Transient(format!("{}: {error}", self.host)));
                }
                // The next call returns the error.
                Some(Err(_)) => break,
            }
        }
        Ok(events)
    }
}

/// The streaming URL of `instance`. Servers before version 4 do not have `/api/v2/instance`. If the response contains
/// no URL, the instance itself serves the stream.
async fn streaming_url(instance: &Url, fetcher: &Fetcher) -> Result<Url, SourceError> {
    let host = place(instance);
    let wrong = |reason: String| SourceError::Permanent(format!("{host}: {reason}"));
    let ask = async |path: &str| {
        let url = instance.join(path).map_err(|error| wrong(error.to_string()))?;
        fetcher.get(&url, HeaderMap::new()).await
    };
    let v2 = ask("api/v2/instance").await?;
    let named = match json::<InstanceV2>(&v2) {
        Ok(v2) => v2.configuration.urls.streaming,
        Err(_) if v2.status.is_success() => None,
        Err(_) => json::<InstanceV1>(&ask("api/v1/instance").await?).ok().and_then(|v1| v1.urls.streaming),
    };
    let base = match named {
        Some(named) => Url::parse(&named).map_err(|_| wrong(format!("its streaming URL {named:?} is not a URL")))?,
        None => instance.clone(),
    };
    let scheme = match base.scheme() {
        "https" | "wss" => "wss",
        // The token must not be sent over an unencrypted connection.
        "http" | "ws" if instance.scheme() == "http" => "ws",
        other => return Err(wrong(format!("its streaming URL has the scheme {other:?}, expected wss"))),
    };
    let path = format!("{}/api/v1/streaming", base.path().trim_end_matches('/'));
    let address = format!("{scheme}://{}{path}", place(&base));
    Url::parse(&address).map_err(|_| wrong(format!("its streaming URL {address:?} is not a URL")))
}

/// The error for a WebSocket that could not be opened.
fn handshake(host: &str, error: WsError) -> SourceError {
    let WsError::Http(answer) = error else {
        return SourceError::Transient(format!("cannot connect to {host}: {error}"));
    };
    let status = answer.status();
    match status.as_u16() {
        429 => SourceError::Busy { reason: format!("{host} answered 429"), after: Duration::from_secs(60) },
        300..=399 => {
            let to = answer.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default();
            let help = "check the streaming URL that /api/v2/instance of the instance returns";
            SourceError::Refused(format!("{host} answered {status} to {to}: {help}"))
        }
        401 if is_json(&answer) => SourceError::Permanent(format!("{host} answered {status}: create a new token")),
        500..=599 => SourceError::Transient(format!("{host} answered {status}")),
        _ => SourceError::Refused(format!("{host} refused the WebSocket with {status}")),
    }
}

fn is_json(answer: &http::Response<Option<Vec<u8>>>) -> bool {
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.contains("json"))
}

fn subscriptions(options: &MastodonOptions) -> Vec<String> {
    let local = if options.local { ":local" } else { "" };
    if options.tags.is_empty() {
        return vec![serde_json::json!({"type": "subscribe", "stream": format!("public{local}")}).to_string()];
    }
    let one = |tag: &String| {
        serde_json::json!({"type": "subscribe", "stream": format!("hashtag{local}"), "tag": tag}).to_string()
    };
    options.tags.iter().map(one).collect()
}

fn read(text: &str, host: &str) -> StreamEvent {
    let (stream, event, payload) = match serde_json::from_str(text) {
        Ok(Frame::Event { stream, event, payload }) => (stream, event, payload.unwrap_or_default()),
        Ok(Frame::Error { error, status }) => return StreamEvent::Refused(refused(host, &error, status)),
        Err(error) => return StreamEvent::Malformed(format!("malformed frame: {error}")),
    };
    let status = |payload: &str| serde_json::from_str::<Box<Status>>(payload);
    match event.as_str() {
        "update" => match status(&payload) {
            // The stream of a tag is `["hashtag:local", "rust"]`.
            Ok(status) => StreamEvent::New { tag: stream.into_iter().nth(1), status },
            Err(error) => StreamEvent::Malformed(format!("malformed status: {error}")),
        },
        "status.update" => match status(&payload) {
            Ok(status) => StreamEvent::Edited(status),
            Err(error) => StreamEvent::Malformed(format!("malformed edited status: {error}")),
        },
        "delete" => StreamEvent::Deleted(payload.trim_matches('"').to_owned()),
        _ => StreamEvent::Other,
    }
}

/// The error for a refused subscription.
fn refused(host: &str, error: &str, status: Option<u16>) -> SourceError {
    let reason = format!("{host} refused the subscription: {error}");
    match status.and_then(|status| StatusCode::from_u16(status).ok()) {
        Some(status) if status.is_server_error() => SourceError::Transient(reason),
        Some(StatusCode::TOO_MANY_REQUESTS) => SourceError::Busy { reason, after: Duration::from_secs(60) },
        Some(StatusCode::UNAUTHORIZED | StatusCode::UNPROCESSABLE_ENTITY) => {
            SourceError::Permanent(format!("{reason}; check that the token has the scope read:statuses"))
        }
        _ => SourceError::Refused(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_frame_is_read_without_a_panic(text: String, event in "update|delete|status.update|[a-z]{0,8}", payload: String) {
            let _ = read(&text, "m.example");
            let _ = read(&serde_json::json!({"stream": [], "event": event, "payload": payload}).to_string(), "m.example");
        }
    }
}
