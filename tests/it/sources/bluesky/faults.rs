//! Faults of Jetstream hosts, and restarts.

use std::time::Duration;

use sentistream::sources::bluesky::{self, BlueskyOptions, Dictionary};
use serde_json::json;

use super::super::ingesting::Ingesting;
use super::super::polling::fetcher;
use super::{ADA, at, find, options, posts, spec, stored};
use crate::api::test_app::{Setup, TestApp, cases};
use crate::fakes::jetstream::{DICTIONARY, EVENT, Faults, Jetstream, Log, create};

cases![
    jetstream_host_faults_lose_no_post,
    unreadable_events_are_skipped_and_counted,
    compressed_events_need_the_dictionary_of_the_host,
    restart_resumes_at_cursor_and_host_change_rewinds,
    full_stream_pauses_reading_from_the_socket,
];

async fn jetstream_host_faults_lose_no_post(setup: Setup) {
    let app = TestApp::start(setup).await;
    let log = Log::new();
    let bad = Jetstream::start(&log, Faults::default()).await;
    let good = Jetstream::start(&log, Faults::default()).await;
    let faults = [
        ("drop", Faults { drop_after: Some(37), ..Faults::default() }),
        ("stall", Faults { stall_after: Some(37), ..Faults::default() }),
        ("repeat", Faults { repeat: 50, drop_after: Some(120), ..Faults::default() }),
        ("malformed", Faults { malformed_every: Some(10), ..Faults::default() }),
        ("refused", Faults { refuse: true, ..Faults::default() }),
    ];
    let mut sent = 0;
    for (n, (name, faults)) in faults.into_iter().enumerate() {
        bad.set_faults(faults);
        bad.cut();
        posts(&log, 300, 100.0 * n as f64);
        sent += 300;
        // If a host refuses or stalls, the source changes to the other host. After other faults it reconnects.
        let hosts: &[&Jetstream] = if matches!(name, "stall" | "refused") { &[&bad, &good] } else { &[&bad] };
        let watchful =
            BlueskyOptions { idle_limit: Duration::from_secs(if name == "stall" { 1 } else { 60 }), ..options(hosts) };
        let ingesting = Ingesting::start(&app, bluesky::spec("bluesky", watchful, fetcher, app.clock.clone()));
        stored(&app, sent).await;
        let state = ingesting.states.all().remove(0);
        match name {
            "malformed" => assert!(state.rejected >= 30 && state.errors == 0, "{name}: {state:?}"),
            _ => assert!(state.errors > 0 && state.last_error.is_some(), "{name}: {state:?}"),
        }
        ingesting.stop().await;
    }
    let books = app.drained().await["stats"]["books"].clone();
    assert_eq!((&books["analysed"], &books["dead_lettered"]), (&json!(sent), &json!(0)));
    // A new connection repeats some events. After a change of the host, the events of the last five seconds are
    // repeated.
    let duplicates = books["duplicate"].as_u64().expect("a number");
    assert!((1..sent as u64).contains(&duplicates), "some events are repeated, but not all: {books}");
}

async fn unreadable_events_are_skipped_and_counted(setup: Setup) {
    let app = TestApp::start(setup).await;
    let log = Log::new();
    let host = Jetstream::start(&log, Faults::default()).await;
    let event = |rkey: &str, second: f64, bytes: usize| {
        log.push(at(second), create(ADA, rkey, at(second), &"x".repeat(bytes)));
    };
    // The host omits events that are larger than the limit of the source.
    posts(&log, 10, 0.0);
    event("large", 1.05, 2 << 20);
    posts(&log, 10, 2.0);
    let ingesting = Ingesting::start(&app, spec(&app, &[&host]));
    stored(&app, 20).await;
    let state = ingesting.states.all().remove(0);
    assert_eq!((state.rejected, state.errors), (0, 0), "{state:?}");
    ingesting.stop().await;

    // If the host ignores the limit, the source rejects the event.
    host.set_faults(Faults { ignores_max_size: true, ..Faults::default() });
    host.cut();
    event("large2", 3.5, 2 << 20);
    posts(&log, 10, 4.0);
    let ingesting = Ingesting::start(&app, spec(&app, &[&host]));
    stored(&app, 30).await;
    let state = ingesting.states.all().remove(0);
    assert_eq!((state.rejected, state.errors), (1, 0), "{state:?}");

    // A frame that breaks every connection is skipped after it has failed twice.
    event("huge", 5.5, 17 << 20);
    posts(&log, 10, 7.0);
    stored(&app, 40).await;
    let state = ingesting.states.all().remove(0);
    assert_eq!(state.errors, 2, "{state:?}");
    ingesting.stop().await;
}

