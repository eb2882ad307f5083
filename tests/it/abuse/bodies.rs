//! Bodies that expand: compressed bodies, and JSON that needs more memory than its size.

use std::io::Write;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::api::test_app::{Setup, TestApp};
use crate::process::Process;

const MIB: usize = 1024 * 1024;
/// The maximum memory that malicious bodies may add, in MiB.
const MAX_GROWTH_MIB: u64 = 150;

fn gzip(bytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    write_zeros(&mut encoder, bytes);
    encoder.finish().unwrap()
}

fn deflate(bytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    write_zeros(&mut encoder, bytes);
    encoder.finish().unwrap()
}

fn brotli(bytes: usize) -> Vec<u8> {
    let mut bomb = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut bomb, 4096, 5, 22);
    write_zeros(&mut encoder, bytes);
    drop(encoder);
    bomb
}

fn write_zeros(writer: &mut impl Write, bytes: usize) {
    let zeros = vec![b' '; MIB];
    (0..bytes / MIB).for_each(|_| writer.write_all(&zeros).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn decompression_bomb_is_refused_within_memory_limit() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["ingester.sources=[]".to_owned()]).await;
    process.get("/api/stats").await;
    let before = process.peak_memory_mib();
    let bombs = [("gzip", gzip(512 * MIB)), ("deflate", deflate(512 * MIB)), ("br", brotli(512 * MIB))];
    let client = crate::web::client();
    for _ in 0..super::scale() {
        let sends = bombs.iter().cycle().take(12).map(|(encoding, bomb)| {
            let request = client
                .post(format!("{}/api/analyze", process.url))
                .header("content-type", "application/json")
                .header("content-encoding", *encoding)
                .body(bomb.clone());
            async move { request.send().await.unwrap().status().as_u16() }
        });
        let probe = async {
            let start = Instant::now();
            assert_eq!(crate::web::get(format!("{}/healthz", process.url)).await.unwrap().status(), 200);
            start.elapsed()
        };
        let (statuses, probed) = tokio::join!(futures_util::future::join_all(sends), probe);
        assert!(statuses.iter().all(|status| [413, 503].contains(status)), "{statuses:?}");
        assert!(statuses.contains(&413), "{statuses:?}");
        assert!(probed < Duration::from_secs(10), "{probed:?}");
    }
    let growth = process.peak_memory_mib() - before;
    assert!(growth < MAX_GROWTH_MIB, "{growth} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_with_many_values_is_refused_within_memory_limit() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["ingester.sources=[]".to_owned()]).await;
    process.get("/api/stats").await;
    let before = process.peak_memory_mib();
    let many = |prefix: &str, value: &str, suffix: &str| {
        format!("{prefix}{}{value}{suffix}", format!("{value},").repeat(3 * MIB / (value.len() + 1)))
    };
    let bodies = [
        ("/api/analyze", many("{\"texts\": [", "{\"\":0}", "]}"), 413),
        ("/api/analyze", many("{\"texts\": [", "\"\"", "]}"), 413),
        ("/api/dead-letters/purge", many("{\"ids\": [", "\"\"", "]}"), 413),
        ("/api/alerts/routes/preview", many("{\"labels\": {", "\"\":\"\"", "}}"), 413),
        ("/api/posts", many("[", "{\"\":0}", "]"), 413),
        ("/api/posts", many("[", "[]", "]"), 413),
        ("/api/posts", many("{", "\"x\":[]", "}"), 422),
        ("/api/posts", "[".repeat(3 * MIB), 400),
    ];
    let client = crate::web::client();
    let sends = bodies.iter().map(|(path, body, expected)| {
        let request = client.post(format!("{}{path}", process.url)).header("content-type", "application/json");
        async move {
            let status = request.body(body.clone()).send().await.unwrap().status().as_u16();
            // The server refuses every body of a client with 503 while the client uses more than its share of memory.
            assert!([*expected, 503].contains(&status), "{path}: {status}, not {expected}: {}", &body[..30]);
        }
    });
    futures_util::future::join_all(sends).await;
    let growth = process.peak_memory_mib() - before;
    assert!(growth < MAX_GROWTH_MIB, "{growth} MiB");
}

#[tokio::test]
async fn echo_of_unknown_parameters_is_bounded() {
    let app = TestApp::start(Setup::Embedded).await;
    let query: Vec<_> = (0..1_500).map(|n| format!("parameter-with-a-name-{n}=x")).collect();
    let answer = app.get(&format!("/api/stats?{}", query.join("&"))).await;
    assert_eq!(answer.status, 422);
    assert!(answer.body.len() < 4_096, "{} bytes", answer.body.len());
    let long = app.get(&format!("/api/stats?{}=1", "x".repeat(20_000))).await;
    assert!(long.status == 422 && long.body.len() < 4_096, "{} bytes", long.body.len());
    let field = json!({"x".repeat(100_000): 1}).to_string();
    let body = app.request(Method::POST, "/api/analyze").header("content-type", "application/json").body(field);
    let body = app.send(body).await;
    assert!(body.status == 422 && body.body.len() < 4_096, "{} bytes", body.body.len());
}
