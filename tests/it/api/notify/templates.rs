//! The texts of messages: descriptions of what happened, and templates.

use serde_json::json;

use super::super::test_app::{Setup, cases};
use super::MINUTE;
use super::fakes::Hook;
use super::harness::Harness;
use sentistream::domain::alert::RuleSpec;

cases!(
    message_contains_a_sentence_posts_and_links,
    summary_of_a_configured_rule_is_kept,
    templates_replace_title_and_text,
    template_preview_names_errors,
);

async fn message_contains_a_sentence_posts_and_links(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    let now = harness.app.clock.now();
    let post = |id: usize, text: &str, hours: u32| json!({"post_id": id.to_string(), "source": "web", "content": text, "created_at": now - hours * 60 * MINUTE});
    let posts: Vec<_> = (0..8).map(|id| post(id, if id < 2 { "I hate it" } else { "I love it" }, 3)).collect();
    harness.app.store(&posts).await;
    let rule = json!({"name": "mood", "kind": "share", "threshold": 0.5, "window": "5min",
                      "annotations": {"runbook": "https://wiki.example.org/mood"}});
    let answer = harness.app.post("/api/alerts/rules", &rule).await;
    assert_eq!((answer.status, &answer.json()["id"]), (201, &json!(1)), "{}", answer.text());
    let evidence: Vec<_> = (0..5)
        .map(|index| {
            json!({"post_id": index.to_string(), "content": format!("awful number {index}"), "source": "web",
                            "author": "ada", "url": null, "created_at": now, "duplicates": index})
        })
        .collect();
    harness.set_details(json!({
        "value": 0.7778, "peak": 0.8, "counts": {"total": 18, "negative": 14}, "link": "/posts?sentiment=negative",
        "evidence": evidence, "top_terms": [{"term": "refund"}, {"term": "late"}],
    }));
    harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    let alert = harness.message(1).await["alerts"][0].clone();
    let details = &alert["details"];
    assert_eq!(details["sentence"], "78 % of 18 posts on web are negative, usually 25 %", "{alert:#}");
    assert_eq!(
        (&details["value"], &details["peak"], &details["words"]),
        (&json!(0.7778), &json!(0.8), &json!(["refund", "late"]))
    );
    assert_eq!(details["quotes"].as_array().unwrap().len(), 3);
    assert_eq!(details["quotes"][1]["content"], "awful number 1");
    assert_eq!(details["posts_url"], "https://senti.example.org/posts?sentiment=negative");
    let silence = details["silence_url"].as_str().unwrap();
    assert!(
        silence.starts_with("https://senti.example.org/alerts/silences?matchers=alertname%3D%22mood%22"),
        "{silence}"
    );
}

async fn summary_of_a_configured_rule_is_kept(setup: Setup) {
    for (name, shown) in
        [("mood", "The mood of <web> turned & \"fell\""), ("negative_share", "1 % of 1 post on web is negative")]
    {
        let harness = Harness::start(setup).await;
        harness.route("hook", json!([])).await;
        let rule = RuleSpec::parse(json!({"name": name, "kind": "share", "threshold": 0.5})).expect("a rule");
        let store = &harness.app.services.store;
        store.provision_alert_rules(std::slice::from_ref(&rule)).await.expect("the rules are provisioned");
        harness.set_details(json!({"value": 0.01, "counts": {"total": 1, "negative": 1}}));
        harness.fire(name, "web").await;
        harness.advance(MINUTE);
        assert_eq!(harness.message(1).await["alerts"][0]["annotations"]["summary"], shown, "{name}");
    }
}

async fn templates_replace_title_and_text(setup: Setup) {
    let harness = Harness::start(setup).await;
    let slack = Hook::start().await;
    let templates = json!({
        "title": "{{ status | upper }} {{ commonLabels.alertname }}",
        "text": "{% for alert in alerts %}{{ alert.labels.source }} <!channel>{% endfor %}",
    });
    let receiver =
        json!({"name": "chat", "channel": {"kind": "slack"}, "secrets": {"url": slack.url()}, "templates": templates});
    harness.add("receivers", &receiver).await;
    harness.add("routes", &json!({"name": "chat", "receiver": "chat"})).await;
    harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    let payload = harness.app.eventually("the message arrives", async || slack.requests().pop()).await.json();
    assert_eq!(payload["blocks"][0]["text"]["text"], "FIRING mood");
    assert_eq!(payload["blocks"][1]["text"]["text"], "web &lt;!channel&gt;");
    assert!(payload["text"].as_str().unwrap().contains("web &lt;!channel&gt;"), "{payload:#}");
}

async fn template_preview_names_errors(setup: Setup) {
    let harness = Harness::start(setup).await;
    let preview = async |body| harness.app.post("/api/alerts/receivers/preview", &body).await;
    let templates = json!({"title": "{{ status }}: {{ alerts[0].details.sentence }}"});
    let shown = preview(json!({"channel": {"kind": "slack"}, "templates": templates})).await.ok();
    assert!(shown["title"].as_str().unwrap().starts_with("firing: 78 % of 18 posts"), "{shown:#}");
    assert_eq!(shown["payload"]["blocks"][0]["text"]["text"], shown["title"]);
    let mail = preview(json!({"channel": {"kind": "email", "to": ["ada@example.org"]}})).await.ok();
    assert!(mail["html"].as_str().unwrap().contains("<blockquote"), "{mail:#}");
    let wrong = json!({"channel": {"kind": "slack"}, "templates": {"text": "a\n{% if %}"}});
    let answer = preview(wrong).await;
    assert_eq!(answer.problem(422), ["templates.text"]);
    assert!(answer.text().contains("line 2"), "{}", answer.text());
}
