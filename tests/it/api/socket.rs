//! A WebSocket client.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::test_app::{DEADLINE, TestApp};

pub struct Socket(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

/// A message or the end of a connection.
#[derive(Debug, PartialEq)]
pub enum SocketEvent {
    Frame(Value),
    /// The close code.
    Closed(u16),
    /// The connection ended without a close frame.
    Cut,
}

pub fn request(app: &TestApp, headers: &[(&str, &str)]) -> Request {
    request_to(&app.url, headers)
}

fn request_to(url: &str, headers: &[(&str, &str)]) -> Request {
    let url = format!("{}/ws/sentiment", url.replace("http", "ws"));
    let mut request = url.into_client_request().expect("a request");
    for (name, value) in headers {
        let name = reqwest::header::HeaderName::try_from(*name).expect("a name");
        request.headers_mut().insert(name, value.parse().expect("a value"));
    }
    request
}

impl Socket {
    pub async fn open(app: &TestApp) -> Self {
        Self::at(&app.url).await
    }

    /// Connects to the API at `url`.
    pub async fn at(url: &str) -> Self {
        let (socket, _) = Self::try_open(request_to(url, &[])).await.expect("a handshake");
        socket
    }

    /// Connects. If the server refuses the connection, returns the HTTP status.
    pub async fn try_open(request: Request) -> Result<(Self, Response), u16> {
        match connect_async(request).await {
            Ok((socket, response)) => Ok((Self(socket), response)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn send_text(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.expect("the server reads");
    }

    pub async fn receive(&mut self) -> SocketEvent {
        let hearing = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return SocketEvent::Frame(serde_json::from_str(&text).expect("JSON"));
                    }
                    Some(Ok(Message::Close(Some(frame)))) => return SocketEvent::Closed(frame.code.into()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(other)) => panic!("{other:?}"),
                    Some(Err(_)) | None => return SocketEvent::Cut,
                }
            }
        };
        tokio::time::timeout(DEADLINE, hearing).await.expect("the server sends a message in time")
    }

    /// Waits for the next frame of this type. Other frames are skipped.
    pub async fn next(&mut self, kind: &str) -> Value {
        loop {
            match self.receive().await {
                SocketEvent::Frame(frame) if frame["type"] == kind => return frame,
                SocketEvent::Frame(_) => {}
                end => panic!("no {kind} was received: {end:?}"),
            }
        }
    }

    /// Returns all frames up to the response to a ping. This response may arrive before events that are still on the
    /// bus.
    pub async fn until_pong(&mut self) -> Vec<Value> {
        self.send_text(r#"{"type": "ping"}"#).await;
        let mut frames = self.until("pong").await;
        frames.pop();
        frames
    }

    /// Returns all frames up to and including the next frame of this type.
    pub async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            match self.receive().await {
                SocketEvent::Frame(frame) => {
                    let last = frame["type"] == kind;
                    frames.push(frame);
                    if last {
                        return frames;
                    }
                }
                end => panic!("no {kind} was received: {end:?}"),
            }
        }
    }
}
