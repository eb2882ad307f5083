//! The WebSocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sentistream::domain::{LiveEvent, PostEvent};
use sentistream::http::HttpOptions;
use sentistream::http::auth::tokens::{StaticToken, hash};
use sentistream::http::auth::{AuthOptions, Scope};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::socket::{Socket, SocketEvent, request};
use super::test_app::{START, Setup, TestApp, cases, post};

cases![client_receives_posts_counts_and_deletions, filters_select_posts];

async fn client_receives_posts_counts_and_deletions(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.store(&[post("old", "web", "I hate it", 1_800)]).await;
    let mut socket = Socket::open(&app).await;
    let SocketEvent::Frame(first) = socket.receive().await else { panic!("no first frame") };
    assert_eq!((&first["type"], &first["timestamp"]), (&json!("connected"), &json!("2026-03-01T12:30:00.000Z")));
    assert!(first["message"].is_string());
    let counts = socket.next("metrics_update").await;
    let of = |window: &str| counts["data"][window].clone();
    assert_eq!((&of("last_minute")["total"], &of("last_hour")["total"]), (&json!(0), &json!(1)));
    assert_eq!(
        of("last_24_hours"),
        json!({
            "positive": 0, "negative": 1, "neutral": 0, "total": 1, "unscored_count": 0,
            "percentages": {"positive": 0.0, "neutral": 0.0, "negative": 100.0},
            "top_emotions": [{"emotion": "anger", "count": 1, "percentage": 100.0}],
        })
    );

    let long = format!("I love it {}", "…".repeat(300));
    app.store(&[post("new", "web", &long, 5)]).await;
    let mut frame = socket.next("post").await;
    let confidence = frame["data"]["confidence_score"].as_f64().expect("a number");
    assert!((confidence - 0.9).abs() < 1e-6);
    frame["data"]["confidence_score"] = json!(0.9);
    assert_eq!(
        frame,
        json!({"type": "post", "data": {
            "post_id": "new", "content": long.chars().take(200).collect::<String>(), "source": "web", "author": "ada",
            "lang": "en", "sentiment_label": "positive", "confidence_score": 0.9, "emotion": "joy", "topics": [],
            "created_at": "2026-03-01T12:29:55.000Z", "ingested_at": "2026-03-01T12:30:00.000Z",
            "timestamp": "2026-03-01T12:30:00.000Z",
        }})
    );
    // A post that is already stored is not published again.
    app.store(&[post("new", "web", "I love it", 5)]).await;
    assert_eq!(app.delete("/api/posts/new").await.status, 204);
    let frames = socket.until("post_deleted").await;
    let frames: Vec<_> = frames.iter().filter(|frame| frame["type"] != "metrics_update").collect();
    assert_eq!(frames, [&json!({"type": "post_deleted", "data": {"post_id": "new"}})]);
}

