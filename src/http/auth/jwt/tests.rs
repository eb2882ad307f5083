//! Tokens of each algorithm, and tokens that must be refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn verifier() -> JwtVerifier {
    JwtVerifier::new(&JwtOptions {
        key: JwtKey::Hs256(SECRET.into()),
        issuer: "us".to_owned(),
        audience: "sentistream".to_owned(),
        leeway_s: 5,
    })
    .unwrap_or_else(|e| panic!("{e}"))
}

fn sign(algorithm: Algorithm, claims: &serde_json::Value) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

#[test]
fn jwt_scopes_are_valid_until_expiry() {
    let token = sign(
        Algorithm::HS256,
        &json!({"iss": "us", "aud": ["sentistream"], "exp": 1_000, "scope": "read other", "scopes": ["admin"]}),
    );
    let at = |seconds| Timestamp::from_unix(seconds).unwrap();
    let verified = verifier().verify(&token, at(1_004)).unwrap();
    assert_eq!((verified.scopes, verified.expires_at), (vec![Scope::Read, Scope::Admin], at(1_005)));
    assert_eq!(verifier().verify(&token, at(1_005)), Err(JwtError::Expired));
}

#[test]
fn jwt_of_other_issuer_audience_or_algorithm_is_refused() {
    let good = json!({"iss": "us", "aud": "sentistream", "exp": 1_000, "scope": "read"});
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let mut without_exp = good.clone();
    without_exp.as_object_mut().unwrap().remove("exp");
    for (token, part) in [
        (sign(Algorithm::HS256, &with("iss", json!("them"))), "issuer"),
        (sign(Algorithm::HS256, &with("iss", json!(["us", "them"]))), "issuer"),
        (sign(Algorithm::HS256, &with("aud", json!("other"))), "audience"),
        (sign(Algorithm::HS256, &with("nbf", json!(2_000))), "yet"),
        (sign(Algorithm::HS384, &good), "algorithm"),
        (sign(Algorithm::HS256, &without_exp), "exp"),
        (format!("{}x", sign(Algorithm::HS256, &good)), "not valid"),
        ("eyJhbGciOiJub25lIn0.e30.".to_owned(), "not valid"),
        (String::new(), "not valid"),
    ] {
        let reason = verifier().verify(&token, Timestamp::EPOCH).unwrap_err().to_string();
        assert!(reason.contains(part), "{part} in {reason}");
    }
}

#[test]
fn jwt_subject_that_is_long_or_has_hidden_characters_is_refused() {
    let verify = |subject: &str| {
        let claims = json!({"iss": "us", "aud": "sentistream", "exp": 1_000, "scope": "read", "sub": subject});
        verifier().verify(&sign(Algorithm::HS256, &claims), Timestamp::EPOCH)
    };
    for subject in ["ada", "auth0|5f7c", "é".repeat(200).as_str()] {
        assert_eq!(verify(subject).unwrap().subject.as_deref(), Some(subject));
    }
    for subject in [
        "a\0",
        "a\nb",
        "\u{1b}[31m",
        "evil\u{202e}",
        "e\u{feff}",
        "x".repeat(201).as_str(),
        "x".repeat(40_000).as_str(),
    ] {
        assert_eq!(verify(subject), Err(JwtError::Subject), "{subject:?}");
    }
}

#[test]
fn jwt_with_critical_extension_is_refused() {
    let good = sign(Algorithm::HS256, &json!({"iss": "us", "aud": "sentistream", "exp": 1_000, "scope": "read"}));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let verify = |more: &str| {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS256","typ":"JWT"{more}}}"#));
        let signed = format!("{header}.{}", good.split('.').nth(1).unwrap());
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
        verifier().verify(&format!("{signed}.{signature}"), Timestamp::EPOCH).map(|_| ())
    };
    assert_eq!(verify(""), Ok(()));
    for more in [
        r#","crit":["b64"],"b64":true"#,
        r#","crit":null"#,
        r#","crit":[]"#,
        r#","crit":["b64"],"crit":null"#,
        r#","\u0063rit":"b64""#,
    ] {
        assert_eq!(verify(more), Err(JwtError::CriticalExtension), "{more}");
    }
}

