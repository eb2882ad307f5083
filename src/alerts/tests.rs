use std::future::Future;

use diesel::connection::SimpleConnection as _;
use tokio::task::JoinHandle;

use serde_json::json;

use super::*;
use crate::domain::{
    Alert, AlertState, Analysis, Emotion, LiveEvent, Op, Outcome, Post, PostDraft, Scores, Sentiment, Timestamp,
};
use crate::live::{LiveMessage, LocalBus, Received, Subscription};
use crate::sqlite::{Sqlite, SqliteOptions};
use crate::store::Retention;
use crate::store::settle::{Change, Settlement};
use crate::stream::{Consumer, LocalStream, StreamOptions};

/// The longest time that a test waits for a condition.
const DEADLINE: Duration = Duration::from_secs(30);

/// The services of the role: embedded databases, a clock that tests set, and a local live bus.
struct Fixture {
    services: AlertsServices,
    sqlite: Sqlite,
    posts: usize,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sentistream.db");
        let sqlite = Sqlite::open(&SqliteOptions {
            path,
            readers: 2,
            read_timeout: Duration::from_secs(5),
            busy_timeout: Duration::from_secs(5),
        })
        .unwrap();
        let clock = Clock::fixed(Timestamp::from_unix(1_767_225_600).unwrap());
        let retention = Retention { minute_rollups: Duration::from_secs(8 * 86_400) };
        let store = Store::sqlite(sqlite.clone(), retention, clock.clone());
        store.migrate().await.unwrap();
        let options = StreamOptions {
            name: "posts".to_owned(),
            group: "workers".to_owned(),
            dead_letter: "dead".to_owned(),
            processed: "processed".to_owned(),
            processed_max_len: 10,
            processed_max_bytes: 64 << 20,
            dead_letter_max_bytes: 64 << 20,
            claim_idle: Duration::from_secs(30),
            max_backlog: 1_000,
            command_timeout: Duration::from_secs(10),
        };
        let stream = Stream::Local(LocalStream::open(sqlite.clone(), options, clock.clone()).await.unwrap());
        let live = LiveBus::Local(LocalBus::default());
        Self { services: AlertsServices { store, stream, live, clock }, sqlite, posts: 0, _folder: folder }
    }

    fn later(&self, seconds: u64) {
        self.services.clock.set(self.services.clock.now() + Duration::from_secs(seconds));
    }

    /// Advances the clock until no alert is open. Waits after each step until the role has observed the new time.
    async fn until_resolved(&self) {
        for _ in 0..60 {
            if self.open().await.is_empty() {
                return;
            }
            self.later(30);
            let now = self.services.clock.now();
            let observed = || async { self.services.store.observed_until().await.unwrap() >= Some(now) };
            until("the role observes the time", observed).await;
        }
        until("the alerts are resolved", || async { self.open().await.is_empty() }).await;
    }

    /// Stores `count` posts of `source` as a worker does. They were written one second ago.
    async fn post(&mut self, source: &str, sentiment: Sentiment, count: usize) {
        let at = self.services.clock.now() - Duration::from_secs(1);
        let posts: Vec<_> =
            (self.posts..self.posts + count).map(|id| post(source, &format!("post-{id}"), at)).collect();
        self.posts += count;
        let entries = posts.iter().map(|post| Op::Post(post.clone()).to_fields()).collect();
        self.services.stream.append(entries).await.unwrap();
        let worker = Consumer("test".into());
        let claimed = self.services.stream.claim(&worker, count, DEADLINE).await.unwrap();
        assert_eq!(claimed.len(), count);
        let change = |post| Change::Insert { post, analysis: Some(analysis(sentiment)) };
        let settlements =
            claimed.into_iter().zip(posts).map(|(entry, post)| Settlement { key: entry.key, change: change(post) });
        let settled = self.services.store.settle(settlements.collect()).await.unwrap();
        assert!(settled.iter().all(|settled| settled.outcome == Some(Outcome::Analysed)), "{settled:?}");
    }

    fn start(&self, holder: &str) -> Running {
        let shutdown = Shutdown::default();
        let role = tokio::spawn(run(self.services.clone(), options(holder), shutdown.clone()));
        Running { role, shutdown }
    }

    async fn open(&self) -> Vec<(String, String)> {
        let mut open: Vec<_> =
            self.services.store.open_alerts().await.unwrap().into_iter().map(|a| (a.alert_type, a.scope)).collect();
        open.sort();
        open
    }
}

struct Running {
    role: JoinHandle<anyhow::Result<()>>,
    shutdown: Shutdown,
}

