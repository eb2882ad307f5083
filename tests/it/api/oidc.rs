//! Sign-in at an OpenID Connect provider.

mod browser;
mod forgeries;
mod keys;

use std::time::Duration;

use reqwest::Method;
use sentistream::http::HttpOptions;
use sentistream::http::auth::AuthOptions;
use sentistream::oidc::{Access, OidcOptions};
use serde_json::{Value, json};

use super::test_app::{Setup, TestApp, cases};
use crate::fakes::oidc::{CLIENT_ID, CLIENT_SECRET, Provider};
use browser::Browser;

cases![
    sign_in_opens_a_session_with_the_role_of_a_group,
    role_follows_the_groups_at_each_sign_in,
    groups_missing_in_the_id_token_come_from_userinfo,
    refused_sign_in_shows_its_reason,
    person_without_a_role_loses_sessions_and_tokens,
    failing_provider_is_reported_on_the_sign_in_page,
    sign_in_that_another_browser_began_is_refused,
    finished_sign_in_cannot_be_repeated,
    any_instance_can_finish_a_sign_in,
    sign_out_ends_the_session_at_the_provider,
    sign_in_returns_only_to_a_page_of_this_server,
    sign_in_continues_at_the_external_url,
];

/// The address under which the provider and browsers reach the server.
const EXTERNAL: &str = "http://localhost:8000";

fn access() -> Access {
    let groups = |groups: &[&str]| groups.iter().map(|group| (*group).to_owned()).collect();
    Access {
        groups_claim: "groups".to_owned(),
        roles: [("viewer", groups(&["staff"])), ("editor", groups(&["writers"])), ("admin", groups(&["/ops admins"]))]
            .into_iter()
            .map(|(role, groups)| (role.parse().expect("a role"), groups))
            .collect(),
        default_role: None,
        email_domains: Vec::new(),
    }
}

fn registered(provider: &Provider) -> OidcOptions {
    OidcOptions {
        issuer: provider.issuer(),
        client_id: CLIENT_ID.to_owned(),
        client_secret: CLIENT_SECRET.into(),
        name: "Company".to_owned(),
        scopes: ["profile", "email"].map(str::to_owned).to_vec(),
        redirect: format!("{EXTERNAL}/api/session/oidc/callback").parse().expect("a URL"),
        signed_out: format!("{EXTERNAL}/sign-in").parse().expect("a URL"),
        access: access(),
        outbound: sentistream::outbound::OutboundOptions {
            allow: vec!["127.0.0.0/8".parse().expect("a network")],
            ..Default::default()
        },
    }
}

/// A server and its OpenID Connect provider. Their clocks show the same time.
struct Site {
    app: TestApp,
    provider: Provider,
}

impl Site {
    async fn start(setup: Setup) -> Self {
        Self::with(setup, |_| {}).await
    }

    async fn with(setup: Setup, change: impl FnOnce(&mut OidcOptions)) -> Self {
        let clock = sentistream::clock::Clock::fixed(super::test_app::START.parse().expect("a time"));
        let provider = Provider::start(&clock).await;
        let mut oidc = registered(&provider);
        change(&mut oidc);
        let app = TestApp::with(setup, Duration::ZERO, |options| configure(options, oidc)).await;
        Self { app, provider }
    }

    /// Advances the clocks of the server and the provider.
    fn wait(&self, time: Duration) {
        let now = self.app.clock.now() + time;
        self.app.clock.set(now);
        self.provider.set_time(now);
    }

    /// Signs in as the person of the provider.
    async fn sign_in(&self) -> Browser<'_> {
        let mut browser = Browser::of(&self.app);
        let landed = browser.sign_in("/posts").await;
        assert_eq!(landed, "/posts");
        browser
    }

    /// Tries to sign in. Returns the error code of the sign-in page, such as `no_role`.
    async fn failure(&self) -> String {
        let mut browser = Browser::of(&self.app);
        let landed = browser.sign_in("/").await;
        assert_eq!(browser.cookie("sentistream_session"), None, "{landed}");
        landed.strip_prefix("/sign-in?error=").unwrap_or_else(|| panic!("the sign-in succeeded: {landed}")).to_owned()
    }
}

