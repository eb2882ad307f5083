//! A fake LLM server on loopback that implements the chat completions API, with configurable faults.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the server answers a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Valid results: `love` is positive, `hate` is negative, and anything else is neutral.
    Good,
    /// An error with this status and `Retry-After`.
    Status(u16, Option<u32>),
    /// A message of the assistant with this text.
    Says(String),
    /// Results with unknown labels.
    WrongLabels,
    /// Results for only this number of posts.
    Missing(usize),
    /// An error with the status 400 and this message.
    Refuses(String),
    /// No answer. The connection stays open.
    Silent,
    /// An endless answer, one byte at a time.
    Drip,
}

/// A received request.
#[derive(Clone, Debug)]
pub struct Seen {
    pub authorization: String,
    pub body: Value,
}

impl Seen {
    /// The posts in the user message, with their indexes.
    pub fn posts(&self) -> Vec<(usize, String)> {
        let data: Value = serde_json::from_str(self.body["messages"][1]["content"].as_str().unwrap()).unwrap();
        let posts = data["posts"].as_array().unwrap().iter();
        posts
            .map(|post| (post["index"].as_u64().unwrap() as usize, post["text"].as_str().unwrap().to_owned()))
            .collect()
    }

    /// The targets in the user message.
    pub fn targets(&self) -> Vec<String> {
        let data: Value = serde_json::from_str(self.body["messages"][1]["content"].as_str().unwrap()).unwrap();
        let targets = data["posts"].as_array().unwrap().iter();
        targets.filter_map(|post| post["target"].as_str().map(str::to_owned)).collect()
    }

    pub fn form(&self) -> &str {
        self.body["response_format"]["type"].as_str().unwrap()
    }
}

type Rule = Box<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// A fake server. It runs until the value is dropped.
#[derive(Clone)]
pub struct FakeLlm {
    pub url: String,
    state: Arc<State>,
    _task: Arc<Task>,
}

struct Task(tokio::task::JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct State {
    seen: Mutex<Vec<Seen>>,
    next: Mutex<VecDeque<Reply>>,
    rule: Mutex<Rule>,
}

impl FakeLlm {
    /// Starts a server that answers every request with valid results.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let state = Arc::new(State {
            seen: Mutex::default(),
            next: Mutex::default(),
            rule: Mutex::new(Box::new(|_: &Seen| Reply::Good)),
        });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&shared)));
            }
        });
        Self { url, state, _task: Arc::new(Task(task)) }
    }

    /// Queues one reply for each of the next requests. Later requests are answered by the rule of [`Self::always`].
    pub fn then(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.next.lock().unwrap().extend(replies);
    }

    /// Answers every request with the reply that `rule` returns.
    pub fn always(&self, rule: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        *self.state.rule.lock().unwrap() = Box::new(rule);
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }
}

async fn serve(mut connection: TcpStream, state: Arc<State>) {
    while let Some(seen) = read(&mut connection).await {
        state.seen.lock().unwrap().push(seen.clone());
        let queued = state.next.lock().unwrap().pop_front();
        let reply = queued.unwrap_or_else(|| (state.rule.lock().unwrap())(&seen));
        if answer(&mut connection, &seen, reply).await.is_err() {
            return;
        }
    }
}

async fn read(connection: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{head}");
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    };
    let length: usize = header("content-length")?.parse().ok()?;
    while bytes.len() < head_end + length {
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = serde_json::from_slice(&bytes[head_end..head_end + length]).unwrap();
    Some(Seen { authorization: header("authorization").unwrap_or_default(), body })
}

async fn answer(connection: &mut TcpStream, seen: &Seen, reply: Reply) -> std::io::Result<()> {
    let posts = seen.posts();
    let judgements = |count: usize| -> Vec<Value> { posts.iter().take(count).map(labels_of).collect() };
    let says = match reply {
        Reply::Good => json!({"judgements": judgements(posts.len())}).to_string(),
        Reply::Missing(count) => json!({"judgements": judgements(count)}).to_string(),
        Reply::WrongLabels => {
            let wrong: Vec<_> = posts
                .iter()
                .map(|(index, _)| json!({"index": index, "sentiment": "fine", "confidence": 0.9, "emotion": "love"}))
                .collect();
            json!({"judgements": wrong}).to_string()
        }
        Reply::Says(text) => text,
        Reply::Status(status, retry_after) => {
            let retry = retry_after.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
            let head = format!("HTTP/1.1 {status} Trouble\r\n{retry}content-length: 2\r\n\r\n{{}}");
            return connection.write_all(head.as_bytes()).await;
        }
        Reply::Refuses(message) => {
            let body = json!({"error": {"message": message}}).to_string();
            let head = format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            return connection.write_all(head.as_bytes()).await;
        }
        Reply::Silent => {
            // Waits until the client disconnects.
            let _ = connection.read_u8().await;
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        Reply::Drip => {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{").await?;
            loop {
                connection.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    let body =
        json!({"choices": [{"message": {"role": "assistant", "content": says}, "finish_reason": "stop"}]}).to_string();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    connection.write_all(head.as_bytes()).await
}

fn labels_of((index, text): &(usize, String)) -> Value {
    let (sentiment, emotion) = match text.to_lowercase() {
        text if text.contains("love") => ("positive", "joy"),
        text if text.contains("hate") => ("negative", "anger"),
        _ => ("neutral", "neutral"),
    };
    json!({"index": index, "sentiment": sentiment, "confidence": 0.8, "emotion": emotion})
}
