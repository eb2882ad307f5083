//! Cases in which Redis loses the stream, its consumer group or its outcome counters, partly or completely. When the
//! stream is lost or replaced, a new epoch with new counts begins.

use std::time::Duration;

use sentistream::domain::{DeadLetterReason, Timestamp};
use sentistream::stream::{Consumer, DeadLetterRequest, Depth, Entry, Release, Stream};

use crate::stream::fixture::{DEADLINE, Fixture, consumer, eventually, ids, keys, post, posts, rescue};
use crate::stream::server::{Outsider, OwnRedis};

const NO_WAIT: Duration = Duration::ZERO;

struct Scene {
    server: OwnRedis,
    fixture: Fixture,
    stream: Stream,
    me: Consumer,
}

impl Scene {
    async fn new(server: OwnRedis) -> Self {
        let fixture = Fixture::redis_at(&server.url());
        let stream = fixture.open().await;
        Self { server, fixture, stream, me: consumer("me") }
    }

    async fn outsider(&self) -> Outsider {
        Outsider::at(&self.server.url()).await
    }

    async fn depth(&self) -> Depth {
        self.stream.depth().await.unwrap()
    }

    async fn dead_letter(&self, entry: &Entry) -> bool {
        let request =
            DeadLetterRequest { entry: entry.clone(), reason: DeadLetterReason::Invalid, error: String::new() };
        self.stream.dead_letter(request, Timestamp::EPOCH).await.unwrap()
    }