fn configure(options: &mut HttpOptions, oidc: OidcOptions) {
    options.auth = Some(AuthOptions::default());
    options.external_url = EXTERNAL.to_owned();
    options.oidc = Some(oidc);
}

async fn sign_in_opens_a_session_with_the_role_of_a_group(setup: Setup) {
    let site = Site::start(setup).await;
    let mut browser = Browser::of(&site.app);
    let session = browser.get("/api/session").await.ok();
    assert_eq!(session["authenticated"], false);
    assert_eq!(session["sign_in"]["oidc"], json!([{"name": "Company", "url": "/api/session/oidc/start"}]));
    assert_eq!(browser.get("/api/posts").await.status, 401);

    assert_eq!(browser.sign_in("/posts?q=a%20b").await, "/posts?q=a%20b");
    assert_eq!(browser.cookie("sentistream_oidc"), None, "the cookie of the sign-in is removed");
    let session = browser.get("/api/session").await.ok();
    assert_eq!((&session["kind"], &session["name"]), (&json!("session"), &json!("ada")), "{session}");
    assert_eq!(
        (&session["user"]["role"], &session["user"]["provider"]),
        (&json!("viewer"), &json!(site.provider.issuer()))
    );
    assert_eq!(browser.get("/api/posts").await.status, 200);
    assert_eq!(browser.send(Method::DELETE, "/api/posts/x").await.status, 403);
    let own = browser.get("/api/sessions").await.ok();
    assert_eq!(own["sessions"][0]["method"], "oidc", "{own}");
}

async fn role_follows_the_groups_at_each_sign_in(setup: Setup) {
    let site = Site::start(setup).await;
    let browser = site.sign_in().await;
    site.provider.behave(|b| b.person["groups"] = json!(["staff", "/ops admins"]));
    let again = site.sign_in().await;
    let session = again.get("/api/session").await.ok();
    assert_eq!((&session["user"]["role"], &session["name"]), (&json!("admin"), &json!("ada")));
    assert_eq!(browser.get("/api/posts").await.status, 401, "a new role ends older sessions");

    // Another person with the same display name gets another account.
    site.provider.behave(|b| b.person = json!({"sub": "other", "preferred_username": "ada", "groups": ["writers"]}));
    let other = site.sign_in().await.get("/api/session").await.ok();
    assert_eq!((&other["user"]["role"], &other["name"]), (&json!("editor"), &json!("ada 2")));
    assert_eq!(again.get("/api/users").await.ok()["users"].as_array().map(Vec::len), Some(2));
}

async fn groups_missing_in_the_id_token_come_from_userinfo(setup: Setup) {
    let site = Site::with(setup, |oidc| {
        oidc.access.groups_claim = "realm_access.roles".to_owned();
        oidc.access.email_domains = vec!["example.org".to_owned()];
    })
    .await;
    site.provider.behave(|b| {
        b.person["realm_access"] = json!({"roles": ["writers"]});
        b.has_claims_in_token = false;
    });
    let session = site.sign_in().await.get("/api/session").await.ok();
    assert_eq!((&session["user"]["role"], &session["name"]), (&json!("editor"), &json!("ada")));
    assert_eq!(site.provider.requests("/userinfo"), 1);
    site.provider.behave(|b| b.has_claims_in_token = true);
    site.sign_in().await;
    assert_eq!(site.provider.requests("/userinfo"), 1, "a complete ID token needs no request to userinfo");

    // The response of the userinfo endpoint must be about the person of the ID token.
    site.provider.behave(|b| {
        b.has_claims_in_token = false;
        b.claims = json!({"sub": "someone else"});
    });
    assert_eq!(site.failure().await, "rejected");
}

