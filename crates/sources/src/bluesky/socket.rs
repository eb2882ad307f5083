//! Connections to a Jetstream host.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::SinkExt as _;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message, Utf8Bytes, http::StatusCode};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use url::Url;

use super::super::fetch::Fetcher;
use super::super::{SourceError, tls};
use super::compression::{Dictionary, InflateError, Inflater};
use super::event::{COLLECTION, MAX_EVENT_BYTES};

/// The longest time to establish a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// The maximum length of a frame, in bytes. The subscription asks hosts to leave out events above [`MAX_EVENT_BYTES`].
/// If a host ignores this option, larger events up to the length of a frame are rejected individually.
const MAX_FRAME: usize = 16 << 20;
/// The maximum number of authors in the URL. If there are more, all authors are sent in a message after connecting.
const MAX_URL_AUTHORS: usize = 100;
/// The maximum number of authors that a host accepts. If there are more, the source reads all events and filters them.
const MAX_AUTHORS: usize = 10_000;

/// A connection.
pub struct Socket {
    /// The WebSocket to the host.
    pub stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The requested cursor. `None` after the first event has arrived, or if no earlier connection reached the cursor.
    pub asked: Option<i64>,
    /// Decompresses events. `None`: the subscription requested uncompressed events.
    pub inflater: Option<Inflater>,
}

impl Socket {
    /// The JSON text of the event in a text or binary message.
    ///
    /// # Errors
    /// When the event cannot be decompressed.
    pub fn event(&mut self, message: Message) -> Result<Utf8Bytes, InflateError> {
        match (message, &mut self.inflater) {
            (Message::Binary(frame), Some(inflater)) => inflater.inflate(&frame).map(Utf8Bytes::from),
            (Message::Text(text), _) => Ok(text),
            _ => Err(InflateError::NoDictionary),
        }
    }

    /// Whether an event was decompressed, which proves that the host uses the same dictionary.
    pub fn can_decompress(&self) -> bool {
        self.inflater.as_ref().is_some_and(|inflater| inflater.is_proven)
    }
}

/// The parameters of a subscription.
pub struct Subscription<'a> {
    /// The WebSocket URL of the host, such as `wss://HOST/subscribe`.
    pub host: &'a str,
    /// The DIDs of the accounts to read; empty: all accounts.
    pub authors: &'a BTreeSet<String>,
    /// The cursor, in microseconds since the Unix epoch; `None`: only new events.
    pub cursor: Option<i64>,
    /// The dictionary that decompresses events. `None`: uncompressed events are requested.
    pub dictionary: Option<&'a Dictionary>,
}

impl Subscription<'_> {
    /// Connects through `fetcher`, which checks the address, and subscribes.
    ///
    /// # Errors
    /// [`SourceError::Busy`] for 429; [`SourceError::Transient`] when the host cannot be reached in time or refuses the
    /// WebSocket; [`SourceError::Permanent`] for a malformed URL, an address to which connections are not allowed, or a
    /// dictionary that cannot be used.
    pub async fn connect(&self, fetcher: &Fetcher) -> Result<Socket, SourceError> {
        let host = self.host;
        let wrong = |error: &dyn std::fmt::Display| SourceError::Permanent(format!("{host}: {error}"));
        let tls = tls::client_config().map_err(|error| wrong(&error))?;
        let address: Url = host.parse().map_err(|error| wrong(&error))?;
        let limits = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
        let connecting = async {
            let tcp = fetcher.connect(&address).await?;
            let connector = Some(Connector::Rustls(tls));
            let connected = client_async_tls_with_config(self.url(), tcp, Some(limits), connector).await;
            connected.map_err(|error| handshake(host, error))
        };
        let (mut stream, _) = tokio::time::timeout(CONNECT, connecting)
            .await
            .map_err(|_| SourceError::Transient(format!("{host} did not answer within {} s", CONNECT.as_secs())))??;
        if let Some(hello) = self.hello() {
            let sent = stream.send(Message::text(hello)).await;
            sent.map_err(|error| SourceError::Transient(format!("{host}: {error}")))?;
        }
        let inflater = self.dictionary.map(Inflater::new).transpose();
        let inflater = inflater.map_err(|error| SourceError::Permanent(format!("zstd_dictionary: {error}")))?;
        Ok(Socket { stream, asked: None, inflater })
    }

    /// The URL of the subscription. With `requireHello` the host sends no events before it receives the options in
    /// [`Self::hello`].
    fn url(&self) -> String {
        let separator = if self.host.contains('?') { '&' } else { '?' };
        let mut url = format!("{}{separator}wantedCollections={COLLECTION}", self.host);
        url.push_str(&format!("&maxMessageSizeBytes={MAX_EVENT_BYTES}"));
        if self.dictionary.is_some() {
            url.push_str("&compress=true");
        }
        if self.authors.len() <= MAX_URL_AUTHORS {
            for did in self.authors {
                url.push_str("&wantedDids=");
                url.extend(percent_encoding::utf8_percent_encode(did, percent_encoding::NON_ALPHANUMERIC));
            }
        } else if self.sends_authors() {
            url.push_str("&requireHello=true");
        }
        if let Some(cursor) = self.cursor {
            url.push_str(&format!("&cursor={cursor}"));
        }
        url
    }

    fn hello(&self) -> Option<String> {
        let payload = json!({
            "wantedCollections": [COLLECTION], "wantedDids": self.authors, "maxMessageSizeBytes": MAX_EVENT_BYTES,
        });
        self.sends_authors().then(|| json!({"type": "options_update", "payload": payload}).to_string())
    }

    fn sends_authors(&self) -> bool {
        (MAX_URL_AUTHORS + 1..=MAX_AUTHORS).contains(&self.authors.len())
    }
}

fn handshake(host: &str, error: WsError) -> SourceError {
    match error {
        WsError::Http(answer) if answer.status() == StatusCode::TOO_MANY_REQUESTS => {
            SourceError::Busy { reason: format!("{host} answered 429"), after: Duration::from_secs(60) }
        }
        error => SourceError::Transient(format!("cannot connect to {host}: {error}")),
    }
}

/// Whether an unreadable frame caused `error`. The host would send the same frame again for the same cursor.
pub fn is_unreadable(error: &WsError) -> bool {
    match error {
        WsError::Capacity(_) | WsError::Utf8(_) => true,
        WsError::Protocol(protocol) => *protocol != ProtocolError::ResetWithoutClosingHandshake,
        _ => false,
    }
}
