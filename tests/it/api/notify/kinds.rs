//! Each kind of receiver gets messages in its own format.

use serde_json::{Value, json};

use super::super::test_app::{Setup, cases};
use super::MINUTE;
use super::fakes::Hook;
use super::harness::Harness;
use super::mail_server::MailServer;
use sentistream::notify::receivers::{SmtpOptions, SmtpSecurity};

cases!(receiver_kinds_get_their_own_format);

/// Prints a payload, visible with `--nocapture`.
fn show(kind: &str, payload: &str) {
    println!("---- {kind}\n{payload}");
}

async fn receiver_kinds_get_their_own_format(setup: Setup) {
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
    let harness = Harness::with(setup, |options| {
        options.smtp = Some(smtp);
        options.allow_commands = true;
    })
    .await;
    let out = folder.path().join("message.json");
    let write = format!("cat > {0}.part && mv {0}.part {0} && echo written", out.display());
    let channels = [
        ("webhook", json!({"kind": "webhook", "url": harness.hook.url()}), json!({})),
        ("slack", json!({"kind": "slack"}), json!({"url": slack.url()})),
        ("email", json!({"kind": "email", "to": ["ada@example.org"]}), json!({})),
        ("command", json!({"kind": "command", "command": ["/bin/sh", "-c", write]}), json!({})),
    ];
    for (name, channel, secrets) in channels {
        harness.add("receivers", &json!({"name": name, "channel": channel, "secrets": secrets, "max_alerts": 1})).await;
        let matchers = json!([{"label": "severity", "op": "=", "value": "warning"}]);
        harness.add("routes", &json!({"name": name, "receiver": name, "continue": true, "matchers": matchers})).await;
    }
    harness.fire("Mood <turns>", "reddit").await;
    harness.fire("Mood <turns>", "web").await;
    harness.advance(MINUTE);

    let webhook = harness.message(1).await;
    show("webhook", &serde_json::to_string_pretty(&webhook).unwrap());
    assert_eq!((&webhook["truncatedAlerts"], webhook["alerts"].as_array().unwrap().len()), (&json!(1), 1));

    let slack = harness.app.eventually("the chat gets the message", async || slack.requests().pop()).await.json();
    show("slack", &serde_json::to_string_pretty(&slack).unwrap());
    // Clients that do not support blocks show the text.
    let text = slack["text"].as_str().unwrap();
    assert!(text.starts_with("*[FIRING:2] Mood &lt;turns&gt; (warning)*"), "{text}");
    assert!(text.contains("turned &amp; \"fell\"") && text.contains("/alerts/"), "{text}");
    let kinds: Vec<_> =
        slack["blocks"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["header", "section", "context"]);
    let section = slack["blocks"][1]["text"]["text"].as_str().unwrap();
    assert!(section.contains("|Mood &lt;turns&gt;>*") && section.contains("turned &amp; \"fell\""), "{section}");
    assert!(slack["blocks"][2]["elements"][0]["text"].as_str().unwrap().starts_with("and 1 more"), "{slack:#}");

    let command: Value = harness
        .app
        .eventually("the program gets the message", async || {
            let text = std::fs::read_to_string(&out).ok()?;
            show("command", &text);
            serde_json::from_str(&text).ok()
        })
        .await;
    assert_eq!((&command["version"], &command["receiver"]), (&json!("4"), &json!("command")));

    // The mail server rejects the first attempt to deliver.
    let pending = async || {
        let page = harness.app.get("/api/alerts/deliveries?receiver=email&state=pending").await.ok();
        let delivery = page["deliveries"][0].clone();
        (delivery["attempts"] == 1).then_some(delivery)
    };
    let busy = harness.app.eventually("the mail is rejected temporarily", pending).await;
    assert!(busy["error"].as_str().unwrap().contains("busy, try again later"), "{busy:#}");
    harness.advance(MINUTE);
    let mail = harness.app.eventually("the mail is accepted", async || mail.mails().pop()).await;
    show("email", &mail);
    for part in [
        "From: SentiStream <sentistream@example.org>",
        "To: ada@example.org",
        "Auto-Submitted: auto-generated",
        "Subject: [FIRING:2] Mood <turns> (warning)",
        "multipart/alternative",
        "text/plain; charset=utf-8",
        "text/html; charset=utf-8",
    ] {
        assert!(mail.contains(part), "{part:?} in {mail}");
    }
    // The encoding of the mail (quoted-printable) splits long lines with `=`.
    let joined = mail.replace("=\r\n", "");
    assert!(joined.contains("Mood &lt;turns&gt;") && joined.contains("turned &amp; &quot;fell&quot;"), "{mail}");
    harness.settled().await;
    let page = harness.app.get("/api/alerts/deliveries?state=delivered").await.ok();
    assert_eq!(page["deliveries"].as_array().unwrap().len(), 4, "{page:#}");
    let id = page["deliveries"].as_array().unwrap().iter().find(|sent| sent["receiver"] == "command").unwrap();
    let ran = harness.app.get(&format!("/api/alerts/deliveries/{}", id["id"])).await.ok();
    assert_eq!((&ran["log"][0]["status"], &ran["log"][0]["answer"]), (&json!(0), &json!("written\n")));
}
