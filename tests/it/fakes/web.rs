//! A web server on loopback. It sends scripted replies first, and then the replies of a function.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use url::Url;

/// A received request.
#[derive(Clone, Debug)]
pub struct Request {
    pub at: Instant,
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    /// The query with repeated names.
    pub pairs: Vec<(String, String)>,
    /// The headers, by lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// Whether [`Web::script_replies`] provided the reply.
    pub is_scripted: bool,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// How the server replies to a request.
#[derive(Clone)]
pub enum Reply {
    /// A status, headers and a body.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The connection is reset.
    Reset,
    /// The server does not reply.
    Silence,
    /// The connection becomes a WebSocket.
    Socket(Arc<dyn Fn(WebSocketStream<TcpStream>) -> BoxFuture<'static, ()> + Send + Sync>),
}

impl Reply {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Answer(200, Vec::new(), body.into())
    }

    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), Vec::new())
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer(_, headers, _) = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

/// The running server.
pub struct Web {
    pub url: Url,
    state: Arc<State>,
    serving: tokio::task::JoinHandle<()>,
}

struct State {
    site: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    requests: Mutex<Vec<Request>>,
    script: Mutex<VecDeque<Reply>>,
}

impl Web {
    /// Starts a server that replies with the results of `site`.
    pub async fn start(site: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("a URL");
        let state = State { site: Box::new(site), requests: Mutex::default(), script: Mutex::default() };
        let state = Arc::new(state);
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move { serve(client, &state).await });
            }
        });
        Self { url, state, serving }
    }

    /// Replies to the next requests with `replies`, and then with `site` again.
    pub fn script_replies(&self, replies: impl IntoIterator<Item = Reply>) {
        lock(&self.state.script).extend(replies);
    }

    /// Whether all scripted replies were sent.
    pub fn has_sent_all_replies(&self) -> bool {
        lock(&self.state.script).is_empty()
    }

    /// The period from the last request with a scripted reply until the next request.
    pub fn rest(&self) -> Range<Instant> {
        let requests = self.requests();
        let last = requests.iter().rposition(|request| request.is_scripted).expect("a scripted reply was sent");
        requests[last].at..requests[last + 1].at
    }

    pub fn requests(&self) -> Vec<Request> {
        lock(&self.state.requests).clone()
    }

    pub fn at(&self, path: &str) -> Url {
        self.url.join(path).expect("a path")
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut client: TcpStream, state: &State) -> Option<()> {
    let mut request = read(&mut client).await?;
    let scripted = lock(&state.script).pop_front();
    request.is_scripted = scripted.is_some();
    let reply = scripted.unwrap_or_else(|| (state.site)(&request));
    // The request is recorded after `site` has returned, so a test that sees the request also sees its effects.
    lock(&state.requests).push(request.clone());
    match reply {
        Reply::Answer(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            client.write_all(format!("{head}\r\n").as_bytes()).await.ok()?;
            client.write_all(&body).await.ok()
        }
        Reply::Reset => socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).ok(),
        Reply::Silence => client.read(&mut [0; 1]).await.ok().map(|_| ()),
        Reply::Socket(handle) => {
            let key = derive_accept_key(request.header("sec-websocket-key").as_bytes());
            let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket";
            client.write_all(format!("{head}\r\nsec-websocket-accept: {key}\r\n\r\n").as_bytes()).await.ok()?;
            handle(WebSocketStream::from_raw_socket(client, Role::Server, None).await).await;
            None
        }
    }
}

async fn read(client: &mut TcpStream) -> Option<Request> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = client.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?);
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() < length {
            continue;
        }
        let url: Url = format!("http://host{target}").parse().ok()?;
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let query = pairs.iter().cloned().collect();
        let (path, body) = (url.path().to_owned(), body.to_owned());
        return Some(Request { at: Instant::now(), method, path, query, pairs, headers, body, is_scripted: false });
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
