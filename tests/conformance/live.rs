//! Conformance cases of the live bus, which run over the bus in memory and over Redis.

use std::time::{Duration, Instant};

use sentistream::domain::alert::{InstanceState, Labels, Severity, Transition};
use sentistream::domain::{Alert, AlertState, Emotion, LiveEvent, PostEvent, PostId, Sentiment, Timestamp};
use sentistream::live::{
    Channels, LiveBus, LiveMessage, LocalBus, Received, RedisBus, SUBSCRIBER_BUFFER, Subscription,
};

use crate::stream::fixture::{DEADLINE, connect, eventually, redis_url};
use crate::stream::server::{Network, Outsider, OwnRedis};

fn post(id: &str) -> LiveEvent {
    LiveEvent::Post(PostEvent {
        post_id: id.to_owned(),
        content: "so \"good\" \u{1f600}".to_owned(),
        source: "test".to_owned(),
        author: None,
        lang: Some("en".to_owned()),
        sentiment_label: Some(Sentiment::Positive),
        confidence_score: Some(0.75),
        emotion: Some(Emotion::Joy),
        unscored: None,
        topics: vec!["acme".to_owned()],
        topic_sentiments: [("acme".to_owned(), Sentiment::Negative)].into(),
        created_at: Timestamp::EPOCH,
        ingested_at: Timestamp::EPOCH,
        timestamp: Timestamp::from_millis(1_767_225_600_123).unwrap(),
        traceparent: None,
    })
}

fn alert() -> LiveEvent {
    LiveEvent::Alert(Alert {
        id: 7,
        alert_type: "negative_share".to_owned(),
        scope: "all".to_owned(),
        state: AlertState::Firing,
        threshold_value: 0.5,
        actual_value: 0.8,
        window_start: Timestamp::EPOCH,
        window_end: Timestamp::EPOCH,
        post_count: 12,
        triggered_at: Timestamp::EPOCH,
        resolved_at: None,
        details: serde_json::json!({"negative": 10}),
        rule_id: Some(1),
        severity: Severity::Critical,
        phase: InstanceState::Recovering,
        labels: Labels::from([("team".to_owned(), "care".to_owned())]),
        annotations: Labels::new(),
        acknowledged: None,
    })
}

fn transition() -> LiveEvent {
    LiveEvent::AlertState(Transition {
        id: 3,
        rule_id: 1,
        alert_id: None,
        scope: "all".to_owned(),
        fingerprint: "00".to_owned(),
        from_state: InstanceState::Normal,
        to_state: InstanceState::NoData,
        at: Timestamp::EPOCH,
        value: None,
        threshold: 0.5,
        severity: Severity::Info,
        labels: Labels::new(),
        annotations: Labels::new(),
        reason: None,
    })
}

fn deleted(id: &str) -> LiveEvent {
    LiveEvent::PostDeleted(PostId::parse(id).unwrap())
}

fn channels() -> Channels {
    let name = uuid::Uuid::new_v4();
    Channels { updates: format!("{name}:updates"), events: format!("{name}:events") }
}

fn redis_bus(url: &str, channels: &Channels) -> LiveBus {
    LiveBus::Redis(RedisBus::new(connect(url, Duration::from_secs(10)), channels.clone()))
}

/// A bus with a short command timeout, so that it quickly detects that Redis is unavailable.
fn bus_with_short_timeout(url: &str) -> LiveBus {
    LiveBus::Redis(RedisBus::new(connect(url, Duration::from_millis(500)), channels()))
}

async fn next(subscription: &mut Subscription) -> Received {
    tokio::time::timeout(DEADLINE, subscription.recv()).await.expect("a message in time").expect("the bus has closed")
}

async fn next_event(subscription: &mut Subscription) -> (LiveEvent, String) {
    match next(subscription).await {
        Received::Message(LiveMessage::Event { event, json }) => ((*event).clone(), json.to_string()),
        other => panic!("expected an event, got {other:?}"),
    }
}

/// Skips messages up to and including this post.
async fn until(subscription: &mut Subscription, id: &str) {
    while next_event(subscription).await.0 != post(id) {}
}

/// Subscribes and waits until the subscription is active.
async fn subscribed(bus: &LiveBus) -> Subscription {
    let mut subscription = bus.subscribe();
    loop {
        // The probe is published again until the subscription is active and receives it.
        let _ = bus.publish(vec![post("probe")]).await;
        if tokio::time::timeout(Duration::from_millis(50), subscription.recv()).await.is_ok() {
            break;
        }
    }
    // Further probes may be in the channel, so they are skipped.
    eventually("the bus can publish", || async { bus.publish(vec![post("end")]).await.ok() }).await;
    until(&mut subscription, "end").await;
    subscription
}

/// `here` publishes, and both buses receive.
async fn events_reach_every_subscriber_in_order(here: LiveBus, there: LiveBus) {
    let (mut a, mut b, mut c) = (subscribed(&here).await, here.subscribe(), subscribed(&there).await);
    here.publish(vec![post("begin")]).await.unwrap();
    for subscription in [&mut a, &mut b, &mut c] {
        until(subscription, "begin").await;
    }
    let events = vec![post("1"), alert(), transition(), deleted("0"), post("2")];
    here.publish(events.clone()).await.unwrap();
    let frames = [
        r#"{"type":"post","data":{"post_id":"1","#,
        r#"{"type":"alert","data":{"id":7,"#,
        r#"{"type":"alert_state","data":{"id":3,"#,
        r#"{"type":"post_deleted","data":{"post_id":"0"}}"#,
        r#"{"type":"post","data":{"post_id":"2","#,
    ];
    for subscription in [&mut a, &mut b, &mut c] {
        for (event, frame) in events.iter().zip(frames) {
            let (heard, json) = next_event(subscription).await;
            assert_eq!(&heard, event);
            assert!(json.starts_with(frame), "{json}");
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(value.as_object().unwrap().len(), 2, "{json}");
        }
    }
}

