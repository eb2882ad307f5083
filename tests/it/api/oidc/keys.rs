//! The keys of a provider, and their rotation.

use std::time::Duration;

use super::Site;
use crate::api::test_app::{Setup, cases};
use crate::fakes::oidc::{Key, Signature};

cases![
    rotated_key_is_read_without_a_restart,
    unknown_key_is_looked_up_at_most_once_in_ten_seconds,
    discovery_is_read_hourly_and_reused_during_an_outage,
    rsa_signature_is_accepted,
];

const KEYS: &str = "/jwks";
const DISCOVERY: &str = "/.well-known/openid-configuration";

async fn rotated_key_is_read_without_a_restart(setup: Setup) {
    let site = Site::start(setup).await;
    site.sign_in().await;
    site.wait(Duration::from_secs(10));
    site.provider.behave(|b| {
        b.signature = Signature::By(Key::Rotated);
        b.published = vec![Key::Ed25519, Key::Rotated];
    });
    site.sign_in().await;
    site.sign_in().await;
    assert_eq!(site.provider.requests(KEYS), 2);
}

async fn unknown_key_is_looked_up_at_most_once_in_ten_seconds(setup: Setup) {
    let site = Site::start(setup).await;
    site.sign_in().await;
    site.wait(Duration::from_secs(10));
    site.provider.behave(|b| b.signature = Signature::By(Key::Rotated));
    for _ in 0..3 {
        assert_eq!(site.failure().await, "rejected");
    }
    assert_eq!(site.provider.requests(KEYS), 2);
    site.wait(Duration::from_secs(10));
    assert_eq!(site.failure().await, "rejected");
    assert_eq!(site.provider.requests(KEYS), 3);
}

async fn discovery_is_read_hourly_and_reused_during_an_outage(setup: Setup) {
    let site = Site::start(setup).await;
    site.sign_in().await;
    site.sign_in().await;
    assert_eq!(site.provider.requests(DISCOVERY), 1);
    site.wait(Duration::from_secs(3_600));
    site.sign_in().await;
    assert_eq!(site.provider.requests(DISCOVERY), 2);

    // While the provider fails, the server uses the old discovery document for up to a day.
    site.wait(Duration::from_secs(3_600));
    site.provider.behave(|b| b.failure = Some(500));
    assert_eq!(site.failure().await, "unavailable", "the token endpoint fails");
    assert!(site.provider.requests("/authorize") >= 4, "the old document names the authorization endpoint");
    site.wait(Duration::from_secs(86_400));
    let before = site.provider.requests("/authorize");
    assert_eq!(site.failure().await, "unavailable");
    assert_eq!(site.provider.requests("/authorize"), before, "the old document has expired");
}

async fn rsa_signature_is_accepted(setup: Setup) {
    let site = Site::start(setup).await;
    site.provider.behave(|b| {
        b.signature = Signature::By(Key::Rsa);
        b.published = vec![Key::Rotated, Key::Rsa];
    });
    site.sign_in().await;
}
