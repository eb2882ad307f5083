//! Tests of the e-mail source against a fake IMAP server.

mod faults;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sentistream::sources::imap::{self, ImapOptions};
use sentistream::sources::{SourceSpec, SourceState};
use serde_json::json;

use super::ingesting::Ingesting;
use super::managed::{feed, fields, send};
use super::polling::{fetcher, stored};
use crate::api::test_app::{Setup, TestApp, cases};
use crate::fakes::authority::Authority;
use crate::fakes::imap::{ACCOUNT, Fault, MailHost};
use crate::process::Process;

cases![
    new_mail_is_stored_once_and_not_marked_as_read,
    mail_is_read_once_after_a_change_of_uidvalidity,
    search_with_many_hits_is_read,
    mail_after_a_new_uidvalidity_of_an_empty_mailbox_is_read,
    older_mail_is_read_week_by_week,
    imported_old_mail_does_not_end_the_history,
];

fn options(host: &MailHost) -> ImapOptions {
    ImapOptions {
        host: "127.0.0.1".to_owned(),
        port: host.port,
        protection: imap::Protection::None,
        user: ACCOUNT.0.to_owned(),
        password: ACCOUNT.1.to_owned().into(),
        mailbox: "INBOX".to_owned(),
        senders: Vec::new(),
        subjects: Vec::new(),
        interval: Duration::from_millis(20),
        history: Duration::ZERO,
        timeout: Duration::from_secs(20),
        tls: trusting(None),
    }
}

