//! Mail: encrypted connections, logins, transient and permanent rejections, and one message per recipient.

use sentistream::notify::receivers::{SmtpCredentials, SmtpOptions, SmtpSecurity};
use serde_json::{Value, json};

use super::super::test_app::{Setup, cases};
use super::MINUTE;
use super::harness::Harness;
use super::mail_server::{MailOptions, MailServer, Protection};
use crate::fakes::authority::Authority;

cases!(
    mail_uses_tls_and_login,
    untrusted_mail_servers_get_no_mail,
    only_transient_mail_rejections_are_retried,
    one_rejected_recipient_does_not_block_the_others,
);

/// The credentials `senti` and `s3cret` in the encoding of AUTH PLAIN.
const LOGIN: &str = "AHNlbnRpAHMzY3JldA==";

fn smtp(server: &MailServer, security: SmtpSecurity, authority: Option<&Authority>) -> SmtpOptions {
    SmtpOptions {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        security,
        credentials: None,
        from: "SentiStream <sentistream@example.org>".to_owned(),
        authority: authority.map(Authority::pem),
    }
}

/// Starts a harness with this mail server, a receiver and a route. Returns the harness and the id of the receiver.
async fn with_mail(setup: Setup, smtp: SmtpOptions) -> (Harness, i64) {
    let harness = Harness::with(setup, |options| options.smtp = Some(smtp)).await;
    let channel = json!({"kind": "email", "to": ["ada@example.org"]});
    let id = harness.add("receivers", &json!({"name": "mail", "channel": channel})).await;
    harness.add("routes", &json!({"name": "mail", "receiver": "mail"})).await;
    (harness, id)
}

/// Sends a test message and returns its outcome. On a busy machine the request returns before the outcome is known.
async fn test(harness: &Harness, receiver: i64) -> Value {
    let answer = harness.app.post(&format!("/api/alerts/receivers/{receiver}/test"), &json!({})).await;
    assert!([200, 202].contains(&answer.status), "{}", answer.text());
    let id = answer.json()["id"].clone();
    let tried = async || {
        let delivery = harness.app.get(&format!("/api/alerts/deliveries/{id}")).await.ok();
        (delivery["attempts"] != 0).then_some(delivery)
    };
    harness.app.eventually("an attempt is logged", tried).await
}

async fn mail_uses_tls_and_login(setup: Setup) {
    let authority = Authority::new();
    let acceptor = authority.server("IP:127.0.0.1");
    for (protection, security, in_clear) in [
        (Protection::StartTls(acceptor.clone()), SmtpSecurity::StartTls, 2),
        (Protection::Tls(acceptor), SmtpSecurity::Tls, 0),
    ] {
        let options = MailOptions { protection, login: Some(LOGIN), refusals: [].into() };
        let server = MailServer::start(options).await;
        let credentials = |password: &str| {
            Some(SmtpCredentials { username: "senti".to_owned(), password: password.to_owned().into() })
        };
        let known = SmtpOptions { credentials: credentials("s3cret"), ..smtp(&server, security, Some(&authority)) };
        let (sender, id) = with_mail(setup, known.clone()).await;
        let sent = test(&sender, id).await;
        assert_eq!((&sent["state"], &sent["log"][0]["status"]), (&json!("delivered"), &json!(250)), "{sent:#}");
        assert_eq!(server.mails().len(), 1);
        // Before the upgrade to TLS the client sends only EHLO and STARTTLS.
        let said = server.in_clear();
        assert_eq!(said.len(), in_clear, "{said:?}");
        assert!(said.last().is_none_or(|last| last == "STARTTLS"), "{said:?}");

        // A wrong password is a permanent failure, and the error does not contain it.
        let (sender, id) = with_mail(setup, SmtpOptions { credentials: credentials("wrong"), ..known }).await;
        let refused = test(&sender, id).await;
        assert_eq!((&refused["state"], &refused["attempts"]), (&json!("failed"), &json!(1)), "{refused:#}");
        assert!(refused["error"].as_str().unwrap().contains("wrong name or password"), "{refused:#}");
        assert_eq!(server.mails().len(), 1);
    }
}