impl Running {
    async fn stop(self) {
        self.shutdown.stop();
        let ended = tokio::time::timeout(DEADLINE, self.role).await;
        ended.expect("the role stops").unwrap().unwrap();
    }
}

fn options(holder: &str) -> AlertsOptions {
    let rule = |name: &str, kind: &str, threshold: f64| {
        let rule = json!({"name": name, "kind": kind, "threshold": threshold, "group_by": "source_and_total",
                          "interval": "20ms"});
        RuleSpec::parse(rule).unwrap()
    };
    AlertsOptions {
        interval: Duration::from_millis(20),
        max_lateness: Duration::from_secs(600),
        rules: vec![rule("negative_share", "share", 0.5), rule("negative_ratio", "ratio", 2.0)].into(),
        holder: holder.to_owned(),
        lease_ttl: Duration::from_secs(30),
    }
}

fn post(source: &str, id: &str, at: Timestamp) -> Post {
    let draft = PostDraft {
        post_id: Some(id.to_owned()),
        source: Some(source.to_owned()),
        content: Some("é".repeat(300)),
        ..PostDraft::default()
    };
    draft.validate(at).unwrap()
}

fn analysis(sentiment: Sentiment) -> Analysis {
    let mut scores = Scores::default();
    scores.sentiment[sentiment.index()] = 0.9;
    scores.emotion[Emotion::Anger.index()] = 0.8;
    Analysis::from_scores("test".into(), scores, 5, false)
}

async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let deadline = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < deadline, "timed out before {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn next_alert(subscription: &mut Subscription) -> Alert {
    loop {
        let received = tokio::time::timeout(DEADLINE, subscription.recv()).await.expect("an event arrives");
        let Some(Received::Message(LiveMessage::Event { event, .. })) = received else { panic!("{received:?}") };
        match event.as_ref() {
            LiveEvent::Alert(alert) => return alert.clone(),
            LiveEvent::AlertState(_) => {}
            other => panic!("not an alert: {other:?}"),
        }
    }
}