async fn compressed_events_need_the_dictionary_of_the_host(setup: Setup) {
    let app = TestApp::start(setup).await;
    let log = Log::new();
    let faults = Faults { malformed_every: Some(10), ignores_max_size: true, ..Faults::default() };
    let host = Jetstream::start(&log, faults).await;
    let compressed = || {
        let dictionary = Some(Dictionary::new(DICTIONARY).expect("a dictionary"));
        bluesky::spec("bluesky", BlueskyOptions { dictionary, ..options(&[&host]) }, fetcher, app.clock.clone())
    };
    posts(&log, 1, 0.0);
    log.push(at(1.5), EVENT.to_owned());
    log.push(at(1.6), create(ADA, "large", at(1.6), &"x".repeat(2 << 20)));
    posts(&log, 40, 2.0);
    // The first frame is malformed, so the connection fails. The next connection skips the frame.
    let ingesting = Ingesting::start(&app, compressed());
    app.eventually("the connection fails", async || (ingesting.states.all().first()?.errors > 0).then_some(())).await;
    host.set_faults(Faults { malformed_every: None, ..faults });
    stored(&app, 42).await;
    assert_eq!(
        find(&app, ADA, "zstd1").await.expect("stored")["content"],
        "I love the new train, and the coffee is great"
    );
    assert!(host.asked().iter().all(|asked| asked.is_compressed));
    // New posts are added only after the next connection, because the old connection could still send them without the
    // fault.
    let reconnected = async || {
        let before = host.asked().len();
        host.cut();
        app.eventually("the source connects again", async || (host.asked().len() > before).then_some(())).await;
    };
    host.set_faults(Faults { malformed_every: Some(10), ..faults });
    reconnected().await;
    posts(&log, 40, 10.0);
    stored(&app, 82).await;
    app.eventually("malformed frames and the large event are counted", async || {
        (ingesting.states.all().first()?.rejected >= 4).then_some(())
    })
    .await;

    // While the host uses another dictionary, no frame is skipped.
    host.set_faults(Faults { dictionary: Some(78), ..faults });
    reconnected().await;
    posts(&log, 20, 20.0);
    app.eventually("the error names both dictionaries", async || {
        let error = ingesting.states.all().remove(0).last_error.unwrap_or_default();
        (error.contains("dictionary 78") && error.contains("has 77")).then_some(())
    })
    .await;
    host.set_faults(Faults { malformed_every: None, ..faults });
    host.cut();
    stored(&app, 102).await;
    ingesting.stop().await;

    // The host compresses frames, although the source has not requested compression.
    let mut forced = options(&[&host]);
    forced.hosts[0].push_str("?compress=true");
    let ingesting = Ingesting::start(&app, bluesky::spec("forced", forced, fetcher, app.clock.clone()));
    app.eventually("the error names the setting", async || {
        let error = ingesting.states.all().remove(0).last_error.unwrap_or_default();
        error.contains("set `zstd_dictionary`").then_some(())
    })
    .await;
    ingesting.stop().await;
}

async fn restart_resumes_at_cursor_and_host_change_rewinds(setup: Setup) {
    let app = TestApp::start(setup).await;
    let log = Log::new();
    let first = Jetstream::start(&log, Faults::default()).await;
    let second = Jetstream::start(&log, Faults::default()).await;
    posts(&log, 200, 0.0);
    let last = at(0.0) + 199 * 100_000;

    let ingesting = Ingesting::start(&app, spec(&app, &[&first, &second]));
    stored(&app, 200).await;
    ingesting.stop().await;
    posts(&log, 100, 20.0);
    let ingesting = Ingesting::start(&app, spec(&app, &[&first, &second]));
    stored(&app, 300).await;
    assert_eq!(
        first.asked().last().expect("a connection").cursor,
        Some(last),
        "the source requests the same host with its stored cursor"
    );

    // When the host fails, the source requests the last seconds again from the other host. No post is stored twice.
    first.set_faults(Faults { refuse: true, ..Faults::default() });
    first.cut();
    app.eventually("the connection is cut", async || (first.open() == 0).then_some(())).await;
    posts(&log, 100, 30.0);
    stored(&app, 400).await;
    let rewound = second.asked().first().expect("a connection").cursor.expect("a cursor");
    assert_eq!(rewound, at(20.0) + 99 * 100_000 - 5_000_000);
    ingesting.stop().await;

    // After a stop that is longer than hosts store events, the source continues at the first stored event.
    second.set_faults(Faults { oldest: Some(at(50_000.0)), ..Faults::default() });
    posts(&log, 50, 40_000.0);
    posts(&log, 50, 50_000.0);
    let ingesting = Ingesting::start(&app, spec(&app, &[&second]));
    stored(&app, 450).await;
    ingesting.stop().await;
}

async fn full_stream_pauses_reading_from_the_socket(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.shutdown_workers().await;
    let log = Log::new();
    let host = Jetstream::start(&log, Faults::default()).await;
    posts(&log, 60_000, 0.0);
    let ingesting = Ingesting::start(&app, spec(&app, &[&host]));
    app.eventually("the stream is full", async || {
        let state = ingesting.states.all().pop()?;
        (state.state.as_str() == "waiting").then_some(())
    })
    .await;
    let pending = app.services.stream.depth().await.expect("an answer").pending();
    assert!(pending <= 5_100, "the stream exceeds its limit of 5,000: {pending}");
    // The source no longer reads, so the host can send only until the buffers of the socket are full.
    let quiet = app
        .eventually("the host sends nothing for 200 ms", async || {
            let before = host.sent();
            tokio::time::sleep(Duration::from_millis(200)).await;
            (host.sent() == before).then_some(before)
        })
        .await;
    assert!(quiet < 60_000, "{quiet}");
    ingesting.stop().await;
}