async fn untrusted_mail_servers_get_no_mail(setup: Setup) {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let start =
        async |protection| MailServer::start(MailOptions { protection, login: None, refusals: [].into() }).await;
    let misnamed = authority.server("DNS:mail.example.org");
    let servers = [
        (start(Protection::Tls(stranger.server("IP:127.0.0.1"))).await, SmtpSecurity::Tls, "certificate"),
        (start(Protection::StartTls(stranger.server("IP:127.0.0.1"))).await, SmtpSecurity::StartTls, "certificate"),
        (start(Protection::Tls(misnamed)).await, SmtpSecurity::Tls, "certificate"),
        // The server offers no TLS, as in a downgrade attack.
        (start(Protection::None).await, SmtpSecurity::StartTls, "STARTTLS"),
    ];
    for (server, security, part) in servers {
        let (sender, id) = with_mail(setup, smtp(&server, security, Some(&authority))).await;
        let refused = test(&sender, id).await;
        assert_ne!(refused["state"], "delivered");
        assert!(refused["error"].as_str().unwrap().contains(part), "{refused:#}");
        assert_eq!(server.mails(), [""; 0]);
        let said = server.in_clear();
        assert!(
            said.iter().all(|command| command.starts_with("EHLO") || ["STARTTLS", "QUIT"].contains(&&**command)),
            "{said:?}"
        );
    }
}

async fn only_transient_mail_rejections_are_retried(setup: Setup) {
    let server =
        MailServer::plain(["451 4.3.0 busy", "421 4.7.0 too many", "250 ok", "550 5.1.1 no such mailbox"]).await;
    let (harness, _) = with_mail(setup, smtp(&server, SmtpSecurity::Plain, None)).await;
    harness.fire("first", "web").await;
    harness.advance(MINUTE);
    for attempt in [1, 2] {
        let pending = harness.delivery("the next attempt is logged", |delivery| delivery["attempts"] == attempt).await;
        assert_eq!(pending["state"], "pending", "{pending:#}");
        harness.advance(MINUTE);
    }
    let taken = harness.delivery("the mail is delivered", |delivery| delivery["state"] == "delivered").await;
    let statuses: Vec<_> = taken["log"].as_array().unwrap().iter().map(|attempt| attempt["status"].clone()).collect();
    assert_eq!(statuses, [451, 421, 250].map(|status| json!(status)), "{taken:#}");
    assert_eq!(server.mails().len(), 1);

    harness.fire("second", "web").await;
    harness.advance(MINUTE);
    let failed = harness.delivery("the delivery fails", |delivery| delivery["state"] == "failed").await;
    assert_eq!((&failed["attempts"], &failed["log"][0]["status"]), (&json!(1), &json!(550)), "{failed:#}");
    assert!(failed["error"].as_str().unwrap().contains("no such mailbox"), "{failed:#}");
    assert_eq!(server.mails().len(), 1);
}

async fn one_rejected_recipient_does_not_block_the_others(setup: Setup) {
    let server = MailServer::plain([]).await;
    server.reject("grace@example.org", "550 5.1.1 no such mailbox");
    let harness = Harness::with(setup, |options| options.smtp = Some(smtp(&server, SmtpSecurity::Plain, None))).await;
    let channel = json!({"kind": "email", "to": ["ada@example.org", "grace@example.org", "joan@example.org"]});
    harness.add("receivers", &json!({"name": "mail", "channel": channel})).await;
    harness.add("routes", &json!({"name": "mail", "receiver": "mail"})).await;
    harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    let settled = async || {
        let page = harness.app.get("/api/alerts/deliveries").await.ok();
        let deliveries = page["deliveries"].as_array().unwrap().clone();
        (deliveries.len() == 3 && deliveries.iter().all(|delivery| delivery["state"] != "pending"))
            .then_some(deliveries)
    };
    let deliveries = harness.app.eventually("three deliveries are settled", settled).await;
    let mut states: Vec<_> = deliveries
        .iter()
        .map(|delivery| (delivery["recipient"].as_str().unwrap(), delivery["state"].as_str().unwrap()))
        .collect();
    states.sort_unstable();
    let expected =
        [("ada@example.org", "delivered"), ("grace@example.org", "failed"), ("joan@example.org", "delivered")];
    assert_eq!(states, expected);
    let mut mails = server.mails();
    mails.sort_by_key(|mail| mail.contains("To: joan@example.org"));
    assert_eq!(mails.len(), 2);
    for (mail, to) in mails.iter().zip(["To: ada@example.org\r\n", "To: joan@example.org\r\n"]) {
        assert!(mail.contains(to) && mail.contains("Auto-Submitted: auto-generated"), "{mail}");
    }
}
