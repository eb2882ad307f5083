//! Tests of the section `[server.auth.oidc]`.

use secrecy::ExposeSecret;

use super::*;
use crate::domain::account::UserRole;

/// Inputs with a valid provider and the settings `sets`.
fn provider(sets: &[&str]) -> Inputs {
    let valid = [
        "server.auth.oidc.issuer=https://login.example.org",
        "server.auth.oidc.client_id=sentistream",
        "server.auth.oidc.client_secret=hunter2",
        "server.auth.oidc.default_role=viewer",
    ];
    with_sets(&[&valid, sets].concat())
}

#[test]
fn provider_is_read_and_its_secret_masked() {
    let secret = file("hunter2-of-a-file\n");
    let path = format!("server.auth.oidc.client_secret_file={}", secret.path().display());
    let inputs = with_sets(&[
        "server.auth.oidc.issuer=https://login.example.org/realms/x",
        "server.auth.oidc.client_id=sentistream",
        &path,
        "server.auth.oidc.roles.admin=ops,Site Owners",
        "server.auth.oidc.email_domains=example.org",
    ]);
    let (config, settings) = load(&inputs);
    assert!(config.server.auth.is_configured());
    let oidc = config.server.auth.oidc.as_ref().unwrap();
    assert_eq!(oidc.issuer, "https://login.example.org/realms/x");
    assert_eq!(oidc.client_secret.expose_secret(), "hunter2-of-a-file");
    assert_eq!(oidc.roles[&UserRole::Admin], ["ops", "Site Owners"]);
    assert_eq!((oidc.default_role, oidc.email_domains.as_slice()), (None, ["example.org".to_owned()].as_slice()));
    for text in [format!("{config:?}"), format!("{settings:?}"), format!("{:?}", settings.shown().collect::<Vec<_>>())]
    {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(load(&Inputs::default()).0.server.auth.oidc.is_none());
}

#[test]
fn provider_needs_https_a_client_and_a_role() {
    for (set, part) in [
        ("server.auth.oidc.issuer=http://login.example.org", "https"),
        ("server.auth.oidc.issuer=https://login.example.org?x=1", "query"),
        ("server.auth.oidc.issuer=login.example.org", "https"),
        ("server.auth.oidc.issuer=", "`issuer` is not"),
        ("server.auth.oidc.client_id=", "client_id"),
        ("server.auth.oidc.client_secret=", "client_secret"),
        ("server.auth.oidc.default_role=", "no one could sign in"),
        ("server.auth.oidc.default_role=owner", "viewer, analyst, editor, admin"),
        ("server.auth.oidc.email_domains=ada@example.org", "domains"),
        ("server.auth.oidc.name=", "empty"),
    ] {
        let problem = problem(&provider(&[set]));
        assert!(problem.key.starts_with("server.auth.oidc") && problem.message.contains(part), "{set}: {problem}");
        assert!(!problem.message.contains("hunter2"), "{problem}");
    }
    for loopback in ["http://127.0.0.1:8080", "http://localhost:8080/realms/x", "http://[::1]:1"] {
        let set = format!("server.auth.oidc.issuer={loopback}");
        assert_eq!(load(&provider(&[&set])).0.server.auth.oidc.unwrap().issuer, loopback);
    }
}
