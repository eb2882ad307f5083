//! What an instance tells over its WebSocket.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::super::fetch::place;
use super::super::{SourceError, tls};
use super::status::Status;
use super::{MastodonOptions, bearer};

/// The longest a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(15);
/// Longest frame in bytes.
const MAX_FRAME: usize = 1 << 20;
/// How long to wait for more once something is there, so that an append has more than one post.
const GATHER: Duration = Duration::from_millis(100);

/// Something that was told.
pub enum Heard {
    New {
        tag: Option<String>,
        status: Box<Status>,
    },
    Edited(Box<Status>),
    Deleted(String),
    /// What is not about posts.
    Other,
    Malformed(String),
}

/// A frame: its payload is JSON in a text.
#[derive(Deserialize)]
struct Frame {
    #[serde(default)]
    stream: Vec<String>,
    event: String,
    #[serde(default)]
    payload: Option<String>,
}

/// A connection that has subscribed.
pub struct Streaming {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    host: String,
}

impl Streaming {
    /// Connects to the first instance and subscribes; `None` without a token.
    ///
    /// # Errors
    /// When the instance cannot be reached or refuses the token.
    pub async fn open(options: &MastodonOptions) -> Result<Option<Self>, SourceError> {
        let (Some(token), Some(instance)) = (&options.token, options.instances.first()) else { return Ok(None) };
        let host = place(instance).to_owned();
        let mut url =
            instance.join("api/v1/streaming").map_err(|e| SourceError::Permanent(format!("instances: {e}")))?;
        let scheme = if instance.scheme() == "http" { "ws" } else { "wss" };
        url.set_scheme(scheme).map_err(|()| SourceError::Permanent(format!("instances: {host} has no http(s) URL")))?;
        let mut request =
            url.as_str().into_client_request().map_err(|e| SourceError::Permanent(format!("instances: {e}")))?;
        request.headers_mut().insert("authorization", bearer(token)?);
        let limits = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
        let connector = Connector::Rustls(tls::client_config().map_err(SourceError::Permanent)?);
        let connecting = connect_async_tls_with_config(request, Some(limits), true, Some(connector));
        let mut socket = match tokio::time::timeout(CONNECT, connecting).await {
            Ok(Ok((socket, _))) => socket,
            Ok(Err(WsError::Http(answer))) if matches!(answer.status().as_u16(), 401 | 403) => {
                let message = format!("{host} refused the token ({}): make a new one", answer.status());
                return Err(SourceError::Permanent(message));
            }
            Ok(Err(WsError::Http(answer))) if answer.status().as_u16() == 429 => {
                let after = Duration::from_secs(60);
                return Err(SourceError::Busy { reason: format!("{host} answered 429"), after });
            }
            Ok(Err(error)) => return Err(SourceError::Transient(format!("{host} cannot be streamed: {error}"))),
            Err(_) => {
                return Err(SourceError::Transient(format!("{host} did not answer within {} s", CONNECT.as_secs())));
            }
        };
        for subscription in subscriptions(options) {
            let sent = socket.send(Message::text(subscription)).await;
            sent.map_err(|error| SourceError::Transient(format!("{host}: {error}")))?;
        }
        Ok(Some(Self { socket, host }))
    }

    /// Waits for something, and for a moment for more, at most `max`; until `deadline` if there is one.
    ///
    /// # Errors
    /// When the connection ends before anything was told.
    pub async fn hear(&mut self, max: usize, deadline: Option<Instant>) -> Result<Vec<Heard>, SourceError> {
        let mut heard = Vec::new();
        let mut until = deadline;
        while heard.len() < max {
            let message = match until {
                None => self.socket.next().await,
                Some(until) => match tokio::time::timeout_at(until, self.socket.next()).await {
                    Ok(message) => message,
                    Err(_) => break,
                },
            };
            match message {
                Some(Ok(Message::Text(text))) => {
                    if heard.is_empty() {
                        let soon = Instant::now() + GATHER;
                        until = Some(until.map_or(soon, |until| until.min(soon)));
                    }
                    heard.push(read(&text));
                }
                // A quiet time line is alive as long as it pings.
                Some(Ok(Message::Ping(_))) if heard.is_empty() => break,
                Some(Ok(Message::Close(_))) | None if heard.is_empty() => {
                    return Err(SourceError::Transient(format!("{} ended the stream", self.host)));
                }
                Some(Ok(Message::Close(_))) | None => break,
                Some(Ok(_)) => {}
                Some(Err(error)) if heard.is_empty() => {
                    return Err(SourceError::Transient(format!("{}: {error}", self.host)));
                }
                // The next call meets it again.
                Some(Err(_)) => break,
            }
        }
        Ok(heard)
    }
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

fn read(text: &str) -> Heard {
    let frame: Frame = match serde_json::from_str(text) {
        Ok(frame) => frame,
        Err(error) => return Heard::Malformed(format!("a frame is malformed: {error}")),
    };
    let payload = frame.payload.unwrap_or_default();
    let status = |payload: &str| serde_json::from_str::<Box<Status>>(payload);
    match frame.event.as_str() {
        "update" => match status(&payload) {
            // ["hashtag:local", "rust"]
            Ok(status) => Heard::New { tag: frame.stream.into_iter().nth(1), status },
            Err(error) => Heard::Malformed(format!("a status is malformed: {error}")),
        },
        "status.update" => match status(&payload) {
            Ok(status) => Heard::Edited(status),
            Err(error) => Heard::Malformed(format!("an edited status is malformed: {error}")),
        },
        "delete" => Heard::Deleted(payload.trim_matches('"').to_owned()),
        _ => Heard::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_frame_is_read_or_told(text: String, event in "update|delete|status.update|[a-z]{0,8}", payload: String) {
            let _ = read(&text);
            let _ = read(&serde_json::json!({"stream": [], "event": event, "payload": payload}).to_string());
        }
    }
}
