//! Every kind of receiver gets its own form.

use serde_json::{Value, json};

use super::super::test_app::{Setup, cases};
use super::MINUTE;
use super::desk::Desk;
use super::fakes::Hook;
use super::mail_server::MailServer;
use sentistream::notify::receivers::{SmtpOptions, SmtpSecurity};

cases!(every_kind_of_receiver_gets_its_own_form);

/// Shows a payload to those who run the case with `--nocapture`.
fn show(kind: &str, payload: &str) {
    println!("---- {kind}\n{payload}");
}

async fn every_kind_of_receiver_gets_its_own_form(setup: Setup) {
    let (mail, slack, folder) =
        (MailServer::plain(["451 busy, try again later"]).await, Hook::start().await, tempfile::tempdir().unwrap());
    let smtp = SmtpOptions {
        host: "127.0.0.1".to_owned(),
        port: mail.port,
        security: SmtpSecurity::Plain,
        credentials: None,
        from: "SentiStream <sentistream@example.org>".to_owned(),
        authority: None,
    };
    let desk = Desk::with(setup, |options| {
        options.smtp = Some(smtp);
        options.allow_commands = true;
    })
    .await;
    let out = folder.path().join("message.json");
    let write = format!("cat > {0}.part && mv {0}.part {0} && echo written", out.display());
    let channels = [
        ("webhook", json!({"kind": "webhook", "url": desk.hook.url()}), json!({})),
        ("slack", json!({"kind": "slack"}), json!({"url": slack.url()})),
        ("email", json!({"kind": "email", "to": ["ada@example.org", "grace@example.org"]}), json!({})),
        ("command", json!({"kind": "command", "command": ["/bin/sh", "-c", write]}), json!({})),
    ];
    for (name, channel, secrets) in channels {
        desk.add("receivers", &json!({"name": name, "channel": channel, "secrets": secrets, "max_alerts": 1})).await;
        let matchers = json!([{"label": "severity", "op": "=", "value": "warning"}]);
        desk.add("routes", &json!({"name": name, "receiver": name, "continue": true, "matchers": matchers})).await;
    }
    desk.fire("Mood <turns>", "reddit").await;
    desk.fire("Mood <turns>", "web").await;
    desk.advance(MINUTE);

    let webhook = desk.message(1).await;
    show("webhook", &serde_json::to_string_pretty(&webhook).unwrap());
    assert_eq!((&webhook["truncatedAlerts"], webhook["alerts"].as_array().unwrap().len()), (&json!(1), 1));

    let slack = desk.app.eventually("the chat is told", async || slack.requests().pop()).await.json();
    show("slack", &serde_json::to_string_pretty(&slack).unwrap());
    assert_eq!(slack["text"], "[FIRING:2] Mood &lt;turns&gt; (warning)");
    let kinds: Vec<_> =
        slack["blocks"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["header", "section", "context"]);
    let section = slack["blocks"][1]["text"]["text"].as_str().unwrap();
    assert!(section.contains("|Mood &lt;turns&gt;>*") && section.contains("turned &amp; \"fell\""), "{section}");
    assert!(slack["blocks"][2]["elements"][0]["text"].as_str().unwrap().starts_with("and 1 more"), "{slack:#}");

    let command: Value = desk
        .app
        .eventually("the program has it", async || {
            let text = std::fs::read_to_string(&out).ok()?;
            show("command", &text);
            serde_json::from_str(&text).ok()
        })
        .await;
    assert_eq!((&command["version"], &command["receiver"]), (&json!("4"), &json!("command")));

    // The mail server was busy at first.
    let pending = async || {
        let page = desk.app.get("/api/alerts/deliveries?receiver=email&state=pending").await.ok();
        let delivery = page["deliveries"][0].clone();
        (delivery["attempts"] == 1).then_some(delivery)
    };
    let busy = desk.app.eventually("the mail is refused for the moment", pending).await;
    assert!(busy["error"].as_str().unwrap().contains("busy, try again later"), "{busy:#}");
    desk.advance(MINUTE);
    let mail = desk.app.eventually("the mail is taken", async || mail.mails().pop()).await;
    show("email", &mail);
    for part in [
        "From: SentiStream <sentistream@example.org>",
        "To: ada@example.org, grace@example.org",
        "Subject: [FIRING:2] Mood <turns> (warning)",
        "multipart/alternative",
        "text/plain; charset=utf-8",
        "text/html; charset=utf-8",
    ] {
        assert!(mail.contains(part), "{part:?} in {mail}");
    }
    // Long lines of the page are folded by the encoding: join them before looking.
    let joined = mail.replace("=\r\n", "");
    assert!(joined.contains("Mood &lt;turns&gt;") && joined.contains("turned &amp; &quot;fell&quot;"), "{mail}");
    desk.settled().await;
    let page = desk.app.get("/api/alerts/deliveries?state=delivered").await.ok();
    assert_eq!(page["deliveries"].as_array().unwrap().len(), 4, "{page:#}");
    let id = page["deliveries"].as_array().unwrap().iter().find(|sent| sent["receiver"] == "command").unwrap();
    let ran = desk.app.get(&format!("/api/alerts/deliveries/{}", id["id"])).await.ok();
    assert_eq!((&ran["log"][0]["status"], &ran["log"][0]["answer"]), (&json!(0), &json!("written\n")));
}
