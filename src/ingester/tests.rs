mod faults;
mod fixture;
mod scripted;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use tokio::time::Instant;

use super::*;
use crate::domain::{Op, PostId};
use crate::sources::SourceError;
use crate::sources::states::SourceActivity;
use crate::store::feeds::Paused;

use fixture::{Fixture, options, replay, until};
use scripted::{Counting, Once, Panicking, Script, Scripted, op};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replay_is_appended_once_and_in_order_over_restarts() {
    let fixture = Fixture::new(100_000).await;
    let path = fixture.file(1_000);
    for run in 0..2 {
        let running = fixture.start(vec![replay(&path, &fixture.services.clock)], options());
        until("the file has ended", || async { fixture.state("replay").state == SourceActivity::Finished }).await;
        running.stop().await;
        assert_eq!(fixture.appended().await, 1_000, "run {run}");
    }
    let entries = fixture.drain(2_000).await;
    let ids: Vec<_> = entries.iter().filter_map(|entry| entry.fields.get("post_id")).map(<[u8]>::to_vec).collect();
    assert_eq!(ids, (0..1_000).map(|id| format!("p{id}").into_bytes()).collect::<Vec<_>>());
    let state = fixture.state("replay");
    assert_eq!((state.posts, state.rejected, state.last_error), (1_000, 0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_stream_stops_sources_without_loss() {
    let fixture = Fixture::new(100).await;
    let path = fixture.file(400);
    let running = fixture.start(vec![replay(&path, &fixture.services.clock)], options());
    let mut ids = Vec::new();
    while ids.len() < 400 {
        until("the stream is full or the file has ended", || async {
            matches!(fixture.state("replay").state, SourceActivity::Waiting | SourceActivity::Finished)
        })
        .await;
        let state = fixture.state("replay");
        if state.state == SourceActivity::Waiting {
            assert!(state.last_error.unwrap_or_default().contains("stream.max_backlog"));
        }
        assert!(fixture.services.stream.depth().await.unwrap().pending() <= 150, "the limit holds");
        ids.extend(fixture.drain(60).await.iter().filter_map(|entry| entry.fields.get("post_id")).map(<[u8]>::to_vec));
    }
    running.stop().await;
    assert_eq!(ids, (0..400).map(|id| format!("p{id}").into_bytes()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permanent_error_stops_a_source_and_transient_error_does_not() {
    let fixture = Fixture::new(1_000).await;
    let away = || Err(SourceError::Transient("no route to host".to_owned()));
    let sources = vec![
        Scripted::spec("broken", vec![Ok(1), Err(SourceError::Permanent("the token was revoked".to_owned())), Ok(1)]),
        Scripted::spec("shaky", vec![Ok(1), away(), away(), away(), Ok(5)]),
    ];
    let running = fixture.start(sources, options());
    until("both sources have ended or failed", || async {
        fixture.state("shaky").posts == 6 && fixture.state("broken").state == SourceActivity::Failed
    })
    .await;
    let (broken, shaky) = (fixture.state("broken"), fixture.state("shaky"));
    assert_eq!((broken.errors, shaky.errors), (1, 3));
    assert_eq!((broken.posts, broken.last_error.as_deref()), (1, Some("the token was revoked")));
    assert_eq!((shaky.state, shaky.last_error.as_deref()), (SourceActivity::Connected, Some("no route to host")));
    assert!(!running.role.is_finished(), "the role continues without sources");
    running.stop().await;
    assert_eq!(fixture.appended().await, 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panicking_source_is_reopened_and_others_continue() {
    let fixture = Fixture::new(1_000).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let odd = SourceSpec::new("odd", "odd", move |_| Box::new(Panicking(calls.clone())));
    let running = fixture.start(vec![odd, Scripted::spec("good", vec![Ok(3)])], options());
    until("both sources have delivered", || async { fixture.appended().await == 4 }).await;
    assert!(!running.role.is_finished());
    let error = fixture.state("odd").last_error.unwrap();
    assert!(error.ends_with("an odd item"), "{error}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_sources_share_the_rate_limit() {
    let fixture = Fixture::new(100_000).await;
    let endless = |name| Scripted::spec(name, (0..10_000).map(|_| Ok(10)).collect());
    let limited = IngesterOptions { rate: Some(200.0), ..options() };
    let start = Instant::now();
    let running = fixture.start(vec![endless("one"), endless("two")], limited);
    until("the posts of some seconds are in the stream", || async { fixture.appended().await >= 500 }).await;
    assert!(start.elapsed() > Duration::from_secs(2), "{:?}", start.elapsed());
    running.stop().await;
    // The rate limit allows the first batch of 50 immediately.
    let elapsed = start.elapsed().as_secs_f64();
    let allowed = 50.0 + 200.0 * (elapsed + 0.1);
    assert!(fixture.appended().await as f64 <= allowed, "{} in {elapsed} s", fixture.appended().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_source_is_reopened_at_its_cursor() {
    let fixture = Fixture::new(1_000).await;
    let openings = Arc::new(Mutex::new(Vec::new()));
    let seen = openings.clone();
    // Each time the source is opened, it yields one post and then waits.
    let spec = SourceSpec::new("mute", "mute", move |opening| {
        seen.lock().unwrap().push((opening.cursor.clone(), opening.failures));
        let given = opening.cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let script = Script { steps: VecDeque::from([Ok(1)]), given };
        Box::new(Scripted { name: "mute", script: Arc::new(Mutex::new(script)) })
    });
    let running = fixture.start(vec![spec.idle_limit(Duration::from_millis(20))], options());
    until("the source was opened three times", || async { openings.lock().unwrap().len() >= 3 }).await;
    running.stop().await;
    let openings = openings.lock().unwrap().clone();
    let cursor = |number: &str| Some(number.to_owned());
    assert_eq!(openings[..3], [(None, 0), (cursor("1"), 1), (cursor("2"), 2)]);
    assert!(fixture.state("mute").last_error.unwrap().contains("no data for"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pause_persists_over_a_restart_until_a_resume() {
    let mut fixture = Fixture::new(100_000).await;
    let readers = Arc::default();
    let running = fixture.start(vec![Counting::spec("one", &readers)], options());
    until("some posts are in the stream", || async { fixture.state("count").posts > 10 }).await;
    until("the pause is stored", || async {
        fixture.services.store.set_feed_paused("count", Paused::Yes).await.unwrap()
    })
    .await;
    until("the source is paused", || async { fixture.state("count").state == SourceActivity::Paused }).await;
    let rested = fixture.appended().await;
    running.stop().await;

    // New states simulate a restart of the process. The pause must persist.
    fixture.services.states = SourceStates::default();
    let running = fixture.start(vec![Counting::spec("one", &readers)], options());
    until("the source is paused again", || async { fixture.state("count").state == SourceActivity::Paused }).await;
    assert_eq!(fixture.appended().await, rested);
    assert!(fixture.services.store.set_feed_paused("count", Paused::No).await.unwrap());
    until("the source continues", || async { fixture.appended().await > rested + 10 }).await;
    running.stop().await;
    assert_counted(&fixture).await;
}

/// Checks that every number from 0 on is in the stream exactly once and in order.
async fn assert_counted(fixture: &Fixture) {
    let entries = fixture.drain(100_000).await;
    let ids: Vec<_> =
        entries.iter().map(|e| String::from_utf8(e.fields.get("post_id").unwrap().to_vec()).unwrap()).collect();
    let expected: Vec<_> = (0..ids.len()).map(|id| format!("count-{id}")).collect();
    assert_eq!(ids, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selective_source_drops_deletions_of_other_posts() {
    let fixture = Fixture::new(1_000).await;
    let delete = |id: &str| Op::Delete { post_id: PostId::parse(id).unwrap() };
    let post = op("x", 1);
    let own = post.post().unwrap().post_id.clone();
    let foreign = (0..50).map(|number| delete(&format!("foreign{number}")));
    let ops: Vec<Op> = [post, Op::Delete { post_id: own }].into_iter().chain(foreign).collect();
    let spec = SourceSpec::new("once", "once", move |_| Box::new(Once(Some(ops.clone())))).selective(true);
    let running = fixture.start(vec![spec], options());
    until("the post and its deletion are appended", || async { fixture.appended().await >= 2 }).await;
    running.stop().await;
    assert_eq!(fixture.appended().await, 2);
}
