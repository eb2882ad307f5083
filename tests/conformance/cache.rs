//! Conformance cases of the cache, which run over the cache in memory and over Redis.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use sentistream::cache::{Cache, Cached, LocalCache, RedisCache};
use sentistream::clock::Clock;
use tokio::sync::{Barrier, Notify};

use crate::stream::fixture::{connect, eventually, redis_url};
use crate::stream::server::{Outsider, OwnRedis};

/// A time to live that no case reaches.
const LONG: Duration = Duration::from_secs(600);
const BRIEF: Duration = Duration::from_millis(100);
/// The command timeout of Redis. The timeout of the cache is much shorter.
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

/// A computation that counts its runs.
#[derive(Clone, Default)]
struct Computation(Arc<AtomicU32>);

impl Computation {
    async fn get(&self, cache: &Cache, key: &str) -> Cached {
        let count = self.0.clone();
        let compute = async move { Ok::<_, Infallible>(format!("{{\"n\":{}}}", count.fetch_add(1, Ordering::SeqCst))) };
        cache.get_or_compute(key, compute).await.unwrap()
    }

    fn runs(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// If Redis responds slowly, the cache counts as empty, so several attempts may be needed to cache an answer.
async fn answers_expire_after_their_time_to_live((here, there): (Cache, Cache), brief: Cache) {
    let computation = Computation::default();
    assert!(!computation.get(&here, "a").await.hit);
    let cached = async || {
        eventually("the answer is cached", || async {
            let (one, two) = (computation.get(&here, "a").await, computation.get(&there, "a").await);
            (two.hit && two.json == one.json && two.cached_at == one.cached_at).then_some(one)
        })
        .await
    };
    let first = cached().await;
    let other = computation.get(&here, "b").await;
    assert!(!other.hit && other.json != first.json);
    there.clear().await;
    assert!(!computation.get(&here, "a").await.hit, "no answer remains after clearing");
    cached().await;

    let first = computation.get(&brief, "c").await;
    let later = eventually("the answer expires", || async {
        let answer = computation.get(&brief, "c").await;
        (!answer.hit).then_some(answer)
    })
    .await;
    assert!(later.json != first.json && later.cached_at > first.cached_at);
}

async fn concurrent_requests_for_a_key_share_one_computation(cache: Cache) {
    let (computation, all_asked) = (Computation::default(), Notify::new());
    let ask = async || {
        let compute = async {
            all_asked.notified().await;
            computation.0.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Infallible>("{}".to_owned())
        };
        cache.get_or_compute("a", compute).await.unwrap().hit
    };
    // All requests start before the computation ends, so they share it.
    let asked = join_all((0..20).map(|_| ask()));
    let (hits, ()) = join(asked, async { all_asked.notify_one() }).await;
    assert_eq!((computation.runs(), hits.into_iter().filter(|hit| *hit).count()), (1, 19));
}

async fn error_is_returned_and_not_cached(cache: Cache) {
    let failed = cache.get_or_compute("a", async { Err::<String, _>("away".to_owned()) }).await;
    assert_eq!(failed.unwrap_err(), "away");
    assert!(!Computation::default().get(&cache, "a").await.hit);
}

/// A computation that started before the cache was cleared may return deleted data, so its result must not be cached.
async fn clearing_the_cache_discards_running_computations(cache: Cache) {
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
    assert!(!Computation::default().get(&cache, "a").await.hit);
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
    concurrent_requests_for_a_key_share_one_computation,
    error_is_returned_and_not_cached,
    clearing_the_cache_discards_running_computations
);

#[tokio::test(flavor = "multi_thread")]
async fn local_answers_expire_after_their_time_to_live() {
    let cache = local(LONG);
    answers_expire_after_their_time_to_live((cache.clone(), cache), local(BRIEF)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_answers_expire_after_their_time_to_live() {
    let prefix = prefix();
    let cache = |ttl| redis(&redis_url(), &prefix, ttl);
    answers_expire_after_their_time_to_live((cache(LONG), cache(LONG)), cache(BRIEF)).await;

    let keys: Vec<String> = Outsider::at(&redis_url()).await.run("KEYS", &[format!("{prefix}:*").as_bytes()]).await;
    assert!(!keys.is_empty());
    for key in keys {
        let ttl: i64 = Outsider::at(&redis_url()).await.run("PTTL", &[key.as_bytes()]).await;
        assert_ne!(ttl, -1, "{key} has no time to live");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unavailable_redis_counts_as_an_empty_cache() {
    let mut server = OwnRedis::not_started(&[]);
    let cache = redis(&server.url(), &prefix(), LONG);
    concurrent_requests_for_a_key_share_one_computation(cache.clone()).await;
    let computation = Computation::default();
    let start = Instant::now();
    for _ in 0..5 {
        assert!(!computation.get(&cache, "b").await.hit);
    }
    assert!(start.elapsed() < COMMAND, "five answers took {:?}", start.elapsed());
    let client = connect(&server.url(), Duration::from_millis(500));
    Cache::Redis(RedisCache::new(client, &prefix(), LONG, Clock::system())).clear().await;

    server.run();
    eventually("answers are cached again", || async { computation.get(&cache, "b").await.hit.then_some(()) }).await;
    server.freeze();
    let start = Instant::now();
    computation.get(&cache, "c").await;
    assert!(start.elapsed() < COMMAND, "a frozen Redis delayed an answer by {:?}", start.elapsed());
}
