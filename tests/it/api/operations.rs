//! Health, metrics, the system page, the OpenAPI document and its page, and the separate port for probes and metrics.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use reqwest::Method;
use sentistream::http::audit::{self, Archive};
use sentistream::http::{ComponentState, HttpOptions, routes, serve_ops};
use sentistream::lifecycle::Shutdown;
use sentistream::store::security::SecurityEvent;
use sentistream::telemetry::Metrics;
use serde_json::{Value, json};

use super::test_app::{DEADLINE, Setup, TestApp, balances, cases, post, unavailable_services};

cases![health_reports_services_and_stats, system_lists_backends_throughput_and_consumers];

async fn health_reports_services_and_stats(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.store(&[post("a", "web", "x", 0), post("a", "web", "x", 0), post("b", "web", "explode", 0)]).await;
    let health = app.get("/api/health").await.ok();
    assert_eq!(health["status"], "healthy");
    let redis = if setup == Setup::Embedded { "embedded" } else { "connected" };
    assert_eq!(health["services"], json!({"database": "connected", "redis": redis, "model": "connected"}));
    let stats = &health["stats"];
    for (name, expected) in [
        ("total_posts", 1),
        ("total_analyses", 1),
        ("recent_posts_1h", 1),
        ("pending", 0),
        ("dead_letters", 1),
        ("processed", 2),
        ("failed", 1),
    ] {
        assert_eq!(stats[name], expected, "{name} in {health:#}");
    }
    assert!(balances(&health));
    assert_eq!(
        (&health["version"], &health["timestamp"]),
        (&json!(env!("CARGO_PKG_VERSION")), &json!("2026-03-01T12:30:00.000Z"))
    );
    assert_eq!(app.get("/readyz").await.ok(), json!({"ready": true, "reasons": []}));
    assert_eq!(app.get("/healthz").await.text(), "ok\n");
    assert_eq!(app.get("/api/health?x=1").await.status, 200);
}

async fn system_lists_backends_throughput_and_consumers(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.store(&[post("a", "web", "x", 0)]).await;
    let system = app.get("/api/system").await.ok();
    let (database, stream) = if setup == Setup::Embedded { ("sqlite", "embedded") } else { ("postgres", "redis") };
    assert_eq!(system["database"], json!({"kind": database, "state": "connected"}));
    assert_eq!((&system["stream"]["kind"], &system["stream"]["appended"]), (&json!(stream), &json!(1)));
    assert_eq!((&system["stream"]["lag"]["pending"], &system["stream"]["dead_letters"]), (&json!(0), &json!(0)));
    assert_eq!(
        (&system["model"]["state"], &system["model"]["info"]["name"]),
        (&json!("connected"), &json!("by-words"))
    );
    assert_eq!(system["throughput"]["out_per_second"], json!(0.017));
    assert_eq!(system["cache"]["enabled"], true);
    assert_eq!(system["versions"]["sentistream"], env!("CARGO_PKG_VERSION"));
    let consumers = system["consumers"].as_array().expect("consumers");
    assert!(consumers.iter().any(|c| c["name"].as_str().is_some_and(|name| name.starts_with("test"))), "{system:#}");
}

#[tokio::test]
async fn failing_component_degrades_health() {
    let (mut services, folder) = unavailable_services().await;
    let whole = TestApp::start(Setup::Embedded).await;
    services.store = whole.services.store.clone();
    services.stream = whole.services.stream.clone();
    services.model = whole.services.model.clone();
    services.components = Arc::new(|| {
        let detail = Some("certificate expired".to_owned());
        vec![ComponentState { name: "source:bluesky".to_owned(), healthy: false, state: "retrying".to_owned(), detail }]
    });
    let app = TestApp::over(services, folder, |_| {});
    let health = app.get("/api/health").await.ok();
    assert_eq!((&health["status"], &health["services"]["source:bluesky"]), (&json!("degraded"), &json!("retrying")));
    assert_eq!(app.get("/api/system").await.ok()["components"][0]["detail"], "certificate expired");
    assert_eq!(app.get("/readyz").await.status, 200, "the server can still serve requests");
}

