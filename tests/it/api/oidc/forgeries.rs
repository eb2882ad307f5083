//! Forged responses of a provider, which must be rejected.

use serde_json::{Value, json};

use super::Site;
use super::browser::Browser;
use crate::api::test_app::{Setup, cases};
use crate::fakes::oidc::{CLIENT_ID, Key, Signature};

cases![
    id_token_with_wrong_claims_is_refused,
    id_token_with_a_forged_signature_is_refused,
    id_token_with_several_audiences_needs_azp
];

async fn id_token_with_wrong_claims_is_refused(setup: Setup) {
    let site = Site::start(setup).await;
    let now = site.app.clock.now().as_seconds();
    for claims in [
        json!({"nonce": "another nonce"}),
        json!({"nonce": null}),
        json!({"aud": "another client"}),
        json!({"aud": []}),
        json!({"aud": null}),
        json!({"azp": "another client"}),
        json!({"iss": "https://login.example"}),
        json!({"iss": null}),
        json!({"exp": now - 60}),
        json!({"exp": null}),
        json!({"iat": now + 61}),
        json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}),
        json!({"sub": ""}),
        json!({"sub": "a\nb"}),
        json!({"sub": "x".repeat(256)}),
        json!({"sub": null}),
    ] {
        site.provider.behave(|b| b.claims = claims.clone());
        assert_eq!(site.failure().await, "rejected", "{claims}");
    }
    // Small differences between the clocks are accepted, and `at_hash` is optional.
    for claims in
        [json!({"exp": now - 59}), json!({"iat": now + 60}), json!({"at_hash": null}), json!({"azp": CLIENT_ID})]
    {
        site.provider.behave(|b| b.claims = claims.clone());
        assert_eq!(Browser::of(&site.app).sign_in("/").await, "/", "{claims}");
    }
}

async fn id_token_with_a_forged_signature_is_refused(setup: Setup) {
    let site = Site::start(setup).await;
    for signature in [
        Signature::None,
        Signature::ClientSecret,
        Signature::PublicKey,
        Signature::OfOtherClaims,
        Signature::By(Key::Rotated),
        Signature::WithKidOf(Key::Rotated, Key::Ed25519),
    ] {
        site.provider.behave(|b| b.signature = signature);
        assert_eq!(site.failure().await, "rejected", "{signature:?}");
    }
}

async fn id_token_with_several_audiences_needs_azp(setup: Setup) {
    let site = Site::start(setup).await;
    let several = |azp: Value| json!({"aud": [CLIENT_ID, "another client"], "azp": azp});
    for (azp, landed) in [
        (Value::Null, "/sign-in?error=rejected"),
        (json!("another client"), "/sign-in?error=rejected"),
        (json!(CLIENT_ID), "/"),
    ] {
        site.provider.behave(|b| b.claims = several(azp));
        assert_eq!(Browser::of(&site.app).sign_in("/").await, landed);
    }
}
