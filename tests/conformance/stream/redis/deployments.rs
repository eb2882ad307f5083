//! Cases of Redis Cluster, Sentinel and TLS.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sentistream::clock::Clock;
use sentistream::domain::{DeadLetterReason, LiveEvent, PostId, Timestamp};
use sentistream::live::{Channels, LiveBus, LiveMessage, Received, RedisBus};
use sentistream::redis::{Redis, RedisError, RedisOptions};
use sentistream::stream::{
    DeadLetterRequest, DeadLetterSelection, RedisStream, Release, Stream, StreamError, StreamOptions,
};

use crate::ports::free_port;
use crate::stream::fixture::{DEADLINE, Fixture, connect, consumer, eventually, ids, keys, posts, rescue};
use crate::stream::server::{Outsider, OwnRedis};

const NO_WAIT: Duration = Duration::ZERO;

/// Makes every kind of call on the stream once.
async fn make_every_call(stream: &Stream) {
    let me = consumer("me");
    stream.append(posts(0..5)).await.unwrap();
    let claimed = stream.claim(&me, 4, Duration::from_secs(1)).await.unwrap();
    assert_eq!(ids(&claimed), ["p0", "p1", "p2", "p3"]);
    stream.renew(&me, &keys(&claimed)).await.unwrap();
    stream.ack(&me, &keys(&claimed[..1])).await.unwrap();
    let request =
        DeadLetterRequest { entry: claimed[1].clone(), reason: DeadLetterReason::Invalid, error: "no".to_owned() };
    assert!(stream.dead_letter(request, Timestamp::EPOCH).await.unwrap());
    stream.release(&me, &keys(&claimed[2..]), Release::Untried).await.unwrap();
    let rescued = rescue(stream, &me, 2).await;
    stream.ack(&me, &keys(&rescued)).await.unwrap();
    assert_eq!(stream.replay_dead_letters(&DeadLetterSelection::All).await.unwrap(), 1);
    let rest = stream.claim(&me, 10, NO_WAIT).await.unwrap();
    assert_eq!(ids(&rest), ["p4", "p1"]);
    stream.ack(&me, &keys(&rest)).await.unwrap();
    stream.publish_processed(posts(0..3)).await.unwrap();
    let gone = [PostId::parse("p1").unwrap()];
    stream.forget_posts(&gone, &gone).await.unwrap();
    stream.trim().await.unwrap();
    stream.forget_consumers(DEADLINE).await.unwrap();
    assert_eq!(stream.consumers().await.unwrap().len(), 1);
    let depth = stream.depth().await.unwrap();
    assert_eq!((depth.appended, depth.pending(), depth.dead_lettered, depth.dead_letters), (6, 0, 1, 0));
    stream.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_requires_names_with_one_hash_tag() {
    let bus = free_port().to_string();
    let server = OwnRedis::start_with(&[
        "--cluster-enabled",
        "yes",
        "--cluster-announce-ip",
        "127.0.0.1",
        "--cluster-port",
        &bus,
    ]);
    let outsider = Outsider::at(&server.url()).await;
    let _: String = outsider.run("CLUSTER", &[b"ADDSLOTSRANGE", b"0", b"16383"]).await;
    let url = format!("redis-cluster://127.0.0.1:{}", server.port);
    eventually("the cluster is ready", || async {
        outsider.run::<String>("CLUSTER", &[b"INFO"]).await.contains("cluster_state:ok").then_some(())
    })
    .await;

    let redis = connect(&url, Duration::from_secs(5));
    let untagged = Fixture::redis_at(&url).options;
    let options = StreamOptions {
        name: format!("{{tag}}{}", untagged.name),
        dead_letter: format!("{{tag}}{}", untagged.dead_letter),
        ..untagged.clone()
    };
    match RedisStream::connect(redis.clone(), untagged) {
        Err(StreamError::Failed(message)) => assert!(message.contains("hash tag"), "{message}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("names on different nodes were accepted"),
    }
    let stream = Stream::Redis(RedisStream::connect(redis.clone(), options).unwrap());
    eventually("the cluster answers", || async { stream.depth().await.ok() }).await;
    make_every_call(&stream).await;

    let bus =
        LiveBus::Redis(RedisBus::new(redis.clone(), Channels { updates: "u".to_owned(), events: "e".to_owned() }));
    let mut subscription = bus.subscribe();
    let event = LiveEvent::PostDeleted(PostId::parse("x").unwrap());
    let heard = loop {
        // The event is published again until the subscription is active and receives it.
        bus.publish(vec![event.clone()]).await.unwrap();
        if let Ok(heard) = tokio::time::timeout(Duration::from_millis(50), subscription.recv()).await {
            break heard;
        }
    };
    assert!(matches!(heard, Some(Received::Message(LiveMessage::Event { .. }))), "{heard:?}");
    let cache = sentistream::cache::RedisCache::new(redis, "cache", DEADLINE, Clock::system());
    let cache = sentistream::cache::Cache::Redis(cache);
    let ask = || cache.get_or_compute("a", async { Ok::<_, std::convert::Infallible>("1".to_owned()) });
    eventually("the answer is cached", || async { ask().await.unwrap().hit.then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_follows_a_failover_to_the_new_master() {
    let mut master = OwnRedis::start();
    let replica = OwnRedis::start_with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    let port = free_port();
    let config = master.folder.path().join("sentinel.conf");
    let text = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor main 127.0.0.1 {} 1\n\
         sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n",
        master.folder.path().display(),
        master.port
    );
    std::fs::write(&config, text).unwrap();
    let mut sentinel = Command::new("redis-server")
        .arg(&config)
        .arg("--sentinel")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();

    let fixture = Fixture::redis_at(&format!("redis-sentinel://127.0.0.1:{port}?sentinelServiceName=main"));
    let mut options = fixture.options.clone();
    options.command_timeout = Duration::from_secs(3);
    let url = format!("redis-sentinel://127.0.0.1:{port}?sentinelServiceName=main");
    let stream = Stream::Redis(RedisStream::connect(connect(&url, options.command_timeout), options).unwrap());
    eventually("the master is found", || async { stream.ping().await.ok() }).await;
    stream.append(posts(0..3)).await.unwrap();
    let me = consumer("me");
    let held = stream.claim(&me, 1, NO_WAIT).await.unwrap();
    let before = stream.depth().await.unwrap();
    let outsider = Outsider::at(&replica.url()).await;
    let offset = |info: &str| info.lines().any(|line| line.trim() == "master_link_status:up");
    eventually("the replica has all data", || async {
        let same: i64 = outsider.run("XLEN", &[fixture.options.name.as_bytes()]).await;
        (same == 3 && offset(&outsider.run::<String>("INFO", &[b"replication"]).await)).then_some(())
    })
    .await;
    eventually("the sentinel knows the replica", || async {
        let sentinel = Outsider::at(&format!("redis://127.0.0.1:{port}")).await;
        let replicas: Vec<fred::types::Value> = sentinel.run("SENTINEL", &[b"REPLICAS", b"main"]).await;
        (!replicas.is_empty()).then_some(())
    })
    .await;
    master.kill();

    let after = eventually("the new master answers", || async { stream.depth().await.ok() }).await;
    assert_eq!((&after.epoch, after.appended, after.pending()), (&before.epoch, 3, 3));
    eventually("the new master accepts writes", || async { stream.append(posts(3..4)).await.ok() }).await;
    let mut entries = stream.claim(&me, 10, NO_WAIT).await.unwrap();
    entries.extend(held);
    entries.sort_by_key(|entry| entry.key.id);
    entries.dedup_by(|a, b| a.key == b.key);
    // An append was retried if its answer was lost, which may have added a duplicate.
    let mut ids = ids(&entries);
    ids.dedup();
    assert_eq!(ids, ["p0", "p1", "p2", "p3"]);
    sentinel.kill().unwrap();
    sentinel.wait().unwrap();
}

fn openssl(folder: &Path, args: &str) {
    let done = Command::new("openssl").current_dir(folder).args(args.split(' ')).output().expect("openssl is needed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_certificate_is_checked_against_the_configured_ca() {
    let files = tempfile::tempdir().unwrap();
    let folder = files.path();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(folder, &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=test-authority"));
    openssl(folder, &format!("req -x509 {key} -keyout other.key -out other.pem -days 2 -subj /CN=other-authority"));
    openssl(folder, &format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names",
    );
    let port = free_port().to_string();
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let _server = OwnRedis::start_with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &file("server.pem"),
        "--tls-key-file",
        &file("server.key"),
        "--tls-ca-cert-file",
        &file("ca.pem"),
        "--tls-auth-clients",
        "no",
    ]);
    let redis = |ca: &str, command_timeout| {
        let url = format!("rediss://localhost:{port}").into();
        Redis::connect(&RedisOptions { url, ca_file: Some(folder.join(ca)), command_timeout })
    };
    let options = Fixture::redis_at("").options;
    let trusted = Stream::Redis(RedisStream::connect(redis("ca.pem", DEADLINE).unwrap(), options.clone()).unwrap());
    make_every_call(&trusted).await;
    let stranger = redis("other.pem", Duration::from_secs(2)).unwrap();
    let stranger = Stream::Redis(RedisStream::connect(stranger, options).unwrap());
    eventually("the error names a reason", || async {
        match stranger.ping().await.unwrap_err() {
            StreamError::Unavailable(message) => message.to_lowercase().contains("certificate").then_some(()),
            other => panic!("{other}"),
        }
    })
    .await;
    assert!(matches!(redis("missing.pem", DEADLINE), Err(RedisError::Config(_))));
}

#[tokio::test]
async fn invalid_url_error_has_a_reason_and_no_password() {
    for url in [
        "http://user:secret@host",
        "secret",
        "redis://:secret@",
        "redis-sentinel://:secret@host",
        "redis://:secret@h:x",
    ] {
        let options = RedisOptions { url: url.to_owned().into(), ca_file: None, command_timeout: DEADLINE };
        let Err(RedisError::Config(message)) = Redis::connect(&options) else { panic!("{url} was accepted") };
        assert!(message.contains("expected SCHEME://") && !message.contains("secret"), "{message}");
    }
}