async fn slow_subscriber_receives_the_number_of_lost_events(bus: LiveBus) {
    let mut subscription = subscribed(&bus).await;
    let lost = 10;
    let events: Vec<LiveEvent> = (0..SUBSCRIBER_BUFFER + lost).map(|i| post(&i.to_string())).collect();
    let mut quick = bus.subscribe();
    for chunk in events.chunks(100) {
        bus.publish(chunk.to_vec()).await.unwrap();
        for event in chunk {
            assert_eq!(&next_event(&mut quick).await.0, event);
        }
    }
    bus.publish(vec![post("last")]).await.unwrap();
    until(&mut quick, "last").await;
    match next(&mut subscription).await {
        Received::Lagged(missed) => assert_eq!(missed, lost as u64 + 1),
        other => panic!("expected a report of lost events, got {other:?}"),
    }
    assert_eq!(next_event(&mut subscription).await.0, events[lost + 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_reach_every_subscriber_of_the_process() {
    let bus = LiveBus::Local(LocalBus::default());
    events_reach_every_subscriber_in_order(bus.clone(), bus).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_reach_every_subscriber_of_every_process() {
    let channels = channels();
    events_reach_every_subscriber_in_order(redis_bus(&redis_url(), &channels), redis_bus(&redis_url(), &channels))
        .await;
}

#[tokio::test]
async fn slow_local_subscriber_receives_the_number_of_lost_events() {
    slow_subscriber_receives_the_number_of_lost_events(LiveBus::Local(LocalBus::default())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_redis_subscriber_receives_the_number_of_lost_events() {
    slow_subscriber_receives_the_number_of_lost_events(redis_bus(&redis_url(), &channels())).await;
}

#[tokio::test]
async fn closed_bus_ends_its_subscriptions() {
    let bus = LiveBus::Local(LocalBus::default());
    let mut subscription = bus.subscribe();
    drop(bus);
    assert!(subscription.recv().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_other_programs_are_received_if_known() {
    let channels = channels();
    let bus = redis_bus(&redis_url(), &channels);
    let mut subscription = subscribed(&bus).await;
    let outsider = Outsider::at(&redis_url()).await;
    let (updates, events) = (channels.updates.as_bytes(), channels.events.as_bytes());
    let LiveEvent::Post(theirs) = post("theirs") else { unreachable!() };
    let bare = serde_json::to_vec(&theirs).unwrap();
    // The first four messages are unknown or malformed, so they must be ignored.
    let published: [(&[u8], &[u8]); 6] = [
        (updates, b"no json"),
        (events, br#"{"type":"surprise","data":{}}"#),
        (events, b"\xff\xfe"),
        (events, br#"{"type":"post_deleted","data":{"post_id":""}}"#),
        (updates, &bare),
        (events, br#"{ "type": "post_deleted", "data": {"post_id": "x", "by": "someone"} }"#),
    ];
    for (channel, message) in published {
        assert_eq!(outsider.run::<i64>("PUBLISH", &[channel, message]).await, 1);
    }
    assert_eq!(next_event(&mut subscription).await.0, LiveEvent::Post(theirs));
    assert_eq!(next_event(&mut subscription).await.0, deleted("x"));
}

/// Checks that the bus reports an interruption, and then receives events again.
async fn assert_interrupted(bus: &LiveBus, subscription: &mut Subscription) {
    loop {
        match next(subscription).await {
            Received::Message(LiveMessage::Interrupted) => break,
            // An event that was published before the interruption.
            Received::Message(LiveMessage::Event { .. }) => {}
            Received::Lagged(_) => panic!("the buffer is large enough for these events"),
        }
    }
    // On a busy machine the subscription may be interrupted again, so publishing is repeated.
    let deadline = Instant::now() + DEADLINE;
    loop {
        assert!(Instant::now() < deadline, "the subscription received no event after the interruption");
        let _ = bus.publish(vec![post("after")]).await;
        let heard = tokio::time::timeout(Duration::from_millis(100), subscription.recv()).await;
        match heard {
            Ok(Some(Received::Message(LiveMessage::Event { event, .. }))) if *event == post("after") => return,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_are_notified_of_an_interruption() {
    let mut server = OwnRedis::start();
    let bus = bus_with_short_timeout(&server.url());
    let mut subscription = subscribed(&bus).await;
    server.kill();
    let error = bus.publish(vec![post("lost")]).await.unwrap_err();
    assert!(error.to_string().contains("not available"), "{error}");
    server.run();
    assert_interrupted(&bus, &mut subscription).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_subscription_is_replaced_and_reported() {
    let server = OwnRedis::start();
    let network = Network::to(&server).await;
    let bus = bus_with_short_timeout(&network.url());
    let mut subscription = subscribed(&bus).await;
    network.drop_data_of_open_connections();
    assert_interrupted(&bus, &mut subscription).await;
}