async fn refused_sign_in_shows_its_reason(setup: Setup) {
    let site = Site::with(setup, |oidc| oidc.access.email_domains = vec!["example.org".to_owned()]).await;
    for groups in [json!([]), json!(["Staff"]), Value::Null] {
        site.provider.behave(|b| b.person["groups"] = groups);
        assert_eq!(site.failure().await, "no_role");
    }
    site.provider.behave(|b| b.person["groups"] = json!(["/ops admins"]));
    for (email, verified) in [("ada@example.org", false), ("ada@example.net", true), ("ada@example.org.evil.net", true)]
    {
        site.provider.behave(|b| {
            b.person["email"] = email.into();
            b.person["email_verified"] = verified.into();
        });
        assert_eq!(site.failure().await, "email");
    }
    site.provider.behave(|b| b.person["email"] = "ada@example.org".into());
    let admin = site.sign_in().await;

    site.provider.behave(|b| {
        b.person["sub"] = "second".into();
        b.person["preferred_username"] = "bob".into();
    });
    let bob = site.sign_in().await;
    let users = admin.get("/api/users").await.ok();
    let user = users["users"].as_array().expect("users").iter().find(|user| user["name"] == "bob").expect("bob");
    let disabled = json!({"name": "bob", "role": "admin", "disabled": true});
    assert_eq!(admin.put(&format!("/api/users/{}", user["id"]), &disabled).await.status, 200);
    assert_eq!(bob.get("/api/posts").await.status, 401);
    assert_eq!(site.failure().await, "disabled");

    for (error, reason) in
        [("access_denied", "denied"), ("temporarily_unavailable", "unavailable"), ("invalid_scope", "misconfigured")]
    {
        site.provider.behave(|b| b.refusal = Some(error));
        assert_eq!(site.failure().await, reason);
    }
}

async fn person_without_a_role_loses_sessions_and_tokens(setup: Setup) {
    let site = Site::start(setup).await;
    // This user is the only administrator.
    site.provider.behave(|b| b.person["groups"] = json!(["/ops admins"]));
    let browser = site.sign_in().await;
    let token = json!({"name": "script", "scopes": ["read", "admin"]});
    let token = browser.post("/api/tokens", &token).await.json()["token"].as_str().expect("a token").to_owned();
    let by_token = async || site.app.send(site.app.request(Method::GET, "/api/users").bearer_auth(&token)).await.status;
    assert_eq!((browser.get("/api/posts").await.status, by_token().await), (200, 200));
    site.provider.behave(|b| b.person["groups"] = json!(["guests"]));
    assert_eq!(site.failure().await, "no_role");
    assert_eq!((browser.get("/api/posts").await.status, by_token().await), (401, 401));
    site.provider.behave(|b| b.person["groups"] = json!(["/ops admins"]));
    let admin = site.sign_in().await;
    assert_eq!(admin.get("/api/users").await.status, 200, "the account is not disabled");
    assert_eq!(by_token().await, 401, "the token is deleted");
}

