//! Rules over scripted posts and a clock that is set: transition by transition, each by another instance.

use std::time::Duration;

use sentistream::alerts::{AlertsOptions, AlertsRooms, LEASE, Memory, tick};
use sentistream::domain::alert::{InstanceState, Transition};
use sentistream::domain::{LiveEvent, Timestamp};
use sentistream::live::{LiveMessage, Received};
use serde_json::{Value, json};

use super::test_app::{START, Setup, TestApp, cases};

cases![
    each_state_is_reached_once_and_survives_a_restart,
    every_source_has_an_alert_of_its_own,
    a_source_that_falls_silent_is_missed,
    texts_and_authors_are_watched_until_their_rule_is_disabled,
    a_topic_is_watched_until_it_is_dropped,
    an_alert_tells_why,
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

async fn each_state_is_reached_once_and_survives_a_restart(setup: Setup) {
    use InstanceState::{Firing, NoData, Normal, Pending, Recovering};
    let app = TestApp::start(setup).await;
    let mut live = app.rooms.live.subscribe();
    let mut engine = Engine::new(&app);
    let id = rule(
        &app,
        json!({"name": "unrest", "kind": "share", "threshold": 0.5, "window": "5min", "min_posts": 5,
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
        let received = tokio::time::timeout(super::test_app::PATIENCE, live.recv()).await.expect("events come");
        let Some(Received::Message(LiveMessage::Event { event, .. })) = received else { panic!("{received:?}") };
        if let LiveEvent::AlertState(transition) = event.as_ref() {
            heard.push(transition.clone());
        }
    }
    assert_eq!(heard, all);
}

async fn every_source_has_an_alert_of_its_own(setup: Setup) {
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

    // Silence is nothing to judge, so the alert is over.
    app.clock.set(at(600));
    engine.look().await;
    let all = engine.transitions().await;
    assert_eq!(states(&all, "source:web"), [Firing, NoData]);
    assert_eq!(states(&all, "all"), [NoData]);
    assert_eq!(all.iter().filter(|change| change.resolves()).count(), 1);
}

async fn a_source_that_falls_silent_is_missed(setup: Setup) {
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
    app.clock.set(at(900));
    app.store(&posts("c", ("reddit", "love"), 1, at(870))).await;
    engine.look().await;
    // It is missed for longer than it is remembered.
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

async fn texts_and_authors_are_watched_until_their_rule_is_disabled(setup: Setup) {
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

async fn a_topic_is_watched_until_it_is_dropped(setup: Setup) {
    use InstanceState::{Error, Firing, Normal};
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    let draft = json!({"name": "acme", "kind": "share", "threshold": 0.5, "scope": "topic:acme", "window": "5min",
                       "group_by": "source_and_total"});
    let refused = app.post("/api/alerts/rules", &draft).await;
    assert_eq!(refused.problem(422), ["scope"]);
    assert!(refused.text().contains("there is no topic acme"), "{}", refused.text());
    assert_eq!(app.post("/api/alerts/rules/backtest", &json!({"rule": draft})).await.problem(422), ["rule.scope"]);
    let topic = json!({"name": "acme", "query": "number"});
    assert_eq!(app.post("/api/topics", &topic).await.status, 201);
    rule(&app, draft.clone()).await;
    rule(&app, json!({"name": "spike", "kind": "spike", "threshold": 3, "scope": "topic:acme", "min_posts": 5})).await;

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
    assert_eq!(details["top_terms"][0]["term"], "hate", "{details}");
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

async fn an_alert_tells_why(setup: Setup) {
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    rule(&app, json!({"name": "unrest", "kind": "share", "threshold": 0.5})).await;
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
    assert!(terms[..2].contains(&json!("checkout")) && terms[..2].contains(&json!("broken")), "{terms:?}");
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
