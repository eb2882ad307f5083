//! The cache's cases, within a process and over Redis.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use sentistream::cache::{Cache, Cached, LocalCache, RedisCache};
use sentistream::clock::Clock;
use tokio::sync::{Barrier, Notify};

use crate::stream::bed::{connect, eventually, redis_url};
use crate::stream::server::{Outsider, OwnRedis};

/// Longer than any case takes.
const LONG: Duration = Duration::from_secs(600);
const BRIEF: Duration = Duration::from_millis(100);
/// The longest a command may take: the cache itself waits for much less.
const COMMAND: Duration = Duration::from_secs(10);

fn local(ttl: Duration) -> Cache {
    Cache::Local(LocalCache::new(ttl, Clock::system()))
}

fn redis(url: &str, prefix: &str, ttl: Duration) -> Cache {
    Cache::Redis(RedisCache::new(connect(url, COMMAND), prefix, ttl, Clock::system()))
}

fn prefix() -> String {
    format!("test:{}", uuid::Uuid::new_v4())
}

/// Counts how often it is computed.
#[derive(Clone, Default)]
struct Question(Arc<AtomicU32>);

impl Question {
    async fn ask(&self, cache: &Cache, key: &str) -> Cached {
        let count = self.0.clone();
        let compute = async move { Ok::<_, Infallible>(format!("{{\"n\":{}}}", count.fetch_add(1, Ordering::SeqCst))) };
        cache.get_or_compute(key, compute).await.unwrap()
    }

    fn computed(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A Redis that is slow for a moment is as good as empty: an answer may be kept at a later try.
async fn answers_are_kept_for_their_time((here, there): (Cache, Cache), brief: Cache) {
    let question = Question::default();
    assert!(!question.ask(&here, "a").await.hit);
    let kept = async || {
        eventually("the answer is kept", || async {
            let (one, two) = (question.ask(&here, "a").await, question.ask(&there, "a").await);
            (two.hit && two.json == one.json && two.cached_at == one.cached_at).then_some(one)
        })
        .await
    };
    let first = kept().await;
    let other = question.ask(&here, "b").await;
    assert!(!other.hit && other.json != first.json);
    there.clear().await;
    assert!(!question.ask(&here, "a").await.hit, "nothing is left after clearing");
    kept().await;

    let first = question.ask(&brief, "c").await;
    let later = eventually("the answer runs out", || async {
        let answer = question.ask(&brief, "c").await;
        (!answer.hit).then_some(answer)
    })
    .await;
    assert!(later.json != first.json && later.cached_at > first.cached_at);
}

async fn equal_questions_share_one_computation(cache: Cache) {
    let (question, all_asked) = (Question::default(), Notify::new());
    let ask = async || {
        let compute = async {
            all_asked.notified().await;
            question.0.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Infallible>("{}".to_owned())
        };
        cache.get_or_compute("a", compute).await.unwrap().hit
    };
    // They begin in their order, and the computation ends after all of them have begun.
    let asked = join_all((0..20).map(|_| ask()));
    let (hits, ()) = join(asked, async { all_asked.notify_one() }).await;
    assert_eq!((question.computed(), hits.into_iter().filter(|hit| *hit).count()), (1, 19));
}

async fn an_error_is_shared_and_not_kept(cache: Cache) {
    let failed = cache.get_or_compute("a", async { Err::<String, _>("away".to_owned()) }).await;
    assert_eq!(failed.unwrap_err(), "away");
    assert!(!Question::default().ask(&cache, "a").await.hit);
}

/// A computation that began before the cache was cleared may have seen what is gone.
async fn clearing_outdates_computations_under_way(cache: Cache) {
    let began = Arc::new(Barrier::new(2));
    let cleared = Arc::new(Barrier::new(2));
    let old = tokio::spawn({
        let (cache, began, cleared) = (cache.clone(), began.clone(), cleared.clone());
        async move {
            let compute = async {
                began.wait().await;
                cleared.wait().await;
                Ok::<_, Infallible>("\"old\"".to_owned())
            };
            cache.get_or_compute("a", compute).await.unwrap()
        }
    });
    began.wait().await;
    cache.clear().await;
    cleared.wait().await;
    assert_eq!(&*old.await.unwrap().json, "\"old\"");
    assert!(!Question::default().ask(&cache, "a").await.hit);
}

macro_rules! on_both {
    ($($case:ident),+) => {
        mod on_local {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(super::local(super::LONG)).await;
            })+
        }
        mod on_redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(super::redis(&super::redis_url(), &super::prefix(), super::LONG)).await;
            })+
        }
    };
}

on_both!(
    equal_questions_share_one_computation,
    an_error_is_shared_and_not_kept,
    clearing_outdates_computations_under_way
);

#[tokio::test(flavor = "multi_thread")]
async fn a_process_keeps_answers_for_their_time() {
    let cache = local(LONG);
    answers_are_kept_for_their_time((cache.clone(), cache), local(BRIEF)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_answers_for_their_time() {
    let prefix = prefix();
    let cache = |ttl| redis(&redis_url(), &prefix, ttl);
    answers_are_kept_for_their_time((cache(LONG), cache(LONG)), cache(BRIEF)).await;

    let keys: Vec<String> = Outsider::at(&redis_url()).await.run("KEYS", &[format!("{prefix}:*").as_bytes()]).await;
    assert!(!keys.is_empty());
    for key in keys {
        let ttl: i64 = Outsider::at(&redis_url()).await.run("PTTL", &[key.as_bytes()]).await;
        assert_ne!(ttl, -1, "{key} would stay for ever");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_away_is_as_good_as_empty() {
    let mut server = OwnRedis::not_started(&[]);
    let cache = redis(&server.url(), &prefix(), LONG);
    equal_questions_share_one_computation(cache.clone()).await;
    let question = Question::default();
    let start = Instant::now();
    for _ in 0..5 {
        assert!(!question.ask(&cache, "b").await.hit);
    }
    assert!(start.elapsed() < COMMAND, "five answers took {:?}", start.elapsed());
    let hasty = connect(&server.url(), Duration::from_millis(500));
    Cache::Redis(RedisCache::new(hasty, &prefix(), LONG, Clock::system())).clear().await;

    server.run();
    eventually("answers are kept again", || async { question.ask(&cache, "b").await.hit.then_some(()) }).await;
    server.freeze();
    let start = Instant::now();
    question.ask(&cache, "c").await;
    assert!(start.elapsed() < COMMAND, "a frozen Redis held an answer for {:?}", start.elapsed());
}
