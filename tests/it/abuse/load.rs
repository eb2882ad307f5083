//! Runs a mix of attacks while posts arrive and well-behaved clients read. The attacks are short in ordinary tests.
//! `make abuse` sets `SENTISTREAM_ABUSE_SECONDS`, and the measurements must then stay within the budgets of
//! docs/security.md.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;

use crate::process::{Process, within};
use crate::services::Shared;

/// The limits for stored posts and response times apply to runs of at least this length. Shorter runs mostly measure
/// the start of the server.
const STRICT_SECONDS: u64 = 60;
/// The posts per second that the source generates.
const RATE: f64 = 50.0;
/// The limits from docs/security.md: for stored posts, response times and memory.
const LEAST_STORED_PER_SECOND: f64 = 45.0;
const MOST_P99: Duration = Duration::from_millis(250);
const MOST_MEMORY_MIB: u64 = 400;
/// The number of connections of an attacker from one address.
const CONNECTIONS_OF_A_CLIENT: usize = 20;
/// The interval between two queries of an attacker. At scale 100, 400 attackers send a total of 1,000 queries per
/// second.
const QUERY_INTERVAL: Duration = Duration::from_millis(400);
/// The interval between two request bodies of an attacker.
const BODY_INTERVAL: Duration = Duration::from_millis(100);
/// Expensive queries of the reading endpoints.
const QUERIES: [&str; 17] = [
    "/api/posts?q=a%20b%20c&limit=500",
    "/api/posts?offset=100000&limit=500",
    "/api/posts/export?format=csv",
    "/api/aggregate?period=minute&author=x",
    "/api/distribution?hours=8760&q=the",
    "/api/compare?q=the",
    "/api/insights/explain?q=the",
    "/api/topics/share",
    "/api/topics",
    "/api/sources",
    "/api/system",
    "/api/alerts?limit=500",
    "/api/v2/alerts",
    "/api/health",
    "/api/openapi.json",
    "/metrics",
    "/%61pi/stats",
];
const SLOW_HEAD: Slow =
    Slow { at_once: "", slowly: "GET /api/stats HTTP/1.1\r\nhost: localhost\r\nx-slow: aaaaaaaaaaaaaaa" };
const SLOW_BODY: Slow = Slow {
    at_once: "POST /api/analyze HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
              content-length: 99\r\n\r\n",
    slowly: "{\"text\": \"a body that takes a minute and more",
};
/// The interval between two bytes on a slow connection.
const BYTE_INTERVAL: Duration = Duration::from_secs(1);
/// How long a client keeps an unused connection open. This is shorter than the server's keep-alive timeout of 5 s, so
/// that the client does not reuse a connection that the server is closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);
/// The number of well-behaved clients that show the dashboard, and the interval at which each reads.
const DASHBOARDS: u8 = 20;
const DASHBOARD_INTERVAL: Duration = Duration::from_secs(2);

fn seconds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the length of a test run is set by the environment")]
    let seconds = std::env::var("SENTISTREAM_ABUSE_SECONDS").ok();
    seconds.and_then(|text| text.parse().ok()).unwrap_or(4)
}

/// The state that the attackers share.
struct Attack {
    url: String,
    over: AtomicBool,
    requests: AtomicUsize,
    server_errors: AtomicUsize,
}