/// A TLS configuration that trusts only this certificate authority.
fn trusting(authority: Option<&Authority>) -> Arc<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(authority) = authority {
        roots.add(CertificateDer::from_pem_slice(&authority.pem()).expect("a certificate")).expect("a root");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

fn spec(app: &TestApp, options: ImapOptions) -> SourceSpec {
    imap::spec("mail", options, fetcher, app.clock.clone())
}

fn mail(number: i64, text: &str) -> String {
    format!("From: Ada <ada@example.org>\nSubject: Feedback\nMessage-ID: <{number}@example.org>\n\n{text}\n")
}

/// The state of the source, or the default state before the source has started.
fn state(ingesting: &Ingesting) -> SourceState {
    ingesting.states.all().into_iter().next().unwrap_or_default()
}

/// Waits until the last error of the source contains `part`, and returns the error.
async fn error(app: &TestApp, ingesting: &Ingesting, part: &str) -> String {
    app.eventually(&format!("an error says {part:?}"), async || {
        let error = state(ingesting).last_error.unwrap_or_default();
        error.contains(part).then_some(error)
    })
    .await
}

async fn contents(app: &TestApp) -> Vec<String> {
    let page = app.get("/api/posts?limit=500").await.ok();
    let posts = page["posts"].as_array().expect("posts").clone();
    posts.iter().map(|post| post["content"].as_str().expect("a text").to_owned()).collect()
}

async fn new_mail_is_stored_once_and_not_marked_as_read(setup: Setup) {
    let app = TestApp::start(setup).await;
    let host = MailHost::start().await;
    let now = app.clock.now().as_seconds();
    for number in 0..130 {
        host.deliver("INBOX", now - 1_000 + number, &mail(number, "I love it"));
    }
    let ingesting = Ingesting::start(&app, spec(&app, options(&host)));
    stored(&app, 100).await;
    // A reply with several parts and encoded headers, and a mail without text.
    host.deliver(
        "INBOX",
        now,
        "From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\nSubject: =?iso-8859-1?B?U2No9m4=?=\n\
         Message-ID: <reply@example.org>\nIn-Reply-To: <129@example.org>\nAuto-Submitted: auto-replied\n\
         Content-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: quoted-printable\n\nI love caf=C3=A9s\n\n> quoted\n\n-- \nJ\n--x\n\
         Content-Type: text/html\n\n<p>markup</p>\n--x--\n",
    );
    host.deliver("INBOX", now, "Message-ID: <empty@example.org>\nContent-Type: image/png\n\nx\n");
    stored(&app, 101).await;
    let page = app.get("/api/posts?limit=1&source=imap&q=caf%C3%A9s").await.ok();
    let post = &page["posts"][0];
    assert_eq!((&post["content"], &post["author"]), (&json!("Schön\n\nI love cafés"), &json!("Jörg")), "{page}");
    assert_eq!((&post["source"], &post["sentiment"]["label"]), (&json!("imap"), &json!("positive")), "{page}");
    let (id, answered) = (post["post_id"].as_str().expect("an id"), post["reply_to"].as_str().expect("an id"));
    assert_eq!(id.replace("reply@", "129@"), answered);
    assert!(!id.contains("support"), "{id}");
    ingesting.stop().await;

    // After a pause, the source reads the mails that arrived during the pause.
    for number in 200..260 {
        host.deliver("INBOX", now, &mail(number, "I love it"));
    }
    let filtered =
        ImapOptions { senders: vec!["ada@".to_owned()], subjects: vec!["feed".to_owned()], ..options(&host) };
    host.deliver("INBOX", now, "From: bob@example.org\nSubject: Feedback\n\nI hate it\n");
    host.deliver("INBOX", now, "From: ada@example.org\nSubject: Invoice\n\nI hate it\n");
    let ingesting = Ingesting::start(&app, spec(&app, filtered));
    let books = stored(&app, 161).await;
    assert_eq!(books["duplicate"], 0, "{books}");
    app.eventually("two mails are filtered", async || (state(&ingesting).filtered == 2).then_some(())).await;
    ingesting.stop().await;
    let verbs = ["LOGIN", "EXAMINE", "FETCH", "UID FETCH", "LOGOUT"];
    let commands = host.commands();
    let others: Vec<_> =
        commands.iter().filter(|command| !verbs.iter().any(|verb| command.starts_with(verb))).collect();
    assert!(others.is_empty(), "{others:?}");
}

/// Waits until the source has searched the mails of a renumbered mailbox.
async fn searched(app: &TestApp, host: &MailHost) {
    let has_searched = || host.commands().iter().any(|command| command.starts_with("UID SEARCH"));
    app.eventually("the source searches", async || has_searched().then_some(())).await;
}

async fn mail_is_read_once_after_a_change_of_uidvalidity(setup: Setup) {
    let app = TestApp::start(setup).await;
    let host = MailHost::start().await;
    let now = app.clock.now().as_seconds();
    for number in 0..5 {
        host.deliver("INBOX", now - (5 - number) * 86_400, &mail(number, "I love it"));
    }
    let ingesting = Ingesting::start(&app, spec(&app, options(&host)));
    stored(&app, 5).await;
    host.renumber("INBOX");
    searched(&app, &host).await;
    host.deliver("INBOX", now, &mail(9, "I love it again"));
    let books = stored(&app, 6).await;
    assert!(
        books["duplicate"].as_u64().is_some_and(|count| (1..=3).contains(&count)),
        "only the mails of the last days are read again: {books}"
    );
    ingesting.stop().await;
}

async fn mail_after_a_new_uidvalidity_of_an_empty_mailbox_is_read(setup: Setup) {
    let app = TestApp::start(setup).await;
    let host = MailHost::start().await;
    let now = app.clock.now().as_seconds();
    for number in 0..5 {
        host.deliver("INBOX", now, &mail(number, "I love it"));
    }
    let ingesting = Ingesting::start(&app, spec(&app, options(&host)));
    stored(&app, 5).await;
    host.create_again("INBOX");
    let polls = || host.commands().iter().filter(|command| *command == "LOGOUT").count();
    let before = polls();
    // One poll may have begun before the change, so the test waits for two.
    app.eventually("the empty mailbox is read", async || (polls() >= before + 2).then_some(())).await;
    host.deliver("INBOX", now, &mail(9, "I love it again"));
    stored(&app, 6).await;
    ingesting.stop().await;
}

async fn search_with_many_hits_is_read(setup: Setup) {
    let app = TestApp::start(setup).await;
    let host = MailHost::start().await;
    let now = app.clock.now().as_seconds();
    host.deliver("INBOX", now - 60, &mail(0, "I love it"));
    let ingesting = Ingesting::start(&app, spec(&app, options(&host)));
    stored(&app, 1).await;
    // The mailbox gets new UIDs, so the source searches the mails by day.
    host.set_fault(Fault::ManyHits);
    host.renumber("INBOX");
    searched(&app, &host).await;
    host.deliver("INBOX", now, &mail(1, "I love it again"));
    stored(&app, 2).await;
    ingesting.stop().await;
}

async fn older_mail_is_read_week_by_week(setup: Setup) {
    let app = TestApp::start(setup).await;
    let host = MailHost::start().await;
    let now = app.clock.now().as_seconds();
    // There is a mail every two hours for 25 days, and an older mail more than a month before.
    host.deliver("INBOX", now - 80 * 86_400, &mail(1_000, "I love it"));
    for number in (0..300).rev() {
        host.deliver("INBOX", now - 60 - number * 7_200, &mail(number, "I love it"));
    }
    let history = Duration::from_secs(20 * 86_400);
    let options = ImapOptions { interval: Duration::from_secs(60), history, ..options(&host) };
    let ingesting = Ingesting::start(&app, spec(&app, options.clone()));
    super::history::finished(&app, &ingesting, "mail").await;
    stored(&app, 240).await;
    ingesting.stop().await;
    // Several weeks without mails do not end the history.
    let longer = ImapOptions { history: Duration::from_secs(90 * 86_400), ..options };
    let ingesting = Ingesting::start(&app, spec(&app, longer));
    super::history::finished(&app, &ingesting, "mail").await;
    stored(&app, 301).await;
    ingesting.stop().await;
    let signed_in = host.commands().iter().filter(|command| command.starts_with("LOGIN")).count();
    assert!(signed_in <= 4, "{signed_in}: a session reads many pages");
}

async fn imported_old_mail_does_not_end_the_history(setup: Setup) {
    let app = TestApp::start(setup).await;
    let host = MailHost::start().await;
    let now = app.clock.now().as_seconds();
    for number in 0..10 {
        host.deliver("INBOX", now - (20 - number) * 86_400, &mail(number, "I love it"));
    }
    // These are two pages of mails that arrived today but were written before the span.
    for number in 100..300 {
        let imported = mail(number, "I love the import");
        host.deliver("INBOX", now - 60, &format!("Date: Wed, 01 Jan 2025 12:00:00 +0000\n{imported}"));
    }
    let history = Duration::from_secs(30 * 86_400);
    let options = ImapOptions { interval: Duration::from_secs(60), history, ..options(&host) };
    let ingesting = Ingesting::start(&app, spec(&app, options));
    super::history::finished(&app, &ingesting, "mail").await;
    app.eventually("the mails of the span are stored", async || {
        let found = contents(&app).await;
        (found.iter().filter(|text| text.contains("I love it")).count() == 10).then_some(())
    })
    .await;
    ingesting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mailbox_is_added_tested_and_changed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["ingester.sources=[]".to_owned(), "outbound.allow=127.0.0.1".to_owned()];
    let process = Process::start(folder.path(), &settings).await;
    process.ready().await;
    let host = MailHost::start().await;
    let now = sentistream::clock::Clock::system().now().as_seconds();
    host.deliver("Entw&APw-rfe", now - 60, &mail(1, "I love it"));
    let request = |host_name: &str, mailbox: &str| {
        json!({"name": "mail", "kind": "imap", "settings": {
            "host": host_name, "port": host.port, "tls": "none", "user": ACCOUNT.0, "mailbox": mailbox,
            "interval": "1min", "history": "7d",
        }})
    };
    let with_password = |mailbox: &str, password: &str| {
        let mut request = request("127.0.0.1", mailbox);
        request["secrets"] = json!({"password": password});
        request
    };
    let test = async |request| send(&process, Method::POST, "/api/sources/test", &request).await.1;

    let trial = test(with_password("Entwürfe", ACCOUNT.1)).await;
    assert_eq!(
        (&trial["ok"], &trial["posts"][0]["content"]),
        (&json!(true), &json!("Feedback\n\nI love it")),
        "{trial}"
    );
    assert_eq!(process.get("/api/posts").await["total"], 0, "a test stores nothing");
    let message = test(with_password("Support", ACCOUNT.1)).await["message"].as_str().expect("a text").to_owned();
    assert!(message.contains("existing mailboxes: Entwürfe, INBOX"), "{message}");
    let message = test(with_password("INBOX", "hunter2")).await["message"].as_str().expect("a text").to_owned();
    assert!(message.contains("app password") && !message.contains("hunter2"), "{message}");
    let problem = send(&process, Method::POST, "/api/sources", &request("127.0.0.1", "INBOX")).await;
    assert_eq!((problem.0, fields(&problem.1)), (422, vec!["secrets.password"]));
    let mut remote = with_password("INBOX", ACCOUNT.1);
    remote["settings"]["host"] = json!("mail.example.org");
    assert_eq!(send(&process, Method::POST, "/api/sources", &remote).await.0, 422, "no password without TLS");
    remote["settings"]["tls"] = json!("tls");
    remote["settings"]["host"] = json!("169.254.169.254");
    let message = test(remote).await["message"].as_str().expect("a text").to_owned();
    assert!(message.contains("is not public"), "{message}");

    let (status, made) = send(&process, Method::POST, "/api/sources", &with_password("Entwürfe", ACCOUNT.1)).await;
    assert_eq!((status, &made["secrets"]), (201, &json!(["password"])), "{made}");
    feed(&process, "mail", ("connected", 1)).await;
    let shown = process.get("/api/sources/mail").await;
    assert!(!shown.to_string().contains("s3cret"), "{shown}");
    // The password is sent to another server only if the user enters it again.
    let (status, problem) = send(&process, Method::PUT, "/api/sources/mail", &request("localhost", "Entwürfe")).await;
    assert_eq!((status, fields(&problem)), (422, vec!["secrets.password"]));
    host.deliver("INBOX", now, &mail(2, "I love the other mailbox"));
    assert_eq!(send(&process, Method::PUT, "/api/sources/mail", &request("127.0.0.1", "INBOX")).await.0, 200);
    process.wait_until("the other mailbox is read", |health| health["stats"]["total_posts"] == 2).await;
    assert!(process.terminate().await.success());
    for file in std::fs::read_dir(folder.path().join("data")).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|part| part == b"s3cret"), "{}", path.display());
    }
}