async fn filters_select_posts(setup: Setup) {
    let app = TestApp::start(setup).await;
    let mut socket = Socket::open(&app).await;
    socket
        .send_text(r#"{"type": "subscribe", "filters": {"source": ["web", "forum"], "sentiment": "positive"}}"#)
        .await;
    assert_eq!(
        socket.next("subscribed").await["filters"],
        json!({"topic": [], "source": ["web", "forum"], "sentiment": ["positive"], "emotion": []})
    );
    // Every client receives a deletion after all posts that were published before the deletion.
    let mut unfiltered = Socket::open(&app).await;
    let mut arrived = async |socket: &mut Socket, last: &str| {
        for _ in 0..4 {
            unfiltered.next("post").await;
        }
        assert_eq!(app.delete(&format!("/api/posts/{last}")).await.status, 204);
        let frames = socket.until("post_deleted").await.into_iter().filter(|frame| frame["type"] == "post");
        let mut ids: Vec<_> =
            frames.map(|frame| frame["data"]["post_id"].as_str().expect("an id").to_owned()).collect();
        ids.sort();
        ids
    };
    let batch = |n: u32| {
        [
            post(&format!("web+{n}"), "web", "I love it", 0),
            post(&format!("web-{n}"), "web", "I hate it", 0),
            post(&format!("forum+{n}"), "forum", "I love it", 0),
            post(&format!("blog+{n}"), "blog", "I love it", 0),
        ]
    };
    app.store(&batch(1)).await;
    assert_eq!(arrived(&mut socket, "blog+1").await, ["forum+1", "web+1"]);
    socket.send_text(r#"{"type": "subscribe", "filters": {"emotion": "anger"}}"#).await;
    socket.next("subscribed").await;
    app.store(&batch(2)).await;
    assert_eq!(arrived(&mut socket, "blog+2").await, ["web-2"]);
    socket.send_text(r#"{"type": "subscribe"}"#).await;
    socket.next("subscribed").await;
    app.store(&batch(3)).await;
    assert_eq!(arrived(&mut socket, "blog+3").await.len(), 4);
}

async fn app(change: impl FnOnce(&mut HttpOptions)) -> TestApp {
    TestApp::with(Setup::Embedded, Duration::from_millis(1), change).await
}

#[tokio::test]
async fn unknown_message_gets_error() {
    let app = app(|_| {}).await;
    let mut socket = Socket::open(&app).await;
    for text in [
        "",
        "hello",
        "[]",
        "{}",
        r#"{"type": "unsubscribe"}"#,
        r#"{"type": "subscribe", "filters": {"emotion": "glee"}}"#,
    ] {
        socket.send_text(text).await;
        assert!(socket.next("error").await["message"].as_str().is_some_and(|text| !text.is_empty()), "{text}");
    }
    socket.0.send(Message::binary(vec![1, 2, 3])).await.expect("the server reads");
    socket.next("error").await;
    // The connection still works, and the server answers protocol pings.
    socket.0.send(Message::Ping(vec![7].into())).await.expect("the server reads");
    let pong = async {
        while !matches!(socket.0.next().await, Some(Ok(Message::Pong(payload))) if payload.as_ref() == [7]) {}
    };
    tokio::time::timeout(super::test_app::DEADLINE, pong).await.expect("a pong");
    socket.until_pong().await;
    // A frame above the limit closes the connection.
    socket.send_text("x".repeat(70_000)).await;
    loop {
        match socket.receive().await {
            SocketEvent::Frame(_) => {}
            SocketEvent::Closed(code) => break assert!([1002, 1009].contains(&code), "{code}"),
            SocketEvent::Cut => break,
        }
    }
}

#[tokio::test]
async fn counts_are_sent_periodically_and_silent_clients_closed() {
    let app = app(|options| {
        options.live.metrics_interval = Duration::from_millis(50);
        options.live.ping_interval = Duration::from_millis(50);
        options.live.silence_limit = Duration::from_secs(4);
    })
    .await;
    let mut socket = Socket::open(&app).await;
    // The client's library answers pings while the client reads, which keeps the connection open.
    let since = std::time::Instant::now();
    let mut counts = 0;
    while since.elapsed() < Duration::from_secs(5) {
        socket.next("metrics_update").await;
        counts += 1;
    }
    assert!(counts >= 4, "{counts}");
    assert_eq!(app.get("/api/system").await.ok()["live"]["clients"], 1);
    // This client does not read, so it does not answer pings.
    app.eventually("the silent client is disconnected", async || {
        (app.get("/api/system").await.ok()["live"]["clients"] == 0).then_some(())
    })
    .await;
}

fn event(n: usize, size: usize) -> LiveEvent {
    let event = json!({
        "post_id": format!("p{n}"), "content": "x".repeat(size), "source": "web", "author": null,
        "sentiment_label": "neutral", "confidence_score": 0.5, "emotion": "neutral",
        "created_at": START, "ingested_at": START, "timestamp": START,
    });
    LiveEvent::Post(serde_json::from_value::<PostEvent>(event).expect("an event"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_client_gets_lagged_message_and_delays_no_others() {
    let app = app(|options| {
        options.live.buffer = 8;
        options.live.slow_limit = Duration::from_secs(600);
    })
    .await;
    let mut quick = Socket::open(&app).await;
    let mut slow = Socket::open(&app).await;
    slow.next("metrics_update").await;
    quick.next("metrics_update").await;
    let mut sent = 0;
    // The client does not read, so the buffers of the kernel and the server become full.
    for _ in 0..400 {
        app.services.live.publish(vec![event(sent, 50_000)]).await.expect("the bus");
        let frame = quick.next("post").await;
        assert_eq!(frame["data"]["post_id"], format!("p{sent}"), "the fast client receives every post");
        sent += 1;
    }
    let (mut received, mut missed) = (0, 0);
    while received + missed < sent {
        let SocketEvent::Frame(frame) = slow.receive().await else {
            panic!("closed after {received} received and {missed} missed posts")
        };
        match frame["type"].as_str() {
            Some("post") => received += 1,
            Some("lagged") => missed += frame["missed"].as_u64().expect("a number") as usize,
            _ => {}
        }
    }
    assert!(missed > 0 && received > 8, "{received} were received, {missed} were missed");
    app.services.live.publish(vec![event(sent, 10)]).await.expect("the bus");
    assert_eq!(slow.next("post").await["data"]["post_id"], format!("p{sent}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_stays_slow_is_closed() {
    let app = app(|options| {
        options.live.buffer = 4;
        options.live.slow_limit = Duration::from_millis(200);
    })
    .await;
    let mut slow = Socket::open(&app).await;
    slow.next("metrics_update").await;
    let mut n = 0;
    app.eventually("the slow client is disconnected", async || {
        n += 1;
        app.services.live.publish(vec![event(n, 100_000)]).await.expect("the bus");
        (app.get("/api/system").await.ok()["live"]["clients"] == 0).then_some(())
    })
    .await;
    // The close frame may follow all unread data, because the server does not wait until the client reads it.
    let end = loop {
        match slow.receive().await {
            SocketEvent::Frame(_) => {}
            end => break end,
        }
    };
    assert!(matches!(end, SocketEvent::Closed(1013) | SocketEvent::Cut), "{end:?}");
}

#[tokio::test]
async fn foreign_origin_and_missing_token_are_refused() {
    let open = app(|options| options.live.max_clients = 2).await;
    open.get("/ws/sentiment").await.problem(400);
    open.get("/ws/sentiment?token=x").await.problem(422);
    let own = open.url.clone();
    for (origin, expected) in [
        ("https://evil.example", Err(403)),
        ("null", Err(403)),
        ("http://localhost:3000", Ok(())),
        (own.as_str(), Ok(())),
    ] {
        let opened = Socket::try_open(request(&open, &[("origin", origin)])).await;
        assert_eq!(opened.map(|_| ()), expected, "{origin}");
    }
    let room = async || Socket::try_open(request(&open, &[])).await.ok();
    let kept = (
        open.eventually("one connection is allowed", room).await,
        open.eventually("a second connection is allowed", room).await,
    );
    assert_eq!(Socket::try_open(request(&open, &[])).await.err(), Some(503), "a third connection is refused");
    drop(kept);

    let guarded = app(|options| {
        let scopes = vec![Scope::Read];
        let token = StaticToken { name: "page".to_owned(), sha256: hash("secret.token"), scopes };
        options.auth = Some(AuthOptions { tokens: vec![token], jwt: None });
    })
    .await;
    let offer = |protocols: &'static str| request(&guarded, &[("sec-websocket-protocol", protocols)]);
    let status = async |protocols| Socket::try_open(offer(protocols)).await.map(|_| ()).err();
    assert_eq!(Socket::try_open(request(&guarded, &[])).await.err(), Some(401));
    assert_eq!(status("sentistream, bearer.wrong").await, Some(401));
    let (_, response) = Socket::try_open(offer("sentistream, bearer.secret.token")).await.expect("a handshake");
    assert_eq!(response.headers()["sec-websocket-protocol"], "sentistream", "the token is not echoed");
    let by_header = request(&guarded, &[("authorization", "Bearer secret.token")]);
    assert!(Socket::try_open(by_header).await.is_ok());
}

#[tokio::test]
async fn shutdown_closes_clients_with_1001() {
    let mut app = app(|_| {}).await;
    let mut sockets = [Socket::open(&app).await, Socket::open(&app).await];
    for socket in &mut sockets {
        socket.next("connected").await;
    }
    let watch = async {
        let mut ends = Vec::new();
        for socket in &mut sockets {
            loop {
                match socket.receive().await {
                    SocketEvent::Frame(_) => {}
                    end => break ends.push(end),
                }
            }
        }
        ends
    };
    let (ends, ()) = tokio::join!(watch, app.stop());
    assert_eq!(ends, [SocketEvent::Closed(1001), SocketEvent::Closed(1001)]);
}

#[tokio::test]
async fn alerts_reach_clients_regardless_of_filters() {
    let app = app(|_| {}).await;
    let mut socket = Socket::open(&app).await;
    socket.send_text(r#"{"type": "subscribe", "filters": {"source": "nowhere"}}"#).await;
    socket.next("subscribed").await;
    let alert: Value = json!({
        "id": 7, "alert_type": "negative_share", "scope": "all", "state": "firing", "threshold_value": 0.5,
        "actual_value": 0.7, "window_start": START, "window_end": START, "post_count": 12, "triggered_at": START,
        "resolved_at": null, "details": {"negative": 9},
    });
    let event = LiveEvent::Alert(serde_json::from_value(alert).expect("an alert"));
    app.services.live.publish(vec![event]).await.expect("the bus");
    let frame = socket.next("alert").await;
    assert_eq!((&frame["data"]["id"], &frame["data"]["window_end"]), (&json!(7), &json!("2026-03-01T12:30:00.000Z")));
}