    /// Settles all current entries. Returns their number.
    async fn settle_all(&self) -> u64 {
        let mut settled = 0;
        while self.depth().await.pending() > 0 {
            let mut entries = self.stream.claim(&self.me, 100, NO_WAIT).await.unwrap();
            entries.extend(self.stream.rescue(&self.me, 100).await.unwrap());
            self.fixture.settle(&self.stream, &self.me, &entries).await;
            settled += entries.len() as u64;
        }
        settled
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flushall_begins_a_new_epoch_and_work_continues() {
    let scene = Scene::new(OwnRedis::start()).await;
    let (stream, me) = (&scene.stream, &scene.me);
    let other = scene.fixture.open().await;
    stream.append(posts(0..5)).await.unwrap();
    other.depth().await.unwrap();
    let lost = stream.claim(me, 3, NO_WAIT).await.unwrap();
    assert!(scene.dead_letter(&lost[2]).await);
    let before = scene.depth().await;
    assert_eq!((before.appended, before.dead_lettered), (5, 1));

    let rest = stream.claim(me, 10, NO_WAIT).await.unwrap();
    // A process waits for entries while all keys are deleted.
    let waiting = tokio::spawn({
        let other = other.clone();
        async move { other.claim(&consumer("waiting"), 10, DEADLINE).await }
    });
    let _: String = scene.outsider().await.run("FLUSHALL", &[]).await;

    // Claimed entries are still settled in the store under their old keys, which the stream ignores.
    stream.renew(me, &keys(&lost)).await.unwrap();
    stream.release(me, &keys(&rest), Release::Failed).await.unwrap();
    stream.ack(me, &keys(&lost)).await.unwrap();
    assert!(!scene.dead_letter(&lost[0]).await);
    let after = scene.depth().await;
    assert_ne!(after.epoch, before.epoch);
    assert_eq!((after.appended, after.pending(), after.dead_lettered, after.dead_letters), (0, 0, 0, 0));

    stream.append(vec![post("new")]).await.unwrap();
    let mut entries = waiting.await.unwrap().unwrap_or_default();
    if entries.is_empty() {
        entries = other.claim(&consumer("waiting"), 10, DEADLINE).await.unwrap();
    }
    assert_eq!(ids(&entries), ["new"]);
    assert_eq!(entries[0].key.epoch, after.epoch);
    scene.fixture.settle(&other, &consumer("waiting"), &entries).await;
    let depth = other.depth().await.unwrap();
    assert_eq!((depth.appended, depth.pending()), (1, 0));
    assert_eq!(depth.epoch, after.epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_group_delivers_entries_again_and_counts_them_once() {
    let scene = Scene::new(OwnRedis::start()).await;
    let (stream, me) = (&scene.stream, &scene.me);
    stream.append(posts(0..6)).await.unwrap();
    let claimed = stream.claim(me, 4, NO_WAIT).await.unwrap();
    assert!(scene.dead_letter(&claimed[0]).await);
    scene.fixture.settle(stream, me, &claimed[1..2]).await;
    let before = scene.depth().await;

    let name = scene.fixture.options.name.as_bytes();
    let _: i64 = scene.outsider().await.run("XGROUP", &[b"DESTROY", name, b"workers"]).await;
    let again = stream.claim(me, 10, NO_WAIT).await.unwrap();
    assert_eq!(ids(&again), ["p0", "p1", "p2", "p3", "p4", "p5"]);
    assert_eq!(keys(&again)[..4], keys(&claimed), "the entries keep the keys that the store knows");
    assert!(!scene.dead_letter(&again[0]).await, "the entry is already a dead letter");
    assert!(scene.dead_letter(&again[5]).await);
    scene.fixture.settle(stream, me, &again[1..5]).await;

    let after = scene.depth().await;
    assert_eq!(after.epoch, before.epoch);
    assert_eq!((after.appended, after.pending(), after.dead_lettered, after.dead_letters), (6, 0, 2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_stream_begins_a_new_epoch() {
    let scene = Scene::new(OwnRedis::start()).await;
    scene.stream.append(posts(0..6)).await.unwrap();
    assert_eq!(scene.settle_all().await, 6);
    let before = scene.depth().await;
    let outsider = scene.outsider().await;
    let name = scene.fixture.options.name.as_bytes();
    let _: i64 = outsider.run("DEL", &[name]).await;
    // Another program appends before any process has noticed the loss.
    let _: String = outsider.run("XADD", &[name, b"*", b"post_id", b"theirs"]).await;

    scene.stream.append(vec![post("ours")]).await.unwrap();
    let after = scene.depth().await;
    assert_ne!(after.epoch, before.epoch);
    assert_eq!((after.appended, after.lag), (2, 2));
    assert_eq!(scene.settle_all().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_outcome_counters_restart_with_the_pending_entries() {
    let scene = Scene::new(OwnRedis::start()).await;
    let (stream, me) = (&scene.stream, &scene.me);
    stream.append(posts(0..10)).await.unwrap();
    let claimed = stream.claim(me, 5, NO_WAIT).await.unwrap();
    scene.fixture.settle(stream, me, &claimed[..3]).await;
    let outsider = scene.outsider().await;
    for key in outsider.run::<Vec<String>>("KEYS", &[b"*:books"]).await {
        let _: i64 = outsider.run("DEL", &[key.as_bytes()]).await;
    }
    let depth = scene.depth().await;
    assert_eq!((depth.appended, depth.lag, depth.claimed), (7, 5, 2));
    // A process that has not noticed the loss can still release its claims, whose entries now have the new epoch.
    stream.release(me, &keys(&claimed[3..]), Release::Untried).await.unwrap();
    assert_eq!(scene.settle_all().await, 7);
    assert_eq!(scene.depth().await.appended, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_without_loss_keeps_the_epoch() {
    let mut scene = Scene::new(OwnRedis::start()).await;
    scene.stream.append(posts(0..10)).await.unwrap();
    let claimed = scene.stream.claim(&scene.me, 4, NO_WAIT).await.unwrap();
    scene.fixture.settle(&scene.stream, &scene.me, &claimed[..2]).await;
    let before = scene.depth().await;
    scene.server.kill();
    assert!(scene.stream.append(posts(10..11)).await.unwrap_err().is_transient());
    assert!(scene.stream.depth().await.unwrap_err().is_transient());
    scene.server.run();

    let after = eventually("Redis is available again", || async { scene.stream.depth().await.ok() }).await;
    assert_eq!(after, before);
    let mut rescued = rescue(&scene.stream, &consumer("other"), 2).await;
    rescued.sort_by_key(|entry| entry.key.id);
    assert_eq!(ids(&rescued), ["p2", "p3"]);
    assert_eq!(scene.settle_all().await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_from_an_older_copy_begins_a_new_epoch() {
    let mut scene = Scene::new(OwnRedis::start_with(&[])).await;
    scene.stream.append(posts(0..4)).await.unwrap();
    let claimed = scene.stream.claim(&scene.me, 2, NO_WAIT).await.unwrap();
    let _: String = scene.outsider().await.run("SAVE", &[]).await;
    scene.fixture.settle(&scene.stream, &scene.me, &claimed).await;
    scene.stream.append(posts(4..7)).await.unwrap();
    let before = scene.depth().await;
    assert_eq!((before.appended, before.pending()), (7, 5));
    scene.server.kill();
    scene.server.run();

    let after = eventually("Redis is available again", || async { scene.stream.depth().await.ok() }).await;
    assert_ne!(after.epoch, before.epoch, "three entries are lost, so the counts of the old epoch cannot balance");
    assert_eq!((after.appended, after.lag, after.claimed), (4, 2, 2));
    assert_eq!(scene.settle_all().await, 4);
    assert_eq!(scene.depth().await.appended, 4);
}
