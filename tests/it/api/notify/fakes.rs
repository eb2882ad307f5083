//! HTTP receivers on loopback, with configurable faults.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the receiver replies to a request.
pub enum Reply {
    /// A status, headers (each ended by CRLF), and a body.
    Answer(u16, String, &'static str),
    /// The connection is reset.
    Reset,
    /// The receiver does not reply.
    Silence,
}

/// A received request.
#[derive(Clone, Debug)]
pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }
}

/// A webhook receiver. It sends the scripted replies first, and then 200.
pub struct Hook {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    script: Arc<Mutex<VecDeque<Reply>>>,
}

impl Hook {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, script) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::<Mutex<VecDeque<Reply>>>::default());
        let (received, replies) = (requests.clone(), script.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (received, replies) = (received.clone(), replies.clone());
                tokio::spawn(async move { serve(client, &received, &replies).await });
            }
        });
        Self { address, requests, script }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn script_replies(&self, replies: impl IntoIterator<Item = Reply>) {
        self.script.lock().unwrap().extend(replies);
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut client: TcpStream, received: &Mutex<Vec<Request>>, replies: &Mutex<VecDeque<Reply>>) -> Option<()> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    let end = loop {
        let count = client.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if bytes.len() >= end + 4 + length.unwrap_or(0) {
            break end;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    received.lock().unwrap().push(Request { head, body: bytes[end + 4..].to_vec() });
    let reply = replies.lock().unwrap().pop_front().unwrap_or_else(|| Reply::Answer(200, String::new(), "ok"));
    match reply {
        Reply::Answer(status, headers, body) => {
            let length = body.len();
            let text =
                format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
            client.write_all(text.as_bytes()).await.ok()
        }
        Reply::Reset => socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).ok(),
        Reply::Silence => client.read(&mut buffer).await.ok().map(|_| ()),
    }
}
