//! Rules over scripted posts and a clock that is set: transition by transition, each by another instance.

use std::time::Duration;

use sentistream::alerts::{AlertsOptions, AlertsRooms, LEASE, Memory, tick};
use sentistream::domain::alert::{InstanceState, Transition};
use sentistream::domain::{LiveEvent, Timestamp};
use sentistream::live::{LiveMessage, Received};
use serde_json::{Value, json};

use super::test_app::{START, Setup, TestApp, cases};

cases![
    brief_downtime_leaves_alerts_as_they_are,
    spike_of_a_new_topic_fires_and_stays,
    late_feed_fires_once_its_delay_is_known,
    copies_of_one_author_raise_no_alert,
    text_scope_counts_whole_words,
    series_keeps_its_state_over_restarts,
    grouped_rule_raises_an_alert_per_source,
    absence_fires_for_a_silent_source,
    disabled_rule_resolves_its_alerts,
    rule_of_a_deleted_topic_is_in_error,
    alert_carries_evidence,
];

fn at(seconds: u64) -> Timestamp {
    START.parse::<Timestamp>().expect("a time") + Duration::from_secs(seconds)
}

/// The instances that keep alerts, one after the other.
struct Engine {
    rooms: AlertsRooms,
    instances: u32,
}

impl Engine {
    fn new(app: &TestApp) -> Self {
        let rooms = AlertsRooms {
            store: app.rooms.store.clone(),
            stream: app.rooms.stream.clone(),
            live: app.rooms.live.clone(),
            clock: app.clock.clone(),
        };
        Self { rooms, instances: 0 }
    }

    /// A new instance takes over, looks once, and leaves: nothing is remembered but what is stored.
    async fn look(&mut self) {
        self.instances += 1;
        let options = AlertsOptions {
            interval: Duration::from_secs(15),
            max_lateness: Duration::from_secs(600),
            rules: Vec::new(),
            holder: format!("instance {}", self.instances),
            lease_ttl: Duration::from_secs(30),
        };
        let lease = self.rooms.store.acquire_lease(LEASE, &options.holder, options.lease_ttl).await.expect("the store");
        let lease = lease.expect("nobody else acts");
        tick(&self.rooms, &options, &lease, &mut Memory::default()).await.expect("a look");
        self.rooms.store.release_lease(&lease).await.expect("the store");
    }

    /// Looks every minute until `end`.
    async fn look_until(&mut self, app: &TestApp, end: Timestamp) {
        while app.clock.now() < end {
            app.clock.set((app.clock.now() + Duration::from_secs(60)).min(end));
            self.look().await;
        }
    }

    async fn transitions(&self) -> Vec<Transition> {
        self.rooms.store.transitions_after(0, 1_000).await.expect("the store")
    }
}

/// `count` posts of `source` at `at`, of which `mood` is a word.
fn posts(prefix: &str, (source, mood): (&str, &str), count: usize, at: Timestamp) -> Vec<Value> {
    let one = |n| {
        json!({"post_id": format!("{prefix}-{mood}-{n}"), "source": source, "author": format!("author {}", n % 7),
               "content": format!("I {mood} this number {n}"), "created_at": at})
    };
    (0..count).map(one).collect()
}

async fn rule(app: &TestApp, rule: Value) -> i64 {
    let created = app.post("/api/alerts/rules", &rule).await;
    assert_eq!(created.status, 201, "{}", created.text());
    created.json()["id"].as_i64().expect("an id")
}

fn states(transitions: &[Transition], scope: &str) -> Vec<InstanceState> {
    transitions.iter().filter(|change| change.scope == scope).map(|change| change.to_state).collect()
}