async fn failing_provider_is_reported_on_the_sign_in_page(setup: Setup) {
    let site = Site::with(setup, |oidc| oidc.client_secret = "another secret".into()).await;
    assert_eq!(site.failure().await, "misconfigured");
    site.provider.behave(|b| b.failure = Some(503));
    let mut browser = Browser::of(&site.app);
    let landed = browser.sign_in("/alerts").await;
    assert_eq!(landed, "/sign-in?error=unavailable&return=%2Falerts", "the token endpoint fails");

    let site = Site::start(setup).await;
    site.provider.behave(|b| b.failure = Some(503));
    assert_eq!(site.failure().await, "unavailable");
    site.provider.behave(|b| b.failure = None);
    assert_eq!(site.failure().await, "unavailable", "a failed provider is requested again only after 10 s");
    assert_eq!(site.provider.requests("/.well-known/openid-configuration"), 1);
    site.wait(Duration::from_secs(10));
    site.sign_in().await;

    for metadata in [
        json!({"issuer": "https://login.example"}),
        json!({"token_endpoint": "http://login.example/token"}),
        json!({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}),
        json!({"jwks_uri": null}),
    ] {
        let site = Site::start(setup).await;
        site.provider.behave(|b| b.metadata = metadata);
        assert_eq!(site.failure().await, "misconfigured");
    }
    let site = Site::start(setup).await;
    site.provider.behave(|b| b.metadata = json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    site.sign_in().await;
}

async fn sign_in_that_another_browser_began_is_refused(setup: Setup) {
    let site = Site::start(setup).await;
    let (mut attacker, mut victim) = (Browser::of(&site.app), Browser::of(&site.app));
    let answer = attacker.answer_of_provider("/").await;
    assert_eq!(victim.open(&answer).await, "/sign-in?error=expired", "the victim began no sign-in");
    victim.answer_of_provider("/").await;
    assert_eq!(victim.open(&answer).await, "/sign-in?error=expired", "the victim began another sign-in");

    let mut slow = Browser::of(&site.app);
    let answer = slow.answer_of_provider("/posts").await;
    site.wait(Duration::from_secs(600));
    assert_eq!(slow.open(&answer).await, "/sign-in?error=expired&return=%2Fposts");

    let mut mixed = Browser::of(&site.app);
    let answer = mixed.answer_of_provider("/").await;
    let other = answer.replace("&iss=", "&iss=http%3A%2F%2Fother.example&was=");
    assert_eq!(mixed.open(&other).await, "/sign-in?error=rejected", "the answer of another issuer (RFC 9207)");
}

async fn finished_sign_in_cannot_be_repeated(setup: Setup) {
    let site = Site::start(setup).await;
    let mut browser = Browser::of(&site.app);
    let answer = browser.answer_of_provider("/").await;
    let mut copy = browser.clone();
    assert_eq!(browser.open(&answer).await, "/");
    assert_eq!(browser.open(&answer).await, "/sign-in?error=expired", "the cookie is removed");
    assert_eq!(copy.open(&answer).await, "/sign-in?error=expired", "the provider refuses a used code");
    assert_eq!(copy.cookie("sentistream_session"), None);
}

async fn any_instance_can_finish_a_sign_in(setup: Setup) {
    let site = Site::start(setup).await;
    let folder = tempfile::tempdir().expect("a folder");
    let oidc = registered(&site.provider);
    let second = TestApp::over(site.app.services.clone(), folder, |options| configure(options, oidc));
    let mut browser = Browser::of(&site.app);
    let answer = browser.answer_of_provider("/topics").await;
    browser.go_to(&second);
    assert_eq!(browser.open(&answer).await, "/topics");
    assert_eq!(browser.get("/api/session").await.ok()["name"], "ada");
}

async fn sign_out_ends_the_session_at_the_provider(setup: Setup) {
    let site = Site::start(setup).await;
    let mut browser = site.sign_in().await;
    let answer = browser.send(Method::DELETE, "/api/session").await;
    let redirect = answer.ok()["redirect"].as_str().expect("an address").to_owned();
    let url: url::Url = redirect.parse().expect("a URL");
    let query: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(url.path(), "/end_session");
    assert_eq!(query["post_logout_redirect_uri"], format!("{EXTERNAL}/sign-in"));
    assert_eq!(query["client_id"], CLIENT_ID);
    assert_eq!(query["id_token_hint"].split('.').count(), 3, "the ID token of the session");
    assert_eq!(browser.cookie("sentistream_session"), None);
    assert_eq!(browser.get("/api/posts").await.status, 401);

    site.provider.behave(|b| b.metadata = json!({"end_session_endpoint": null}));
    site.wait(Duration::from_secs(3_601));
    let mut browser = site.sign_in().await;
    assert_eq!(browser.send(Method::DELETE, "/api/session").await.status, 204);
}

async fn sign_in_returns_only_to_a_page_of_this_server(setup: Setup) {
    let site = Site::start(setup).await;
    for path in
        ["//evil.example/x", "/\\evil.example", "/\t/evil.example", "https://evil.example", "/api/session/oidc/start"]
    {
        let mut browser = Browser::of(&site.app);
        assert_eq!(browser.sign_in(path).await, "/", "{path:?}");
    }
}

async fn sign_in_continues_at_the_external_url(setup: Setup) {
    let site = Site::start(setup).await;
    let start = format!("{}/api/session/oidc/start?return=/posts", site.app.url);
    let answer = site.app.send(browser::client().get(&start)).await;
    let expected = format!("{EXTERNAL}/api/session/oidc/start?return=%2Fposts&here=1");
    assert_eq!((answer.status, answer.header("location")), (303, expected.as_str()));
    let answer = site.app.send(browser::client().get(format!("{start}&here=1"))).await;
    assert!(answer.header("location").starts_with(&format!("{}/authorize?", site.provider.issuer())));
    assert_eq!(answer.header("cache-control"), "no-store");
}