fn names(alerts: &[(&str, &str)]) -> Vec<(String, String)> {
    alerts.iter().map(|(kind, scope)| ((*kind).to_owned(), (*scope).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alert_about_a_source_opens_with_evidence_and_resolves() {
    let mut fixture = Fixture::new().await;
    let mut live = fixture.services.live.subscribe();
    fixture.post("calm", Sentiment::Positive, 30).await;
    fixture.post("upset", Sentiment::Negative, 12).await;
    fixture.post("upset", Sentiment::Positive, 8).await;
    fixture.post("tiny", Sentiment::Negative, 9).await;
    let running = fixture.start("a");

    let opened = next_alert(&mut live).await;
    assert_eq!((opened.alert_type.as_str(), opened.scope.as_str()), ("negative_share", "source:upset"));
    assert_eq!((opened.state, opened.threshold_value, opened.actual_value), (AlertState::Firing, 0.5, 0.6));
    assert_eq!((opened.post_count, opened.window_end.since(opened.window_start).as_secs()), (20, 300));
    let details = &opened.details;
    assert_eq!(details["counts"], json!({"negative": 12, "neutral": 0, "positive": 8, "total": 20}));
    let evidence = details["evidence"].as_array().unwrap();
    // All posts have the same text, so they are cited once.
    assert_eq!((evidence.len(), &evidence[0]["duplicates"]), (1, &json!(11)));
    assert_eq!(details["top_sources"], json!([{"source": "upset", "count": 12, "posts": 20, "percentage": 100.0}]));
    assert!(evidence.iter().all(|post| post["source"] == "upset" && post["content"] == "é".repeat(200)));
    assert_eq!(fixture.open().await, names(&[("negative_share", "source:upset")]));

    fixture.until_resolved().await;
    let mut resolved = next_alert(&mut live).await;
    // Updates of the firing alert may arrive first.
    while resolved.state == AlertState::Firing {
        resolved = next_alert(&mut live).await;
    }
    assert_eq!((resolved.id, resolved.state), (opened.id, AlertState::Resolved));
    assert!(resolved.resolved_at.is_some());
    assert_eq!(fixture.open().await, []);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alert_window_ends_before_posts_that_are_not_analysed() {
    let mut fixture = Fixture::new().await;
    fixture.post("x", Sentiment::Negative, 20).await;
    let waiting = Op::Post(post("x", "waiting", fixture.services.clock.now()));
    fixture.services.stream.append(vec![waiting.to_fields()]).await.unwrap();
    // Analysis is six minutes behind: a window that ended now would be empty.
    fixture.later(360);
    let running = fixture.start("a");
    let all = names(&[
        ("negative_ratio", "all"),
        ("negative_ratio", "source:x"),
        ("negative_share", "all"),
        ("negative_share", "source:x"),
    ]);
    until("the past window is evaluated", || async { fixture.open().await == all }).await;
    // The window waits for at most `max_lateness`.
    fixture.until_resolved().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standby_takes_over_when_the_leader_stops_or_hangs() {
    let mut fixture = Fixture::new().await;
    let leader =
        || async { fixture.services.store.acquire_lease(LEASE, "test", Duration::ZERO).await.unwrap().is_none() };
    let first = fixture.start("first");
    until("the first instance leads", leader).await;
    let second = fixture.start("second");
    first.stop().await;
    until("the second instance leads", leader).await;

    // A third instance takes over. Then the old lease of the second instance is used, as by an instance that was
    // suspended.
    second.shutdown.stop();
    second.role.await.unwrap().unwrap();
    let silent = Lease { name: LEASE.to_owned(), holder: "second".to_owned(), token: 1 };
    let third = fixture.start("third");
    fixture.post("x", Sentiment::Negative, 10).await;
    until("the third instance opens the alerts", || async { fixture.open().await.len() == 4 }).await;
    let id = fixture.services.store.open_alerts().await.unwrap()[0].id;
    let refused = fixture.services.store.apply_alert_steps(&silent, &[], &[id]).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost(_))), "{refused:?}");
    assert_eq!(fixture.open().await.len(), 4);
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imported_history_of_a_source_raises_no_alert() {
    let mut fixture = Fixture::new().await;
    let began = fixture.services.clock.now();
    let cursor = json!({"source": "x", "span": 86_400, "began": began, "since": began, "posts": 20, "until": null});
    fixture.services.store.keep_cursor("blog/history", &cursor.to_string(), None).await.unwrap();
    fixture.post("x", Sentiment::Negative, 20).await;
    fixture.post("y", Sentiment::Negative, 20).await;
    let running = fixture.start("a");
    let of_y = names(&[("negative_ratio", "source:y"), ("negative_share", "source:y")]);
    until("the other source raises alerts", || async { fixture.open().await == of_y }).await;
    // After six minutes the window contains only posts that are newer than the start of the import.
    for _ in 0..12 {
        fixture.later(30);
        let now = fixture.services.clock.now();
        let observed = || async { fixture.services.store.observed_until().await.unwrap() >= Some(now) };
        until("the role observes the time", observed).await;
    }
    fixture.post("x", Sentiment::Negative, 20).await;
    until("the source raises alerts", || async {
        let open = fixture.open().await;
        names(&[("negative_share", "all"), ("negative_share", "source:x")]).iter().all(|alert| open.contains(alert))
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_alert_is_published_if_the_update_of_another_fails() {
    let mut fixture = Fixture::new().await;
    let (services, options) = (fixture.services.clone(), options("a"));
    provision(&services.store, &options.rules.current()).await.unwrap();
    let lease = services.store.acquire_lease(LEASE, &options.holder, options.lease_ttl).await.unwrap().unwrap();
    // Every rule is due, because each evaluation has a new memory.
    let evaluate = async || Box::pin(tick(&services, &options, &lease, &mut Memory::default())).await;
    fixture.post("x", Sentiment::Negative, 20).await;
    evaluate().await.unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE UPDATE OF actual_value ON sentiment_alerts \
                  BEGIN SELECT RAISE(ABORT, 'refused'); END";
    fixture.sqlite.write(move |c| c.batch_execute(refuse)).await.unwrap();
    let mut live = services.live.subscribe();
    fixture.post("y", Sentiment::Negative, 20).await;
    assert!(evaluate().await.is_err());
    assert_eq!(next_alert(&mut live).await.scope, "source:y");
    let stored = fixture.open().await;
    assert!(stored.contains(&("negative_share".to_owned(), "source:y".to_owned())), "{stored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cached_series_of_a_deleted_spike_rule_are_removed() {
    let fixture = Fixture::new().await;
    let (services, options) = (fixture.services.clone(), options("a"));
    let lease = services.store.acquire_lease(LEASE, &options.holder, options.lease_ttl).await.unwrap().unwrap();
    let spike = RuleSpec::parse(json!({"name": "more_posts", "kind": "spike", "threshold": 3.0})).unwrap();
    let mut memory = Memory::default();
    for (rules, empty) in [(&[spike][..], false), (&[][..], true)] {
        services.store.provision_alert_rules(rules).await.unwrap();
        Box::pin(tick(&services, &options, &lease, &mut memory)).await.unwrap();
        assert_eq!(format!("{memory:?}").contains("QuarterCache({})"), empty, "{rules:?}");
    }
}
