//! Tests of traces: a fake collector receives the spans of a post from several processes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::api::socket::Socket;
use crate::process::{DEADLINE, Process, posts};
use crate::services::Shared;

/// A fake collector that stores the spans that it receives.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

impl Collector {
    /// Starts to listen and returns the base URL.
    fn listen(&self) -> String {
        let spans = self.clone();
        let server = HttpServer::new(move || {
            App::new().app_data(web::Data::new(spans.clone())).route("/v1/traces", web::post().to(take))
        });
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}", server.addrs()[0]);
        tokio::spawn(server.run());
        url
    }

    /// Waits for `count` spans.
    async fn spans(&self, count: usize) -> Vec<Span> {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        let mut poll = tokio::time::interval(Duration::from_millis(50));
        loop {
            poll.tick().await;
            let spans = self.0.lock().expect("no test panicked").clone();
            if spans.len() >= count {
                return spans;
            }
            let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
            assert!(tokio::time::Instant::now() < deadline, "{count} spans were not received in time: {names:?}");
        }
    }
}

async fn take(spans: web::Data<Collector>, body: web::Bytes) -> HttpResponse {
    let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
    let sent = request.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans);
    spans.0.lock().expect("no test panicked").extend(sent);
    HttpResponse::Ok().finish()
}

#[tokio::test]
async fn one_trace_covers_a_post_from_append_to_live_feed() {
    let collector = Collector::default();
    let url = collector.listen();
    let shared = Shared::create().await;
    let mut settings = shared.settings();
    settings.extend([format!("tracing.otlp_endpoint={url}"), "tracing.sample_ratio=0".to_owned()]);
    let with_roles = |roles: &str| [settings.clone(), vec![format!("roles={roles}")]].concat();
    let folder = tempfile::tempdir().unwrap();
    let api = Process::start(folder.path(), &with_roles(r#"["api"]"#)).await;
    let worker = Process::start(folder.path(), &with_roles(r#"["worker"]"#)).await;

    // The sample ratio is 0, so only requests with a trace header are traced. Posts are appended until the API
    // broadcasts one, because posts that are stored before it subscribes are not broadcast.
    let (posts, mut live, mut sent) = (posts(100), Socket::at(&api.url).await, 0);
    loop {
        api.append(&posts[sent..=sent]).await;
        sent += 1;
        if tokio::time::timeout(Duration::from_secs(1), live.next("post")).await.is_ok() {
            break;
        }
    }
    let post = serde_json::json!({"post_id": "traced", "source": "web", "content": "What a day"});
    let request = crate::web::client()
        .post(format!("{}/api/posts", api.url))
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .json(&post);
    assert_eq!(request.send().await.unwrap().status(), 202);
    while live.next("post").await["data"]["post_id"] != "traced" {}
    api.drained(sent + 1).await;
    // A shutdown sends the remaining spans.
    assert!(worker.terminate().await.success());
    assert!(api.terminate().await.success());

    let spans = collector.spans(6).await;
    let names: BTreeSet<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["append", "process", "inference", "commit", "publish", "deliver"]));
    assert_eq!(spans.len(), 6, "only the post with a sampled trace header is traced");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let by_name: HashMap<&str, &Span> = spans.iter().map(|span| (span.name.as_str(), span)).collect();
    for span in &spans {
        assert_eq!(hex(&span.trace_id), "0af7651916cd43dd8448eb211c80319c", "{}", span.name);
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{}", span.name);
    }
    let parent = |name: &str| hex(&by_name[name].parent_span_id);
    assert_eq!(parent("append"), "b7ad6b7169203331");
    assert_eq!(parent("process"), hex(&by_name["append"].span_id));
    for below in ["inference", "commit", "publish", "deliver"] {
        assert_eq!(parent(below), hex(&by_name["process"].span_id), "{below}");
    }
}

#[tokio::test]
async fn unavailable_collector_does_not_delay_posts() {
    let folder = tempfile::tempdir().unwrap();
    // No collector listens on this port.
    let settings = ["tracing.otlp_endpoint=http://127.0.0.1:9", "tracing.sample_ratio=1", "ingester.sources=[]"];
    let process = Process::start(folder.path(), &settings.map(str::to_owned)).await;
    process.append(&posts(20)).await;
    process.drained(20).await;
    assert!(process.terminate().await.success());
}