async fn series_keeps_its_state_over_restarts(setup: Setup) {
    use InstanceState::{Firing, NoData, Normal, Pending, Recovering};
    let app = TestApp::start(setup).await;
    let mut live = app.rooms.live.subscribe();
    let mut engine = Engine::new(&app);
    let id = rule(
        &app,
        json!({"name": "unrest", "kind": "share", "threshold": 0.5, "window": "5min", "min_posts": 5, "delay": "0s",
        "for": "2min", "keep_firing_for": "2min", "severity": "critical", "labels": {"team": "care"},
        "annotations": {"summary": "{{value}} of {{posts}} in {{window}}"}}),
    )
    .await;
    /// A minute, the posts that come then (when they were written, hateful, loving), and where the rule stands after it.
    type Step = (u64, &'static [(u64, usize, usize)], InstanceState);
    let script: [Step; 14] = [
        (0, &[], NoData),
        (1, &[(1, 0, 6)], Normal),
        (2, &[(2, 10, 0)], Pending),
        (3, &[], Pending),
        (4, &[], Firing),
        (5, &[(5, 0, 20)], Recovering),
        (6, &[(6, 40, 0)], Firing),
        (7, &[(7, 0, 60)], Recovering),
        (8, &[], Recovering),
        (9, &[], Normal),
        // Posts that come four minutes late count where they belong.
        (10, &[(6, 50, 0)], Pending),
        (11, &[], NoData),
        (12, &[(12, 8, 0)], Pending),
        (14, &[], Firing),
    ];
    let mut before = Normal;
    let mut expected = Vec::new();
    for (minute, written, state) in script {
        app.clock.set(at(minute * 60));
        for &(when, hateful, loving) in written {
            let when = at(when * 60) - Duration::from_millis(10_500);
            let prefix = format!("m{minute}");
            let mut new = posts(&prefix, ("web", "hate"), hateful, when);
            new.extend(posts(&prefix, ("web", "love"), loving, when));
            app.store(&new).await;
        }
        if minute == 11 {
            // The only posts that are left in the window are taken back.
            for n in 0..60 {
                assert_eq!(app.delete(&format!("/api/posts/m7-love-{n}")).await.status, 204);
            }
        }
        engine.look().await;
        engine.look().await;
        if state != before {
            expected.push((before, state, at(minute * 60)));
        }
        before = state;
        let written: Vec<_> =
            engine.transitions().await.iter().map(|change| (change.from_state, change.to_state, change.at)).collect();
        assert_eq!(written, expected, "minute {minute}");
    }

    let list = app.get("/api/alerts").await.ok();
    assert_eq!(list["total"], 2, "two alerts, each opened once");
    let (second, first) = (&list["alerts"][0], &list["alerts"][1]);
    assert_eq!((&first["state"], &first["resolved_at"]), (&json!("resolved"), &json!(at(9 * 60))));
    assert_eq!(
        (&second["state"], &second["phase"], &second["severity"]),
        (&json!("firing"), &json!("firing"), &json!("critical"))
    );
    assert_eq!(
        (&first["alert_type"], &first["scope"], &first["rule_id"]),
        (&json!("unrest"), &json!("all"), &json!(id))
    );
    assert_eq!(
        first["labels"],
        json!({"alertname": "unrest", "severity": "critical", "kind": "share",
        "rule_id": id.to_string(), "team": "care"})
    );
    assert_eq!(first["annotations"]["summary"], "0.625 of 16 in 5min");
    let detail = app.get(&format!("/api/alerts/{}", first["id"])).await.ok();
    let line: Vec<_> =
        detail["timeline"].as_array().expect("a time line").iter().map(|t| t["to_state"].clone()).collect();
    assert_eq!(line, ["firing", "recovering", "firing", "recovering", "normal"].map(|state| json!(state)));

    // The rule goes, and its alert with it.
    let rules = app.get("/api/alerts/rules").await.ok();
    assert_eq!(
        (&rules["rules"][0]["state"], &rules["rules"][0]["series"][0]["scope"]),
        (&json!("firing"), &json!("all"))
    );
    let delete = app.request(reqwest::Method::DELETE, &format!("/api/alerts/rules/{id}")).header("if-match", "\"1\"");
    assert_eq!(app.send(delete).await.status, 204);
    engine.look().await;
    engine.look().await;
    let all = engine.transitions().await;
    assert_eq!((all.len(), all[all.len() - 1].to_state), (expected.len() + 1, Normal));
    assert!(all[all.len() - 1].reason.as_deref().is_some_and(|reason| reason.contains("deleted")));
    assert_eq!(app.get("/api/alerts?state=firing").await.ok()["total"], 0);

    // Live clients heard of each of them, in their order.
    let mut heard = Vec::new();
    while heard.len() < all.len() {
        let received = tokio::time::timeout(super::test_app::DEADLINE, live.recv()).await.expect("events come");
        let Some(Received::Message(LiveMessage::Event { event, .. })) = received else { panic!("{received:?}") };
        if let LiveEvent::AlertState(transition) = event.as_ref() {
            heard.push(transition.clone());
        }
    }
    assert_eq!(heard, all);
}

async fn grouped_rule_raises_an_alert_per_source(setup: Setup) {
    use InstanceState::{Firing, NoData};
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    rule(
        &app,
        json!({"name": "unrest", "kind": "ratio", "threshold": 2, "window": "5min",
        "group_by": "source_and_total", "annotations": {"summary": "{{source}}"}}),
    )
    .await;
    app.clock.set(at(60));
    let mut new = posts("a", ("web", "hate"), 12, at(30));
    new.extend(posts("b", ("reddit", "hate"), 9, at(30)));
    new.extend(posts("c", ("bluesky", "love"), 30, at(30)));
    app.store(&new).await;
    engine.look().await;
    let all = engine.transitions().await;
    assert_eq!(
        all.iter().map(|change| change.scope.as_str()).collect::<Vec<_>>(),
        ["source:web"],
        "few or loving posts"
    );
    assert_eq!((all[0].labels["source"].as_str(), all[0].annotations["summary"].as_str()), ("web", "web"));
    assert_eq!(all[0].value, Some(12.0));

    // Without posts the alert is over.
    engine.look_until(&app, at(600)).await;
    let all = engine.transitions().await;
    assert_eq!(states(&all, "source:web"), [Firing, NoData]);
    assert_eq!(states(&all, "all"), [NoData]);
    assert_eq!(all.iter().filter(|change| change.resolves()).count(), 1);
}

async fn absence_fires_for_a_silent_source(setup: Setup) {
    use InstanceState::{Firing, Normal};
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    rule(&app, json!({"name": "silence", "kind": "absence", "window": "10min", "group_by": "source"})).await;
    app.clock.set(at(60));
    let mut new = posts("a", ("web", "love"), 2, at(30));
    new.extend(posts("b", ("reddit", "love"), 2, at(30)));
    app.store(&new).await;
    engine.look().await;
    assert_eq!(engine.transitions().await, []);
    engine.look_until(&app, at(480)).await;
    app.store(&posts("reddit", ("reddit", "love"), 1, at(470))).await;
    engine.look_until(&app, at(840)).await;
    app.clock.set(at(900));
    app.store(&posts("c", ("reddit", "love"), 1, at(870))).await;
    engine.look().await;
    // It is missed for longer than a day. Posts are stored meanwhile, so that this is no downtime.
    app.clock.set(at(40_000));
    app.store(&posts("between", ("reddit", "love"), 1, at(39_990))).await;
    app.clock.set(at(100_000));
    app.store(&posts("d", ("reddit", "love"), 1, at(99_990))).await;
    engine.look().await;
    let all = engine.transitions().await;
    assert_eq!((states(&all, "source:web"), states(&all, "source:reddit")), (vec![Firing], vec![]));
    app.clock.set(at(100_060));
    app.store(&posts("e", ("web", "love"), 1, at(100_050))).await;
    engine.look().await;
    assert_eq!(states(&engine.transitions().await, "source:web"), [Firing, Normal]);
}

async fn disabled_rule_resolves_its_alerts(setup: Setup) {
    use InstanceState::Firing;
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    rule(&app, json!({"name": "train", "kind": "volume", "threshold": 3, "scope": "text:this number"})).await;
    rule(
        &app,
        json!({"name": "ann", "kind": "share", "of": "emotion:anger", "threshold": 0.5, "scope": "author:author 1",
        "min_posts": 2}),
    )
    .await;
    app.clock.set(at(60));
    app.store(&posts("a", ("web", "hate"), 12, at(30))).await;
    engine.look().await;
    let all = engine.transitions().await;
    assert_eq!((states(&all, "text:this number"), states(&all, "author:author 1")), (vec![Firing], vec![Firing]));
    assert_eq!((all[0].value, all[0].labels["text"].as_str()), (Some(12.0), "this number"));
    // A rule that is disabled lets its alert go.
    let rules = app.get("/api/alerts/rules").await.ok()["rules"].clone();
    let mut draft = rules[0].clone();
    for field in ["id", "version", "provisioned", "created_at", "updated_at", "state", "series"] {
        draft.as_object_mut().expect("a rule").remove(field);
    }
    draft["enabled"] = json!(false);
    let path = format!("/api/alerts/rules/{}", rules[0]["id"]);
    let put = app.request(reqwest::Method::PUT, &path).header("if-match", "\"1\"").json(&draft);
    assert_eq!(app.send(put).await.ok()["version"], 2);
    engine.look().await;
    let open = app.get("/api/alerts?state=firing").await.ok();
    assert_eq!((&open["total"], &open["alerts"][0]["alert_type"]), (&json!(1), &json!("ann")));
}

async fn rule_of_a_deleted_topic_is_in_error(setup: Setup) {
    use InstanceState::{Error, Firing, Normal};
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    let draft = json!({"name": "acme", "kind": "share", "threshold": 0.5, "scope": "topic:acme", "window": "5min",
                       "delay": "0s", "group_by": "source_and_total"});
    let refused = app.post("/api/alerts/rules", &draft).await;
    assert_eq!(refused.problem(422), ["scope"]);
    assert!(refused.text().contains("there is no topic acme"), "{}", refused.text());
    assert_eq!(app.post("/api/alerts/rules/backtest", &json!({"rule": draft})).await.problem(422), ["rule.scope"]);
    let topic = json!({"name": "acme", "query": "number"});
    assert_eq!(app.post("/api/topics", &topic).await.status, 201);
    rule(&app, draft.clone()).await;
    rule(
        &app,
        json!({"name": "spike", "kind": "spike", "threshold": 3, "scope": "topic:acme", "min_posts": 5,
                       "delay": "0s"}),
    )
    .await;

    // Posts about something else do not count, however sad they are.
    let start = START.parse::<Timestamp>().expect("a time");
    let mut usual: Vec<Value> = (0..9)
        .flat_map(|n| {
            let when = at(300 * n + 30);
            posts(&format!("u{n}"), ("web", "love"), 1, when)
        })
        .collect();
    app.clock.set(at(2_460));
    let mut noise = posts("noise", ("web", "hate"), 20, at(2_400));
    for post in &mut noise {
        post["content"] = json!("I hate the weather");
    }
    usual.append(&mut noise);
    app.store(&usual).await;
    engine.look().await;
    assert_eq!(states(&engine.transitions().await, "topic:acme"), []);
    app.store(&posts("a", ("web", "hate"), 12, at(2_400))).await;
    engine.look().await;
    let all = engine.transitions().await;
    assert_eq!(states(&all, "topic:acme"), [Firing, Firing]);
    assert_eq!(states(&all, "topic:acme,source:web"), [Firing]);
    let labels = &all.iter().find(|change| change.scope == "topic:acme,source:web").expect("it fires").labels;
    assert_eq!((labels["topic"].as_str(), labels["source"].as_str()), ("acme", "web"));

    let alerts = app.get("/api/alerts?alert_type=acme").await.ok();
    let details = &alerts["alerts"][0]["details"];
    assert_eq!(details["counts"]["total"], 13);
    assert!(details["link"].as_str().expect("a link").contains("topic=acme"), "{details}");
    let evidence = details["evidence"].as_array().expect("posts");
    assert!(evidence.iter().all(|post| post["content"].as_str().is_some_and(|text| text.contains("number"))));
    // There was no unhappy post before: the words are compared with those of happy ones.
    assert!(details["top_terms"][0]["term"].as_str().is_some_and(|term| term.contains("hate")), "{details}");
    let period = json!({"rule": draft, "start_date": start, "end_date": at(2_460)});
    let tested = app.post("/api/alerts/rules/backtest", &period).await.ok();
    assert_eq!(tested["firings"][0]["fired_at"], json!(at(2_460)), "{tested:#}");

    // Nothing can be said of a topic that is not tracked any more; what fires goes on until somebody decides.
    app.clock.set(at(2_520));
    assert_eq!(app.delete("/api/topics/acme").await.status, 204);
    engine.look().await;
    let rules = app.get("/api/alerts/rules").await.ok();
    let reason = rules["rules"][0]["series"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("there is no topic acme"), "{reason}");
    assert!(!engine.transitions().await.iter().any(|change| [Normal, Error].contains(&change.to_state)));
}

async fn alert_carries_evidence(setup: Setup) {
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    rule(&app, json!({"name": "unrest", "kind": "share", "threshold": 0.5, "delay": "0s"})).await;
    app.clock.set(at(3_600));
    let mut earlier = posts("earlier", ("web", "love"), 120, at(600));
    earlier.extend(posts("grumbling", ("web", "hate"), 30, at(600)));
    app.store(&earlier).await;
    let mut outage: Vec<Value> = posts("outage", ("reddit", "hate"), 20, at(3_540));
    for (n, post) in outage.iter_mut().enumerate() {
        let words =
            ["checkout is broken again, so sad", "nobody can pay, checkout broken", "my basket, the checkout: broken"]
                [n % 3];
        post["content"] = json!(format!("I hate it: {words} https://x.example/{n}"));
    }
    outage.extend(posts("calm", ("web", "love"), 5, at(3_540)));
    app.store(&outage).await;
    engine.look().await;

    let alert = app.get("/api/alerts").await.ok()["alerts"][0].clone();
    let details = &alert["details"];
    assert_eq!(details["counts"], json!({"negative": 20, "neutral": 0, "positive": 5, "total": 25}));
    assert_eq!((&details["value"], &details["threshold"]), (&json!(0.8), &json!(0.5)));
    assert_eq!(details["top_sources"][0], json!({"source": "reddit", "count": 20, "posts": 20, "percentage": 100.0}));
    let terms: Vec<_> =
        details["top_terms"].as_array().expect("terms").iter().map(|term| term["term"].clone()).collect();
    let named = |word: &str| terms[..3].iter().any(|term| term.as_str().is_some_and(|term| term.contains(word)));
    assert!(named("checkout") && named("broken"), "{terms:?}");
    let evidence = details["evidence"].as_array().expect("posts");
    let duplicates: u64 = evidence.iter().map(|post| post["duplicates"].as_u64().expect("a number")).sum();
    assert_eq!((evidence.len(), duplicates), (3, 17), "{evidence:#?}");
    assert_eq!(
        details["link"],
        "/posts?from=2026%2D03%2D01T13%3A25%3A00%2E000Z&to=2026%2D03%2D01T13%3A30%3A00%2E000Z&sentiment=negative"
    );
    let authors = details["top_authors"].as_array().expect("authors").clone();
    assert_eq!((authors.len(), &authors[0]["count"]), (7, &json!(3)));

    // A post that is deleted is evidence no more, and an author without posts is gone.
    let cited = evidence[0]["post_id"].as_str().expect("an id");
    assert_eq!(app.delete(&format!("/api/posts/{cited}")).await.status, 204);
    let of_first = authors[0]["post_ids"].as_array().expect("posts");
    for id in of_first.iter().filter_map(Value::as_str).filter(|id| *id != cited) {
        assert_eq!(app.delete(&format!("/api/posts/{id}")).await.status, 204);
    }
    let after = app.get(&format!("/api/alerts/{}", alert["id"])).await.ok();
    let text = after["details"].to_string();
    assert!(!text.contains(&format!("\"{cited}\"")), "{text}");
    assert!(!text.contains(&format!("{}", authors[0]["author"])), "{text}");
}

async fn brief_downtime_leaves_alerts_as_they_are(setup: Setup) {
    use InstanceState::Firing;
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    rule(&app, json!({"name": "unrest", "kind": "share", "threshold": 0.5, "window": "1min", "min_posts": 5})).await;
    rule(&app, json!({"name": "silence", "kind": "absence", "window": "1min"})).await;
    for second in [60, 75, 90] {
        app.clock.set(at(second));
        app.store(&posts(&format!("s{second}"), ("web", "hate"), 8, at(second - 5))).await;
        engine.look().await;
    }
    // 62 seconds later nothing was collected meanwhile.
    app.clock.set(at(152));
    engine.look().await;
    app.clock.set(at(167));
    app.store(&posts("again", ("web", "hate"), 8, at(160))).await;
    engine.look().await;
    let all = engine.transitions().await;
    assert_eq!(states(&all, "all"), [Firing], "{all:?}");
}

async fn spike_of_a_new_topic_fires_and_stays(setup: Setup) {
    use InstanceState::Firing;
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    let topic = json!({"name": "leak", "query": "leak"});
    assert_eq!(app.post("/api/topics", &topic).await.status, 201);
    rule(&app, json!({"name": "spike", "kind": "spike", "threshold": 4, "scope": "topic:leak"})).await;
    app.store(&posts("usual", ("web", "love"), 3, at(0))).await;
    engine.look_until(&app, at(7_200)).await;
    // No post was ever about it; now there are 120 in every five minutes, for three quarters of an hour.
    for minute in 121_u64..165 {
        app.clock.set(at(minute * 60));
        let mut new = posts(&format!("m{minute}"), ("web", "hate"), 24, at(minute * 60 - 20));
        for post in &mut new {
            post["content"] = json!(format!("I hate the leak, says {}", post["post_id"]));
        }
        app.store(&new).await;
        engine.look().await;
    }
    let all = engine.transitions().await;
    let of_topic: Vec<_> = states(&all, "topic:leak").into_iter().filter(|state| state.is_alerting()).collect();
    assert_eq!(of_topic, [Firing], "{all:?}");
    assert_eq!(app.get("/api/alerts?state=firing").await.ok()["total"], 1);
}

async fn late_feed_fires_once_its_delay_is_known(setup: Setup) {
    use InstanceState::Firing;
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    let draft = json!({"name": "unrest", "kind": "share", "threshold": 0.5, "group_by": "source", "min_posts": 5});
    rule(&app, draft.clone()).await;
    // The feed is polled every half hour, and each time brings the posts of the time since then.
    for poll in 1_u64..=3 {
        let now = at(poll * 1_800);
        app.clock.set(now);
        let new: Vec<Value> = (0..30)
            .flat_map(|minute| {
                let mood = if poll == 3 && (10..16).contains(&minute) { "hate" } else { "love" };
                let when = now - Duration::from_secs(60 * (30 - minute) - 5);
                posts(&format!("p{poll}-{minute}"), ("feed", mood), 2, when)
            })
            .collect();
        app.store(&new).await;
        engine.look().await;
    }
    engine.look_until(&app, at(5_400 + 1_800)).await;
    let all = engine.transitions().await;
    assert!(states(&all, "source:feed").contains(&Firing), "{all:?}");
    // The backtest replays what was stored when, and finds the same.
    let body = json!({"rule": draft, "start_date": at(1_800), "end_date": at(7_200)});
    let tested = app.post("/api/alerts/rules/backtest", &body).await.ok();
    assert_eq!(tested["firings"].as_array().map(Vec::len), Some(1), "{tested:#}");
    let punctual = json!({"rule": {"kind": "share", "threshold": 0.5, "group_by": "source", "min_posts": 5, "delay": "0s"},
                          "start_date": at(1_800), "end_date": at(7_200)});
    let tested = app.post("/api/alerts/rules/backtest", &punctual).await.ok();
    assert_eq!(tested["firings"], json!([]), "without a delay the posts come too late");
}

async fn copies_of_one_author_raise_no_alert(setup: Setup) {
    use InstanceState::Firing;
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    let draft = |name: &str, more: Value| {
        let mut rule = json!({"name": name, "kind": "share", "threshold": 0.5, "significance": 0.0001});
        rule.as_object_mut().expect("a rule").extend(more.as_object().expect("fields").clone());
        rule
    };
    rule(&app, draft("posts", json!({}))).await;
    rule(&app, draft("texts", json!({"distinct": "texts"}))).await;
    rule(&app, draft("authors", json!({"distinct": "authors"}))).await;
    rule(&app, draft("three authors", json!({"min_authors": 3}))).await;
    app.clock.set(at(60));
    let copies: Vec<Value> = (0..60)
        .map(|n| {
            json!({"post_id": format!("copy-{n}"), "source": "web", "author": "bot", "created_at": at(40),
                   "content": format!("I hate Acme, stay away from these people https://x.example/{n}")})
        })
        .collect();
    app.store(&copies).await;
    app.store(&posts("calm", ("web", "love"), 20, at(45))).await;
    engine.look().await;
    let fired: Vec<_> = engine.transitions().await.iter().map(|change| change.labels["alertname"].clone()).collect();
    assert_eq!(fired, ["posts"]);
    // With the same copies a backtest agrees.
    for (more, firings) in [(json!({}), 1), (json!({"distinct": "texts"}), 0), (json!({"min_authors": 3}), 0)] {
        let body = json!({"rule": draft("x", more), "start_date": at(0), "end_date": at(60)});
        let tested = app.post("/api/alerts/rules/backtest", &body).await.ok();
        assert_eq!(tested["firings"].as_array().map(Vec::len), Some(firings), "{tested:#}");
    }
    assert_eq!(states(&engine.transitions().await, "all"), [Firing]);
}

async fn text_scope_counts_whole_words(setup: Setup) {
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    for text in ["cat", "CAT", "\u{3b5}\u{3be}", "c++"] {
        rule(&app, json!({"name": text, "kind": "volume", "threshold": 0, "scope": format!("text:{text}")})).await;
    }
    app.clock.set(at(60));
    let one = |id: &str, text: &str| json!({"post_id": id, "source": "web", "content": text, "created_at": at(30)});
    app.store(&[one("a", "a category of bobcats"), one("b", "\u{3b5}\u{3be}\u{3b9} C++ users")]).await;
    engine.look().await;
    let fired = |transitions: &[Transition]| -> Vec<String> {
        transitions.iter().filter(|change| change.fires()).map(|change| change.labels["alertname"].clone()).collect()
    };
    assert_eq!(fired(&engine.transitions().await), ["c++"]);
    app.store(&[one("c", "My Cat sleeps"), one("d", "\u{39e}\u{395} \u{3b5}\u{3be}")]).await;
    engine.look().await;
    let mut all = fired(&engine.transitions().await);
    all.sort();
    assert_eq!(all, ["CAT", "c++", "cat", "\u{3b5}\u{3be}"]);
}
