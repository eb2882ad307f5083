//! The cache's cases, within a process and over Redis.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sentistream::cache::{Cache, Cached, LocalCache, RedisCache};
use sentistream::clock::Clock;
use tokio::sync::Barrier;

use crate::stream::bed::{connect, eventually, redis_url};
use crate::stream::server::{Outsider, OwnRedis};

const TTL: Duration = Duration::from_millis(400);

fn local() -> Cache {
    Cache::Local(LocalCache::new(TTL, Clock::system()))
}

fn redis(url: &str, prefix: &str) -> Cache {
    Cache::Redis(RedisCache::new(connect(url, Duration::from_millis(500)), prefix, TTL, Clock::system()))
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

async fn answers_are_kept_for_their_time(here: Cache, there: Cache) {
    let question = Question::default();
    let start = Instant::now();
    let first = question.ask(&here, "a").await;
    assert!(!first.hit);
    let second = question.ask(&there, "a").await;
    assert!(second.hit && second.json == first.json && second.cached_at == first.cached_at);
    assert!(start.elapsed() < TTL, "this machine is too slow for this test");
    let other = question.ask(&here, "b").await;
    assert!(!other.hit && other.json != first.json);

    let later = eventually("the answer runs out", || async {
        let answer = question.ask(&there, "a").await;
        (!answer.hit).then_some(answer)
    })
    .await;
    assert!(start.elapsed() >= TTL);
    assert!(later.json != first.json && later.cached_at > first.cached_at);

    there.clear().await;
    assert!(!question.ask(&here, "a").await.hit, "nothing is left after clearing");
    assert!(question.ask(&here, "a").await.hit);
}

async fn equal_questions_share_one_computation(cache: Cache) {
    let question = Question::default();
    let gate = Arc::new(Barrier::new(20));
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let (cache, question, gate) = (cache.clone(), question.clone(), gate.clone());
            tokio::spawn(async move {
                gate.wait().await;
                let compute = async {
                    // Long enough for all to have asked.
                    tokio::time::sleep(Duration::from_millis(150)).await;
                    question.0.fetch_add(1, Ordering::SeqCst);
                    Ok::<_, Infallible>("{}".to_owned())
                };
                cache.get_or_compute("a", compute).await.unwrap().hit
            })
        })
        .collect();
    let mut hits = 0;
    for answer in asked {
        hits += u32::from(answer.await.unwrap());
    }
    assert_eq!((question.computed(), hits), (1, 19));
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
                super::$case(super::local()).await;
            })+
        }
        mod on_redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(super::redis(&super::redis_url(), &super::prefix())).await;
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
    let cache = local();
    answers_are_kept_for_their_time(cache.clone(), cache).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_answers_for_their_time() {
    let prefix = prefix();
    answers_are_kept_for_their_time(redis(&redis_url(), &prefix), redis(&redis_url(), &prefix)).await;

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
    let cache = redis(&server.url(), &prefix());
    equal_questions_share_one_computation(cache.clone()).await;
    let question = Question::default();
    let start = Instant::now();
    for _ in 0..5 {
        assert!(!question.ask(&cache, "b").await.hit);
    }
    assert!(start.elapsed() < Duration::from_millis(900), "five answers took {:?}", start.elapsed());
    cache.clear().await;

    server.run();
    eventually("answers are kept again", || async { question.ask(&cache, "b").await.hit.then_some(()) }).await;
    server.freeze();
    let start = Instant::now();
    question.ask(&cache, "c").await;
    assert!(start.elapsed() < Duration::from_millis(600), "a frozen Redis held an answer for {:?}", start.elapsed());
}
