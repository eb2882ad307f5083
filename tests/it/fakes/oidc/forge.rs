//! Signs ID tokens, correctly or as attackers do.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use super::CLIENT_SECRET;

/// A key of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Ed25519,
    /// Another key of the same kind, after a rotation.
    Rotated,
    Rsa,
}

/// How an ID token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    By(Key),
    /// The first key signs the token, but the header contains the id of the second key.
    WithKidOf(Key, Key),
    /// `alg: none`, without a signature.
    None,
    /// Signed by HS256 with the client secret.
    ClientSecret,
    /// Signed by HS256 with the public key as the secret.
    PublicKey,
    /// The signature of a token with other claims.
    OfOtherClaims,
}

/// The bytes of PKCS #8 (RFC 8410) before the 32 bytes of an Ed25519 key.
const ED25519: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

impl Key {
    fn kid(self) -> &'static str {
        match self {
            Self::Ed25519 => "first",
            Self::Rotated => "second",
            Self::Rsa => "rsa",
        }
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Ed25519 | Self::Rotated => Algorithm::EdDSA,
            Self::Rsa => Algorithm::RS256,
        }
    }

    fn private(self) -> EncodingKey {
        let ed25519 = |byte: u8| EncodingKey::from_ed_der(&[&ED25519[..], &[byte; 32]].concat());
        match self {
            Self::Ed25519 => ed25519(1),
            Self::Rotated => ed25519(2),
            Self::Rsa => EncodingKey::from_rsa_pem(include_bytes!("rsa-test-key.pem")).expect("a key"),
        }
    }

    /// The public key, in the published format.
    pub fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.private(), self.algorithm()).expect("a public key");
        let mut jwk = serde_json::to_value(jwk).expect("JSON");
        jwk["kid"] = self.kid().into();
        jwk["use"] = "sig".into();
        jwk
    }
}

/// Signs an ID token with these claims.
pub fn id_token(claims: &Value, signature: Signature) -> String {
    let header = |algorithm: Algorithm, key: Key| Header { kid: Some(key.kid().to_owned()), ..Header::new(algorithm) };
    let signed = |header: &Header, key: &EncodingKey| jsonwebtoken::encode(header, claims, key).expect("a token");
    match signature {
        Signature::By(key) => signed(&header(key.algorithm(), key), &key.private()),
        Signature::WithKidOf(key, named) => signed(&header(key.algorithm(), named), &key.private()),
        Signature::None => {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(claims))
        }
        Signature::ClientSecret => {
            signed(&header(Algorithm::HS256, Key::Ed25519), &EncodingKey::from_secret(CLIENT_SECRET.as_bytes()))
        }
        Signature::PublicKey => {
            let public = Key::Ed25519.jwk()["x"].as_str().map(|x| URL_SAFE_NO_PAD.decode(x).expect("base64"));
            let secret = EncodingKey::from_secret(&public.expect("a public key"));
            signed(&header(Algorithm::HS256, Key::Ed25519), &secret)
        }
        Signature::OfOtherClaims => {
            let mut other = claims.clone();
            other["sub"] = "someone else".into();
            let [right, wrong] = [claims, &other].map(|claims| id_token(claims, Signature::By(Key::Ed25519)));
            let (content, _) = right.rsplit_once('.').expect("three parts");
            let (_, signature) = wrong.rsplit_once('.').expect("three parts");
            format!("{content}.{signature}")
        }
    }
}

/// The value of `at_hash` (OpenID Connect Core, section 3.1.3.6): half of the hash that the signature's algorithm uses.
pub fn half_hash(access_token: &str, signature: Signature) -> String {
    let is_sha256 = matches!(signature, Signature::By(Key::Rsa) | Signature::ClientSecret | Signature::PublicKey);
    let hash = if is_sha256 {
        Sha256::digest(access_token.as_bytes()).to_vec()
    } else {
        Sha512::digest(access_token.as_bytes()).to_vec()
    };
    URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2])
}
