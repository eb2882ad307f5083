//! Templates of notifications that would exhaust the memory, and clients that may not render templates.

use reqwest::Method;
use serde_json::json;

use crate::api::test_app::{Setup, TestApp, cases};

cases![templates_cannot_use_up_the_memory];

const PREVIEW: &str = "/api/alerts/receivers/preview";

async fn templates_cannot_use_up_the_memory(setup: Setup) {
    let app = TestApp::start(setup).await;
    let doubling = "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(40) %}\
                    {% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x|length }}";
    let chained: String = (0..60).map(|n| format!("{{% set a{} = a{n} ~ a{n} %}}", n + 1)).collect();
    let replacing = format!("{{{{ 'a'{}|length }}}}", "|replace('a', 'aa')".repeat(25));
    for title in [
        doubling,
        &chained,
        &replacing,
        "{{ ('x' * 100000000)|length }}",
        "{{ 'a'|indent(200000000)|length }}",
        "{{ '%100000000d'|format(1)|length }}",
    ] {
        let draft = json!({"channel": {"kind": "slack"}, "templates": {"title": title}});
        assert_eq!(app.post(PREVIEW, &draft).await.problem(422), ["templates.title"], "{title}");
        let receiver = json!({"name": "chat", "channel": {"kind": "slack"}, "templates": {"title": title},
                              "secrets": {"url": "https://hooks.example.org/x"}});
        let refused = app.post("/api/alerts/receivers", &receiver).await.problem(422);
        assert!(refused.contains(&"templates.title".to_owned()), "{title}: {refused:?}");
    }
    assert_eq!(app.get("/healthz").await.status, 200);

    let draft = json!({"channel": {"kind": "slack"}, "templates": {"title": "{{ status }}"}});
    let forwarded = app.request(Method::POST, PREVIEW).header("x-forwarded-for", "192.0.2.1").json(&draft);
    app.send(forwarded).await.problem(403);
    assert_eq!(app.post(PREVIEW, &draft).await.ok()["title"], "firing");
}
