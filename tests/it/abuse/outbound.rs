//! Sources with addresses inside the internal network.

use tokio::net::TcpListener;

use crate::process::Process;

/// Starts a server that reads `source` with these settings, and waits for the error of the source. Checks that no
/// connection to `listener` was opened.
async fn is_refused(source: &str, settings: &[String], listener: TcpListener) {
    let folder = tempfile::tempdir().unwrap();
    let all = [settings, &[format!("ingester.sources=[\"{source}\"]")]].concat();
    let process = Process::start(folder.path(), &all).await;
    process
        .wait_until("the source reports its error", |health| {
            health["problems"].to_string().contains("127.0.0.1 is not public")
        })
        .await;
    process.kill().await;
    let connected = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
    assert!(connected.is_err(), "{source} connected to loopback");
}

#[tokio::test(flavor = "multi_thread")]
async fn bluesky_socket_does_not_reach_private_addresses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    is_refused("bluesky", &[format!("sources.bluesky.hosts=[\"ws://127.0.0.1:{port}/subscribe\"]")], listener).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mastodon_socket_does_not_reach_private_addresses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    is_refused("mastodon", &[format!("sources.mastodon.instances=[\"127.0.0.1:{port}\"]")], listener).await;
}
