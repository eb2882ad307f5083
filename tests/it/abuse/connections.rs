//! Connections that send slowly or send nothing, and bodies that are padded with chunk extensions.

use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use crate::api::test_app::{DEADLINE, Setup, TestApp};
use crate::process::{Process, command};

/// Connects from the address 127.0.0.`client`.
async fn connect(url: &str, client: u8) -> TcpStream {
    let address: SocketAddr = url.trim_start_matches("http://").parse().expect("an address");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(IpAddr::from([127, 0, 0, client]), 0)).expect("a free port");
    socket.connect(address).await.expect("the server listens")
}

async fn send(socket: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    socket.write_all(bytes.as_ref()).await.expect("the server reads");
}

/// Reads until the server closes the connection.
async fn answer(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(DEADLINE, socket.read_to_end(&mut answer)).await.expect("closed in time");
    // The server may reset a connection with unread data, but only after its response.
    assert!(read.is_ok() || !answer.is_empty(), "{read:?}");
    String::from_utf8(answer).expect("text")
}

/// Checks that `answer` is a problem with `status`. Returns the detail of the problem.
fn detail(answer: &str, status: u16) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("a response without a head: {answer:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(head.contains("application/problem+json"), "{answer}");
    let problem: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(problem["status"], status);
    problem["detail"].as_str().expect("a detail").to_owned()
}

#[tokio::test]
async fn head_that_does_not_arrive_gives_a_408_problem() {
    let app = TestApp::start(Setup::Embedded).await;
    let mut socket = connect(&app.url, 1).await;
    send(&mut socket, "GET /api/stats HTTP/1.1\r\nhost: localhost\r\nx-slow: a").await;
    assert!(detail(&answer(&mut socket).await, 408).contains("head"));
}