/// Public keys, and signatures of [`CLAIMS`] by their private keys, which were deleted.
const RS256_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyhzbz4JWfPP8WV072inR
boDOsYGteUyzRBIlk3zXgE/eKG5DiH/Fu1F2n+INQdZxoQJHKqBS07/KmljwVRKy
wEi2IStIddToruX0P9RfoSfCmNEMP6gDJOXtCVGvfmfp78RHCPq9D/M8ePdBAY6c
m01ZSr0flR06lsPNkFEaBd4gXKtPHQD4oKLx41417VCn4VPZTecHmUIwQW3Zn+v1
EGmVCCDoCIZVZ7qQ32LT/Rm1KYAs2azYUf80z3s6J3M0NKEsLS5lRArjShoz9uXK
P1yY0dsV59dZsogHQL9nhpN2Sg/lyWYAtvr2DPzNXwsq/+Z+xaO2itvGmRK1WDT7
OwIDAQAB
-----END PUBLIC KEY-----";
const RS256_SIGNATURE: &str = "HMcpuKUhf9aQyJK2jsDzvitou7iA6WZpd1o18--c5y7yCxskrVcnU8bOBQQl4nzuvr_C-1AeejM3ZyrWUFIBuqa-4lhJvIA1uig3TvYVLVcxhTNoZGIZXvWZqHzx-Lp7MDDe3qAMma_alDaWtN7ty_Yy1hEuKy9zZkBMrCzJCVAvKis4pfciHx60wGos7nhdsYlRIgss0tFuQlKBnQ5HjNH2OVbg69zoe8cOlAvp6t78spcyWd8GZPxAuHqk6VMAUvcJCe4ukNkmyaybm2Gcu1JMuOd7DYssxgncKdub-aIi-Rk0PjIc5m1MTGOSjVpE9SnqTf38Fq5jPuJmakAbMw";
const EDDSA_KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA/1g8TM0uGf8a543FrUqoifCKdL45fP9S7f/aMEE+5k0=
-----END PUBLIC KEY-----";
const EDDSA_SIGNATURE: &str = "nCqUSTOArW_ThY8_eSr5QC--QaxshqqOceeKx6BH-_fIlTs_jFL9SuryVIYZCeEbYc_NB8qiuzd8Sp12cOsACQ";
const CLAIMS: &str = r#"{"iss":"us","aud":"sentistream","exp":4102444800,"scope":"read"}"#;

fn signed(algorithm: &str, signature: &str) -> String {
    let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
    format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(CLAIMS))
}

fn with_key(key: JwtKey) -> JwtVerifier {
    let options = JwtOptions { key, issuer: "us".to_owned(), audience: "sentistream".to_owned(), leeway_s: 0 };
    JwtVerifier::new(&options).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn public_key_verifies_only_its_algorithm() {
    let rs256 = with_key(JwtKey::Rs256(RS256_KEY.to_owned()));
    let eddsa = with_key(JwtKey::EdDsa(EDDSA_KEY.to_owned()));
    let (by_rsa, by_ed) = (signed("RS256", RS256_SIGNATURE), signed("EdDSA", EDDSA_SIGNATURE));
    assert_eq!(rs256.verify(&by_rsa, Timestamp::EPOCH).unwrap().scopes, [Scope::Read]);
    assert_eq!(eddsa.verify(&by_ed, Timestamp::EPOCH).unwrap().scopes, [Scope::Read]);
    for (verifier, token) in [(&rs256, &by_ed), (&eddsa, &by_rsa)] {
        assert!(verifier.verify(token, Timestamp::EPOCH).is_err());
    }
    // A token that is signed with the public key as a shared secret must be refused.
    let claims: serde_json::Value = serde_json::from_str(CLAIMS).unwrap();
    let key = EncodingKey::from_secret(RS256_KEY.as_bytes());
    let forged = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
    assert!(rs256.verify(&forged, Timestamp::EPOCH).is_err());
}

#[test]
fn weak_keys_are_refused() {
    let refused = |key| {
        let options = JwtOptions { key, issuer: String::new(), audience: String::new(), leeway_s: 0 };
        JwtVerifier::new(&options).err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert!(refused(JwtKey::Hs256("short".into())).contains("32 bytes"));
    assert!(refused(JwtKey::Rs256("no key".to_owned())).contains("public key"));
    assert!(refused(JwtKey::EdDsa(RS256_KEY.to_owned())).contains("public key"));
}