#[tokio::test]
async fn metrics_are_served_with_and_without_the_api() {
    let metrics = Metrics::install().expect("no other test installs the metrics recorder");
    let (mut services, folder) = unavailable_services().await;
    services.metrics = Some(metrics);
    let options = HttpOptions { listen: vec![([127, 0, 0, 1], 0).into()], ..HttpOptions::default() };
    let shutdown = Shutdown::default();
    let server = serve_ops(services.clone(), options, shutdown.clone()).expect("the page is served");
    let url = format!("http://{}", server.addresses()[0]);
    let status = async |path: &str| crate::web::get(format!("{url}{path}")).await.expect("an answer").status().as_u16();
    assert_eq!(status("/healthz").await, 200);
    assert_eq!(status("/readyz").await, 503);
    for path in ["/api/health", "/api/posts", "/", "/ws/sentiment"] {
        assert_eq!(status(path).await, 404, "{path}");
    }
    let ops = crate::web::get(format!("{url}/metrics")).await.expect("an answer").text().await.expect("text");
    assert!(ops.contains("sentistream_build_info{"), "{ops}");
    shutdown.stop();
    tokio::time::timeout(DEADLINE, server.finished()).await.expect("the server stops in time").expect("no panic");

    let app = TestApp::over(services, folder, |_| {});
    for id in ["%ff", "%fe"] {
        app.get(&format!("/api/posts/{id}")).await.problem(400);
    }
    let text = app.get("/metrics").await;
    assert_eq!(text.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let counted = r#"sentistream_http_requests_total{method="GET",route="/api/posts/{post_id}",status="400"} "#;
    assert_eq!(text.text().matches(counted).count(), 1, "one series per route, not per path: {}", text.text());
    assert!(!text.text().contains("%ff"), "a path that a client requests never becomes a label");
}

/// Records the counter of audit events that could not be stored.
#[derive(Default)]
struct LostEvents(Arc<AtomicU64>);

impl Recorder for LostEvents {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let is_lost = key.name() == "sentistream_security_events_dropped_total";
        if is_lost { Counter::from_arc(self.0.clone()) } else { Counter::noop() }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test]
async fn audit_events_lost_at_shutdown_are_counted() {
    let lost = LostEvents::default();
    let _recording = metrics::set_default_local_recorder(&lost);
    let (services, _folder) = unavailable_services().await;
    let (queue, events) = tokio::sync::mpsc::channel(8);
    let retention = Duration::from_secs(90 * 86_400);
    let archive = Archive { store: services.store, retention, adjustable: None, clock: services.clock };
    let shutdown = Shutdown::default();
    let stopping = async {
        queue.send(SecurityEvent::default()).await.expect("the queue is open");
        // The whole queue is free once the task has taken the first event. The second event arrives while the
        // task writes the first one.
        drop(queue.reserve_many(8).await.expect("the queue is open"));
        queue.send(SecurityEvent::default()).await.expect("the queue is open");
        shutdown.stop();
    };
    tokio::join!(audit::store(events, archive, shutdown.clone()), stopping);
    assert_eq!(lost.0.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn openapi_describes_every_route_and_docs_work_offline() {
    let app = TestApp::start(Setup::Embedded).await;
    let document = app.get("/api/openapi.json").await.ok();
    assert_eq!(document["openapi"].as_str().and_then(|version| version.get(..3)), Some("3.1"));
    let paths = document["paths"].as_object().expect("paths");
    let operations: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("an item").keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    assert!(operations.len() >= 64, "{operations:#?}");
    // Each operation has a route: the header `Allow` lists the methods of a path.
    for operation in &operations {
        let (method, path) = operation.split_once(' ').expect("METHOD /path");
        let path = path.split('/').map(|segment| if segment.starts_with('{') { "1" } else { segment });
        let path = path.collect::<Vec<_>>().join("/");
        let answer = app.send(app.request(Method::PATCH, &path)).await;
        assert_eq!(answer.status, 405, "{operation}");
        assert!(answer.header("allow").split(", ").any(|allowed| allowed == method), "{operation}");
    }
    let described = || paths.values().flat_map(|item| item.as_object().expect("an item").values());
    let names: BTreeSet<&str> = described().map(|o| o["operationId"].as_str().expect("an id")).collect();
    assert_eq!(names.len(), described().count(), "each operation has a unique id");
    for parameter in described().filter_map(|operation| operation["parameters"].as_array()).flatten() {
        let default = &parameter["schema"]["default"];
        assert!(default.is_null() || parameter["required"] == false, "{parameter} is optional");
    }
    // Every reference in the document has a target.
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().expect("a name");
        assert!(document["components"]["schemas"].get(name).is_some(), "{name} is not defined");
    }
    let page = app.get("/api/docs").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(
        !page.text().contains("http://") && !page.text().contains("https://"),
        "the page loads nothing from other hosts"
    );
    assert!(
        !page.text().contains("<style") && !page.text().contains("<script>"),
        "the page has no inline styles and no inline scripts"
    );
    assert_eq!(app.get("/api/docs/docs.js").await.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(app.get("/api/docs/docs.css").await.header("content-type"), "text/css; charset=utf-8");
}

#[test]
fn openapi_lists_statuses_of_refused_requests() {
    let document: Value = serde_json::from_str(&routes::openapi_json()).expect("JSON");
    let expected: [(&str, &str, &[&str]); 11] = [
        ("post", "/api/posts", &["408", "429"]),
        ("post", "/api/hooks/{name}", &["408", "429"]),
        ("get", "/ws/sentiment", &["400", "401", "403", "422", "503"]),
        ("post", "/api/invitation", &["401", "403"]),
        ("post", "/api/sources", &["409"]),
        ("post", "/api/alerts/receivers", &["409"]),
        ("post", "/api/alerts/routes", &["409"]),
        ("post", "/api/alerts/mute-timings", &["409"]),
        ("post", "/api/alerts/inhibit-rules", &["409"]),
        ("post", "/api/alerts/silences", &["409"]),
        ("post", "/api/v2/silences", &["409"]),
    ];
    for (method, path, statuses) in expected {
        let responses = document["paths"][path][method]["responses"].as_object().expect("responses");
        let missing: Vec<_> = statuses.iter().filter(|status| !responses.contains_key(**status)).collect();
        assert!(missing.is_empty(), "{method} {path} lacks {missing:?}");
    }
}

/// The OpenAPI document is committed, so that changes are visible in reviews and clients can be generated from the
/// file.
#[test]
fn committed_openapi_is_current() {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/dashboard/openapi.json");
    let committed = std::fs::read_to_string(committed).expect("dashboard/openapi.json");
    let committed: Value = serde_json::from_str(&committed).expect("JSON");
    let current: Value = serde_json::from_str(&routes::openapi_json()).expect("JSON");
    assert!(committed == current, "dashboard/openapi.json is not current: write it with `sentistream openapi`");
}

#[tokio::test]
async fn shutdown_finishes_requests() {
    let mut app = TestApp::start(Setup::Embedded).await;
    // An open keep-alive connection must not delay the shutdown.
    assert_eq!(app.get("/api/stats").await.status, 200);
    app.stop().await;
    assert!(crate::web::get(format!("{}/healthz", app.url)).await.is_err(), "the listener is closed");
}
