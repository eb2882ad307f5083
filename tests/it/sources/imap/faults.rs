//! Faults of mail servers, and connections without the TLS that the settings require.

use std::time::Duration;

use sentistream::sources::imap::{self, ImapOptions};

use super::super::ingesting::Ingesting;
use super::super::polling::stored;
use super::{contents, error, mail, options, spec, state, trusting};
use crate::api::test_app::{Setup, TestApp, cases};
use crate::fakes::authority::Authority;
use crate::fakes::imap::{Fault, MailHost, Protection};

cases![
    wrong_password_stops_the_source,
    refusals_of_a_mail_server_are_retried_if_temporary,
    hostile_mail_server_answer_fails_only_one_poll,
    unreadable_mail_is_skipped,
    mail_password_is_sent_only_over_verified_tls,
];

async fn wrong_password_stops_the_source(setup: Setup) {
    let app = TestApp::start(setup).await;
    let host = MailHost::start().await;
    let password = "hunter2-héhé".to_owned().into();
    let ingesting = Ingesting::start(&app, spec(&app, ImapOptions { password, ..options(&host) }));
    let message = error(&app, &ingesting, "does not accept user and password").await;
    assert!(message.contains("app password") && !message.contains("hunter2"), "{message}");
    app.eventually("the source has failed", async || (state(&ingesting).state.as_str() == "failed").then_some(()))
        .await;
    assert_eq!(
        host.commands(),
        ["AUTHENTICATE PLAIN"],
        "the source tries a wrong password only once, because more attempts could lock the account"
    );
    ingesting.stop().await;

    // If the server is busy, the sign-in is retried later.
    host.set_fault(Fault::SignIn("NO [UNAVAILABLE] Temporary authentication failure"));
    let ingesting = Ingesting::start(&app, spec(&app, options(&host)));
    error(&app, &ingesting, "is busy ([UNAVAILABLE]").await;
    assert_eq!(state(&ingesting).state.as_str(), "backing_off");
    ingesting.stop().await;
    host.set_fault(Fault::Greeting("* BYE Too many connections"));
    let ingesting = Ingesting::start(&app, spec(&app, options(&host)));
    error(&app, &ingesting, "Too many connections").await;
    ingesting.stop().await;
}

async fn refusals_of_a_mail_server_are_retried_if_temporary(setup: Setup) {
    let app = TestApp::start(setup).await;
    let host = MailHost::start().await;
    for (fault, message, expected) in [
        (Fault::SignIn("NO Server Unavailable. 15"), "Server Unavailable. 15", "backing_off"),
        (Fault::SignIn("NO [EXPIRED] Set a new password"), "Set a new password", "failed"),
        (Fault::Examine("BAD User is authenticated but not connected."), "but not connected", "backing_off"),
        (Fault::Examine("NO System I/O error"), "System I/O error", "backing_off"),
        (Fault::Examine("NO [TRYCREATE] No such mailbox"), "No such mailbox", "failed"),
        (Fault::Examine("NO [NONEXISTENT] Unknown mailbox"), "Unknown mailbox", "failed"),
    ] {
        host.set_fault(fault);
        let ingesting = Ingesting::start(&app, spec(&app, options(&host)));
        error(&app, &ingesting, message).await;
        app.eventually(&format!("{fault:?} means {expected}"), async || {
            (state(&ingesting).state.as_str() == expected).then_some(())
        })
        .await;
        ingesting.stop().await;
    }
}

