//! Rules that cannot be evaluated.

use sentistream::domain::Timestamp;
use sentistream::domain::alert::InstanceState;
use serde_json::{Value, json};

use super::engine::{Engine, at, posts, rule, states};
use crate::api::test_app::{START, Setup, TestApp, cases};

cases![rule_of_a_deleted_topic_is_in_error,];

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

    // Posts that do not match the topic do not count, whatever their sentiment.
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
    engine.evaluate().await;
    assert_eq!(states(&engine.transitions().await, "topic:acme"), []);
    app.store(&posts("a", ("web", "hate"), 12, at(2_400))).await;
    engine.evaluate().await;
    let all = engine.transitions().await;
    assert_eq!(states(&all, "topic:acme"), [Firing, Firing]);
    assert_eq!(states(&all, "topic:acme,source:web"), [Firing]);
    let labels = &all.iter().find(|change| change.scope == "topic:acme,source:web").expect("the series fires").labels;
    assert_eq!((labels["topic"].as_str(), labels["source"].as_str()), ("acme", "web"));

    let alerts = app.get("/api/alerts?alert_type=acme").await.ok();
    let details = &alerts["alerts"][0]["details"];
    assert_eq!(details["counts"]["total"], 13);
    assert!(details["link"].as_str().expect("a link").contains("topic=acme"), "{details}");
    let evidence = details["evidence"].as_array().expect("posts");
    assert!(evidence.iter().all(|post| post["content"].as_str().is_some_and(|text| text.contains("number"))));
    // No earlier post is negative, so the words are compared with those of positive posts.
    assert!(details["top_terms"][0]["term"].as_str().is_some_and(|term| term.contains("hate")), "{details}");
    let period = json!({"rule": draft, "start_date": start, "end_date": at(2_460)});
    let tested = app.post("/api/alerts/rules/backtest", &period).await.ok();
    assert_eq!(tested["firings"][0]["fired_at"], json!(at(2_460)), "{tested:#}");

    // The rule cannot be evaluated when its topic is no longer tracked. Its firing alerts remain open.
    app.clock.set(at(2_520));
    assert_eq!(app.delete("/api/topics/acme").await.status, 204);
    engine.evaluate().await;
    let rules = app.get("/api/alerts/rules").await.ok();
    let reason = rules["rules"][0]["series"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("there is no topic acme"), "{reason}");
    assert!(!engine.transitions().await.iter().any(|change| [Normal, Error].contains(&change.to_state)));

    // Each rule that cannot be evaluated raises an alert, even while alerts of the rule are open.
    app.clock.set(at(2_580));
    engine.evaluate().await;
    let failing = app.get("/api/alerts?alert_type=RuleFailing&state=firing").await.ok();
    assert_eq!(failing["total"], 2, "{failing:#}");
    let named = failing["alerts"].as_array().expect("alerts").iter().map(|alert| alert["scope"].clone());
    assert!(named.eq([json!("rule:spike"), json!("rule:acme")]), "{failing:#}");
    let description = failing["alerts"][0]["annotations"]["description"].as_str().expect("a description");
    assert!(description.contains("there is no topic acme"), "{description}");
    // The alert is resolved when the rule can be evaluated again.
    assert_eq!(app.post("/api/topics", &topic).await.status, 201);
    engine.evaluate_until(&app, at(2_820)).await;
    assert_eq!(app.get("/api/alerts?alert_type=RuleFailing&state=firing").await.ok()["total"], 0);
}