impl Attack {
    fn is_running(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    /// Counts a response. 503 is a refusal; other 5xx are defects.
    fn count(&self, status: u16) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if status >= 500 && status != 503 {
            self.server_errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends expensive queries in a loop that starts at index `first`.
    async fn get(self: Arc<Self>, first: usize) {
        let client = web(1);
        let mut interval = paced(QUERY_INTERVAL);
        for path in QUERIES.iter().cycle().skip(first % QUERIES.len()) {
            interval.tick().await;
            if !self.is_running() {
                break;
            }
            if let Ok(answer) = client.get(format!("{}{path}", self.url)).send().await {
                self.count(answer.status().as_u16());
                let _ = answer.bytes().await;
            }
        }
    }

    async fn post(self: Arc<Self>, path: &'static str, body: Hostile) {
        let client = web(1);
        let mut interval = paced(BODY_INTERVAL);
        while self.is_running() {
            interval.tick().await;
            let mut request = client.post(format!("{}{path}", self.url)).header("content-type", "application/json");
            if let Some(encoding) = body.encoding {
                request = request.header("content-encoding", encoding);
            }
            if let Ok(answer) = request.body(body.bytes.clone()).send().await {
                self.count(answer.status().as_u16());
            }
        }
    }

    /// Opens connections that send a request slowly.
    async fn trickle(self: Arc<Self>, number: usize, request: Slow) {
        while self.is_running() {
            let Some(mut socket) = self.connect(number).await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let _ = socket.write_all(request.at_once.as_bytes()).await;
            for byte in request.slowly.bytes() {
                if !self.is_running() || socket.write_all(&[byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(BYTE_INTERVAL).await;
            }
            let _ = tokio::time::timeout(Duration::from_millis(100), socket.read(&mut [0; 1])).await;
        }
    }

    /// Opens WebSockets, a few per address. One in ten never reads.
    async fn sockets(self: Arc<Self>, count: usize) {
        let mut readers = JoinSet::new();
        let mut idle = Vec::new();
        for n in 0..count {
            let Some(socket) = self.socket(n).await else { continue };
            if n % 10 == 0 {
                idle.push(socket);
            } else {
                let attack = self.clone();
                readers.spawn(async move {
                    let mut socket = socket;
                    while attack.is_running() {
                        // A closed socket would return immediately in each iteration, so the loop ends.
                        if let Ok(None | Some(Err(_))) =
                            tokio::time::timeout(Duration::from_millis(500), socket.next()).await
                        {
                            break;
                        }
                    }
                });
            }
        }
        while self.is_running() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Attack {
    /// Connects from an address that a few other connections share. `None` when the server refuses the connection.
    async fn connect(&self, number: usize) -> Option<TcpStream> {
        let address: SocketAddr = self.url.trim_start_matches("http://").parse().ok()?;
        let client = (number / CONNECTIONS_OF_A_CLIENT) as u32;
        let local = IpAddr::from((0x7f01_0001 + client).to_be_bytes());
        let socket = TcpSocket::new_v4().ok()?;
        socket.bind(SocketAddr::new(local, 0)).ok()?;
        socket.connect(address).await.ok()
    }

    /// Opens a WebSocket on a connection of [`Self::connect`].
    async fn socket(&self, number: usize) -> Option<WebSocketStream<TcpStream>> {
        let stream = self.connect(number).await?;
        let url = format!("{}/ws/sentiment", self.url.replacen("http", "ws", 1));
        Some(tokio_tungstenite::client_async(url, stream).await.ok()?.0)
    }

    /// Sends the requests of an open dashboard from its own address.
    async fn dashboard(self: Arc<Self>, number: u8) {
        let client = web(number);
        let mut readings = tokio::time::interval(DASHBOARD_INTERVAL);
        while self.is_running() {
            readings.tick().await;
            for path in ["/api/stats", "/api/posts?limit=50", "/api/aggregate?period=minute", "/api/distribution"] {
                let _ = client.get(format!("{}{path}", self.url)).send().await;
            }
        }
    }
}

/// A client with the address 127.0.0.`number`. The server limits requests and connections per address.
fn web(number: u8) -> reqwest::Client {
    let builder = crate::web::builder().local_address(IpAddr::from([127, 0, 0, number]));
    builder.pool_idle_timeout(IDLE_TIMEOUT).build().expect("a client")
}

/// An interval that does not catch up after a late tick.
fn paced(interval: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(interval);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}

/// A request that is sent slowly.
#[derive(Clone, Copy)]
struct Slow {
    at_once: &'static str,
    /// The part that is sent with one byte per [`BYTE_INTERVAL`].
    slowly: &'static str,
}

/// The responses to a well-behaved client.
#[derive(Default)]
struct Readings {
    waits: Vec<Duration>,
    /// How many requests the client had to repeat.
    retries: usize,
}

/// A body of an attack.
#[derive(Clone)]
struct Hostile {
    bytes: Vec<u8>,
    encoding: Option<&'static str>,
}

fn bomb() -> Hostile {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    (0..256).for_each(|_| encoder.write_all(&vec![b' '; 1 << 20]).unwrap());
    Hostile { bytes: encoder.finish().unwrap(), encoding: Some("gzip") }
}

fn plain(text: String) -> Hostile {
    Hostile { bytes: text.into_bytes(), encoding: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_server_stays_available_under_mixed_attacks() {
    stays_available_under_mixed_attacks(Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scaled_out_server_stays_available_under_mixed_attacks() {
    stays_available_under_mixed_attacks(Shared::create().await.settings()).await;
}

/// Reads `url` as a well-behaved client.
async fn read(url: &str, time: Duration) -> Readings {
    let client = web(2);
    let stats = async || {
        let answer = client.get(url).send().await?;
        let status = answer.status();
        answer.bytes().await.map(|_| status)
    };
    let (start, mut readings) = (Instant::now(), Readings::default());
    let is_short = time < Duration::from_secs(STRICT_SECONDS);
    let mut ticks = paced(Duration::from_millis(50));
    while start.elapsed() < time {
        ticks.tick().await;
        let asked = Instant::now();
        let status = match stats().await {
            Ok(status) if !(is_short && status == 503) => status,
            // The server may close an idle connection while a request is on its way. Browsers then repeat a GET. In a
            // short run, a slow server may also refuse a request.
            failed => {
                eprintln!("a request is repeated: {failed:?}");
                readings.retries += 1;
                stats().await.expect("an answer on a new connection")
            }
        };
        assert_eq!(status, 200);
        readings.waits.push(asked.elapsed());
    }
    readings
}

async fn stays_available_under_mixed_attacks(backends: Vec<String>) {
    let (seconds, scale) = (seconds(), super::scale());
    let folder = tempfile::tempdir().unwrap();
    let source = [format!("sources.synthetic.rate={RATE:?}"), "sources.synthetic.seed=7".to_owned()];
    let settings = [backends.as_slice(), &source].concat();
    let process = Process::start(folder.path(), &settings).await;
    process.wait_until("posts arrive", |health| health["stats"]["total_posts"].as_u64() > Some(0)).await;
    let attack = Arc::new(Attack {
        url: process.url.clone(),
        over: AtomicBool::new(false),
        requests: AtomicUsize::new(0),
        server_errors: AtomicUsize::new(0),
    });
    let mut attackers = JoinSet::new();
    let deep = format!("{{\"text\": {}}}", "[".repeat(100_000));
    let many = format!("{{\"texts\": [{}0]}}", "{\"\":0},".repeat(400_000));
    let explain = json!({"texts": vec!["word ".repeat(20_000); 8], "explain": true}).to_string();
    let costly = json!({"text": "word ".repeat(1_000), "explain": true}).to_string();
    for body in [bomb(), plain(deep), plain(many), plain(explain), plain(costly)] {
        for _ in 0..scale.min(4) {
            attackers.spawn(attack.clone().post("/api/analyze", body.clone()));
        }
    }
    for n in 0..4 * scale {
        attackers.spawn(attack.clone().get(n));
    }
    for n in 0..50 * scale {
        attackers.spawn(attack.clone().trickle(2 * n, SLOW_HEAD));
        attackers.spawn(attack.clone().trickle(2 * n + 1, SLOW_BODY));
    }
    attackers.spawn(attack.clone().sockets(50 * scale));
    for number in 0..DASHBOARDS {
        attackers.spawn(attack.clone().dashboard(number + 3));
    }

    let start = Instant::now();
    let client = web(2);
    let health = async || -> Option<Value> {
        client.get(format!("{}/api/health", process.url)).send().await.ok()?.json().await.ok()
    };
    let stored = async || health().await?["stats"]["total_posts"].as_f64();
    let before = within("health reports the totals", async || stored().await).await;
    let url = format!("{}/api/stats", process.url);
    // The readings run on a separate thread, because the thread of the attackers would delay them.
    let measured = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(read(&url, Duration::from_secs(seconds)))
    });
    let Readings { mut waits, retries } = measured.await.expect("readings");
    attack.over.store(true, Ordering::Relaxed);
    let took = start.elapsed().as_secs_f64();
    let per_second = (within("health reports the totals", async || stored().await).await - before) / took;
    attackers.abort_all();
    waits.sort_unstable();
    let p99 = waits[waits.len() * 99 / 100];
    let (memory, requests) = (process.peak_memory_mib(), attack.requests.load(Ordering::Relaxed));
    println!(
        "{took:.0} s: {requests} hostile requests, {per_second:.1} posts/s, {} readings, {retries} repeated, \
         p50 {:?}, p99 {p99:?}, {memory} MiB",
        waits.len(),
        waits[waits.len() / 2],
    );
    // A short run has fewer than 1,000 readings, and one request may be repeated.
    assert!(retries <= (waits.len() / 1_000).max(1), "{retries} requests failed and were repeated");
    assert_eq!(attack.server_errors.load(Ordering::Relaxed), 0, "no attack causes a 5xx");
    assert!(memory < MOST_MEMORY_MIB, "{memory} MiB");
    if seconds >= STRICT_SECONDS {
        assert!(per_second > LEAST_STORED_PER_SECOND, "{per_second} posts/s");
        assert!(p99 < MOST_P99, "{p99:?}");
    }
    // The server may still be working on requests of the attacks, so that a check takes too long.
    let healthy = async || health().await.filter(|report| report["status"] != "unhealthy");
    within("the server is not unhealthy after the attacks", healthy).await;
}