#[tokio::test]
async fn malformed_request_gives_a_problem() {
    let app = TestApp::start(Setup::Embedded).await;
    let many = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(200));
    for (request, status) in [
        ("GET /\0 HTTP/1.1\r\n\r\n", 400),
        ("GET /api/stats HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n", 400),
        ("POST /api/analyze HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n{}", 400),
        ("POST /api/analyze HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: x\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}", 400),
        (many.as_str(), 431),
    ] {
        let mut socket = connect(&app.url, 1).await;
        send(&mut socket, request).await;
        assert!(!detail(&answer(&mut socket).await, status).is_empty(), "{request:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_do_not_fill_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["ingester.sources=[]".to_owned(), "log.level=info".to_owned()];
    let mut server = command(folder.path(), &settings);
    let mut server = server.stderr(Stdio::piped()).arg("serve").spawn().expect("the binary starts");
    let mut lines = BufReader::new(server.stdout.take().expect("stdout is piped")).lines();
    let ready = lines.next_line().await.expect("text").expect("a line");
    let url = ready.split_whitespace().find(|word| word.starts_with("http")).expect("an address").to_owned();
    let mut log = BufReader::new(server.stderr.take().expect("stderr is piped"));
    let logged = tokio::spawn(async move {
        let mut text = String::new();
        log.read_to_string(&mut text).await.expect("text");
        text
    });
    for _ in 0..300 {
        let mut socket = connect(url.trim_end_matches('/'), 1).await;
        send(&mut socket, "GET / HTTP/1.1\r\nhost: localhost\r\na b: c\r\n\r\n").await;
        detail(&answer(&mut socket).await, 400);
    }
    server.kill().await.expect("the process can be killed");
    let text = logged.await.expect("a log");
    assert!(text.lines().count() < 100, "{text}");
}

#[tokio::test]
async fn request_in_small_parts_is_answered() {
    let app = TestApp::start(Setup::Embedded).await;
    let mut socket = connect(&app.url, 1).await;
    socket.set_nodelay(true).expect("an option");
    let body = r#"{"text": "what a lovely day"}"#;
    let request = format!(
        "POST /api/analyze HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    for part in request.as_bytes().chunks(7) {
        send(&mut socket, part).await;
    }
    let answer = answer(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn one_client_cannot_take_every_connection() {
    // Half of this number of connections must open before the first is closed for sending no request.
    const LIMIT: usize = 16;
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, |options| options.max_connections = LIMIT).await;
    let mut idle = Vec::new();
    let refused = loop {
        assert!(idle.len() <= 4 * LIMIT, "no connection is refused");
        let mut socket = connect(&app.url, 9).await;
        // On an accepted connection, the server sends nothing before it gets a request. On a refused connection, it
        // sends a response with 503 immediately.
        let mut first = [0; 1];
        match tokio::time::timeout(Duration::from_millis(50), socket.read(&mut first)).await {
            Ok(read) => {
                assert_eq!((read.expect("an answer"), first), (1, *b"H"));
                break format!("H{}", answer(&mut socket).await);
            }
            Err(_) => idle.push(socket),
        }
    };
    assert!(detail(&refused, 503).contains("connections"));
    let mut other = connect(&app.url, 10).await;
    send(&mut other, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    let answered = answer(&mut other).await;
    assert!(answered.starts_with("HTTP/1.1 200 "), "{answered}");
}

#[tokio::test]
async fn chunk_extensions_count_towards_the_body_limit() {
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, |options| options.max_body = 1_024).await;
    let mut socket = connect(&app.url, 1).await;
    let head = "POST /api/analyze HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n1;x=";
    send(&mut socket, head).await;
    let (mut reader, mut writer) = socket.split();
    let endless = async {
        // The loop ends when the server stops reading or closes the connection.
        while writer.write_all(&[b'x'; 4_096]).await.is_ok() {}
    };
    let mut answer = vec![0; 12];
    tokio::select! {
        () = endless => panic!("the server closed without an answer"),
        read = tokio::time::timeout(DEADLINE, reader.read_exact(&mut answer)) => {
            read.expect("an answer in time").expect("an answer");
        }
    }
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 413");
}

#[tokio::test]
async fn one_client_cannot_keep_many_bodies_open() {
    let app = TestApp::start(Setup::Embedded).await;
    let head = "POST /api/analyze HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                expect: 100-continue\r\ncontent-length: 10\r\n\r\n";
    let mut open = Vec::new();
    let refused = loop {
        assert!(open.len() <= 64, "no body is refused");
        let mut socket = connect(&app.url, 9).await;
        send(&mut socket, head).await;
        let mut first = [0; 13];
        // The server requests the body, and then refuses it or waits for it.
        socket.read_exact(&mut first).await.expect("an answer");
        assert_eq!(&first, b"HTTP/1.1 100 ");
        let mut rest = vec![0; 4_096];
        let read = tokio::time::timeout(Duration::from_millis(100), async {
            let mut text = String::new();
            while !text.contains("HTTP/1.1 ") {
                let count = socket.read(&mut rest).await.expect("an answer");
                assert!(count > 0, "closed: {text}");
                text.push_str(&String::from_utf8_lossy(&rest[..count]));
            }
            text
        });
        match read.await {
            Ok(text) => break text,
            Err(_) => open.push(socket),
        }
    };
    assert!(refused.contains("HTTP/1.1 503 "), "{refused}");
    assert!(open.len() >= 32, "{} bodies", open.len());
    assert_eq!(app.get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_connections_cost_little_memory() {
    const CONNECTIONS: usize = 3_000;
    const MOST_MIB: u64 = 15;
    let folder = tempfile::tempdir().unwrap();
    let settings = ["ingester.sources=[]", "server.request_timeout=5s"].map(str::to_owned);
    let process = Process::start(folder.path(), &settings).await;
    process.get("/api/stats").await;
    let before = process.peak_memory_mib();
    let mut sockets = Vec::new();
    for number in 0..CONNECTIONS {
        let mut socket = connect(&process.url, 9 + (number / 100) as u8).await;
        let part = if number % 2 == 0 {
            "GET /api/stats HTTP/1.1\r\nhost: localhost\r\nx-slow: a"
        } else {
            "POST /api/analyze HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"
        };
        send(&mut socket, part).await;
        sockets.push(socket);
    }
    for mut socket in sockets {
        assert!(!detail(&answer(&mut socket).await, 408).is_empty());
    }
    let growth = process.peak_memory_mib() - before;
    assert!(growth < MOST_MIB, "{growth} MiB for {CONNECTIONS} connections");
}
