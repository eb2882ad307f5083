//! Which posts raise an alert: posts of new topics, late feeds, copies and posts with certain words.

use std::time::Duration;

use sentistream::domain::alert::{InstanceState, Transition};
use serde_json::{Value, json};

use super::engine::{Engine, at, posts, rule, states};
use crate::api::test_app::{Setup, TestApp, cases};

cases![
    spike_of_a_new_topic_keeps_firing,
    late_feed_raises_an_alert_when_its_delay_is_known,
    copies_of_one_author_raise_no_alert,
    text_scope_counts_whole_words,
];

async fn spike_of_a_new_topic_keeps_firing(setup: Setup) {
    use InstanceState::Firing;
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    let topic = json!({"name": "leak", "query": "leak"});
    assert_eq!(app.post("/api/topics", &topic).await.status, 201);
    rule(&app, json!({"name": "spike", "kind": "spike", "threshold": 4, "scope": "topic:leak"})).await;
    app.store(&posts("usual", ("web", "love"), 3, at(0))).await;
    engine.evaluate_until(&app, at(7_200)).await;
    // No earlier post matches the topic. In the next 45 minutes, 120 posts match every five minutes.
    for minute in 121_u64..165 {
        app.clock.set(at(minute * 60));
        let mut new = posts(&format!("m{minute}"), ("web", "hate"), 24, at(minute * 60 - 20));
        for post in &mut new {
            post["content"] = json!(format!("I hate the leak, says {}", post["post_id"]));
        }
        app.store(&new).await;
        engine.evaluate().await;
    }
    let all = engine.transitions().await;
    let of_topic: Vec<_> = states(&all, "topic:leak").into_iter().filter(|state| state.is_alerting()).collect();
    assert_eq!(of_topic, [Firing], "{all:?}");
    assert_eq!(app.get("/api/alerts?state=firing").await.ok()["total"], 1);
}

async fn late_feed_raises_an_alert_when_its_delay_is_known(setup: Setup) {
    use InstanceState::Firing;
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    let draft = json!({"name": "unrest", "kind": "share", "threshold": 0.5, "group_by": "source", "min_posts": 5});
    rule(&app, draft.clone()).await;
    // The feed is polled every 30 minutes. Each poll returns the posts since the previous one.
    for poll in 1_u64..=3 {
        let now = at(poll * 1_800);
        app.clock.set(now);
        let new: Vec<Value> = (0..30)
            .flat_map(|minute| {
                let word = if poll == 3 && (10..16).contains(&minute) { "hate" } else { "love" };
                let when = now - Duration::from_secs(60 * (30 - minute) - 5);
                posts(&format!("p{poll}-{minute}"), ("feed", word), 2, when)
            })
            .collect();
        app.store(&new).await;
        engine.evaluate().await;
    }
    engine.evaluate_until(&app, at(5_400 + 1_800)).await;
    let all = engine.transitions().await;
    assert!(states(&all, "source:feed").contains(&Firing), "{all:?}");
    // The backtest takes into account when each post was stored, so it finds the same alert.
    let body = json!({"rule": draft, "start_date": at(1_800), "end_date": at(7_200)});
    let tested = app.post("/api/alerts/rules/backtest", &body).await.ok();
    assert_eq!(tested["firings"].as_array().map(Vec::len), Some(1), "{tested:#}");
    let punctual = json!({"rule": {"kind": "share", "threshold": 0.5, "group_by": "source", "min_posts": 5, "delay": "0s"},
                          "start_date": at(1_800), "end_date": at(7_200)});
    let tested = app.post("/api/alerts/rules/backtest", &punctual).await.ok();
    assert_eq!(tested["firings"], json!([]), "a backtest without a delay evaluates windows before their posts arrive");
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
    engine.evaluate().await;
    let fired: Vec<_> = engine.transitions().await.iter().map(|change| change.labels["alertname"].clone()).collect();
    assert_eq!(fired, ["posts"]);
    // A backtest over the same copies gives the same results.
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
    for text in ["cat", "CAT", "\u{3b5}\u{3be}", "c++", "ber", "tệ", "กาแฟ"] {
        rule(&app, json!({"name": text, "kind": "volume", "threshold": 0, "scope": format!("text:{text}")})).await;
    }
    app.clock.set(at(60));
    let one = |id: &str, text: &str| json!({"post_id": id, "source": "web", "content": text, "created_at": at(30)});
    app.store(&[one("a", "a category of bobcats"), one("b", "\u{3b5}\u{3be}\u{3b9} C++ users über tệp")]).await;
    engine.evaluate().await;
    let fired = |transitions: &[Transition]| -> Vec<String> {
        transitions.iter().filter(|change| change.fires()).map(|change| change.labels["alertname"].clone()).collect()
    };
    assert_eq!(fired(&engine.transitions().await), ["c++"]);
    app.store(&[one("c", "My Cat sleeps"), one("d", "\u{39e}\u{395} \u{3b5}\u{3be}")]).await;
    // Thai does not separate words; the Vietnamese accents are separate characters.
    app.store(&[one("e", "ฉันชอบกาแฟมาก"), one("f", "vu\u{323} te\u{323}\u{302} qua\u{301}")]).await;
    engine.evaluate().await;
    let mut all = fired(&engine.transitions().await);
    all.sort();
    assert_eq!(all, ["CAT", "c++", "cat", "tệ", "\u{3b5}\u{3be}", "กาแฟ"]);
}