async fn hostile_mail_server_answer_fails_only_one_poll(setup: Setup) {
    let app = TestApp::start(setup).await;
    let host = MailHost::start().await;
    let now = app.clock.now().as_seconds();
    host.deliver("INBOX", now, &mail(0, "I love it"));
    host.deliver("INBOX", now, &mail(1, "I love it"));
    for (fault, message, wait) in [
        (Fault::HugeLiteral, "announced 4294967296 bytes", 20_000),
        (Fault::HiddenLiteral("* OK hello"), "unexpected literal", 20_000),
        (Fault::HiddenLiteral("+x"), "unexpected literal", 20_000),
        (Fault::HiddenLiteral("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa OK x"), "unexpected literal", 20_000),
        (Fault::EndlessLine, "a line of more than 256 KiB", 20_000),
        (Fault::NestedLists, "more than 24 lists", 20_000),
        (Fault::RefusedFetch, "Internal error", 20_000),
        (Fault::Silence, "did not answer within 0.3 s", 300),
        (Fault::Greeting("* PREAUTH hello"), "does not greet", 20_000),
    ] {
        host.set_fault(fault);
        let timeout = Duration::from_millis(wait);
        let ingesting = Ingesting::start(&app, spec(&app, ImapOptions { timeout, ..options(&host) }));
        error(&app, &ingesting, message).await;
        ingesting.stop().await;
    }
    // The mails of the unreadable responses are skipped. All other mails are read.
    host.set_fault(None);
    host.deliver("INBOX", now, &mail(2, "I love it"));
    let ingesting = Ingesting::start(&app, spec(&app, options(&host)));
    app.eventually("the newest mail is stored", async || (!contents(&app).await.is_empty()).then_some(())).await;
    ingesting.stop().await;
}

async fn unreadable_mail_is_skipped(setup: Setup) {
    let app = TestApp::start(setup).await;
    let host = MailHost::start().await;
    let now = app.clock.now().as_seconds();
    let uids: Vec<u32> = (0..5).map(|number| host.deliver("INBOX", now, &mail(number, "I love it"))).collect();
    host.deliver_bytes("INBOX", now, Vec::new());
    host.set_fault(Fault::Unreadable(uids[2]));
    let ingesting = Ingesting::start(&app, spec(&app, options(&host)));
    let books = stored(&app, 4).await;
    assert_eq!(books["duplicate"], 0, "{books}");
    app.eventually("two mails are rejected", async || {
        let state = state(&ingesting);
        (state.rejected == 2).then_some(())
    })
    .await;
    let state = state(&ingesting);
    assert!(!format!("{state:?}").contains("private"), "{state:?}");
    host.deliver("INBOX", now, &mail(9, "I love it"));
    stored(&app, 5).await;
    ingesting.stop().await;
}

async fn mail_password_is_sent_only_over_verified_tls(setup: Setup) {
    let app = TestApp::start(setup).await;
    let (authority, stranger) = (Authority::new(), Authority::new());
    let acceptor = authority.server("IP:127.0.0.1");
    let servers = [
        (Protection::Tls(acceptor.clone()), imap::Protection::Tls),
        (Protection::StartTls(acceptor.clone()), imap::Protection::StartTls),
    ];
    for (number, (offered, protection)) in (1..).zip(servers) {
        let host = MailHost::protected(offered).await;
        host.deliver("INBOX", app.clock.now().as_seconds(), &mail(number, "I love it"));
        let options = ImapOptions { protection, tls: trusting(Some(&authority)), ..options(&host) };
        let ingesting = Ingesting::start(&app, spec(&app, options.clone()));
        stored(&app, number as usize).await;
        ingesting.stop().await;
        let unknown = ImapOptions { tls: trusting(Some(&stranger)), ..options };
        let before = host.commands().len();
        let ingesting = Ingesting::start(&app, spec(&app, unknown));
        error(&app, &ingesting, "certificate").await;
        ingesting.stop().await;
        assert!(host.commands()[before..].iter().all(|command| command == "STARTTLS"), "the password was not sent");
    }
    // This server offers no TLS, as in a downgrade attack.
    let host = MailHost::start().await;
    for (protection, message) in
        [(imap::Protection::Tls, "does not answer with TLS"), (imap::Protection::StartTls, "may not offer STARTTLS")]
    {
        let ingesting = Ingesting::start(&app, spec(&app, ImapOptions { protection, ..options(&host) }));
        error(&app, &ingesting, message).await;
        ingesting.stop().await;
    }
    assert!(host.commands().iter().all(|command| command == "STARTTLS"), "{:?}", host.commands());
}
