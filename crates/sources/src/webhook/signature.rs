//! The signature of a request: HMAC-SHA256 with a shared secret, in the formats that providers document.
//!
//! - [`Scheme::Sha256`][]: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
//! - [`Scheme::Stripe`][]: <https://docs.stripe.com/webhooks/signatures>
//! - [`Scheme::Standard`][]:
//!   <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use sentistream_core::domain::Timestamp;

/// The maximum number of signatures that are checked per request. Providers send two while a secret is replaced.
const MAX_SIGNATURES: usize = 8;
/// The prefix of secrets in [`Scheme::Standard`].
const STANDARD_PREFIX: &str = "whsec_";

/// The format of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Scheme {
    /// The HMAC of the body, in hexadecimal digits (with or without `sha256=`) or in base64.
    Sha256,
    /// `t=SECONDS,v1=HEX`: the HMAC of the time, a dot and the body.
    Stripe,
    /// The headers `webhook-id`, `webhook-timestamp` and `webhook-signature`: the HMAC of id, time and body, separated
    /// by dots.
    Standard,
}

impl Scheme {
    /// The default header of the signature.
    pub fn header(self) -> &'static str {
        match self {
            Self::Sha256 => "x-hub-signature-256",
            Self::Stripe => "stripe-signature",
            Self::Standard => "webhook-signature",
        }
    }
}

/// Why a secret cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The secret is so short that it could be guessed.
    #[error("must be at least {least} bytes long; with the standard scheme, after decoding from base64")]
    Short {
        /// The minimum length of a secret, in bytes.
        least: usize,
    },
    /// The secret is not base64, which [`Scheme::Standard`] requires.
    #[error("must be base64, with or without the prefix \"whsec_\"")]
    NotBase64,
}

/// The signature that the headers of a request contain.
#[derive(Debug, Default)]
pub struct Claim {
    /// The bytes that are signed before the body.
    prefix: Vec<u8>,
    /// The HMACs in the headers, one of which must match. Empty when headers are missing or malformed, or when their
    /// time differs too much from the current time.
    codes: Vec<Vec<u8>>,
}

/// Checks signatures with a secret.
#[derive(Clone)]
pub struct Signature {
    scheme: Scheme,
    header: String,
    key: Hmac<Sha256>,
    tolerance: Duration,
}

impl Signature {
    /// The minimum length of a secret, in bytes.
    const LEAST: usize = 16;

    /// Creates a check of signatures in the header `header`. If the name is empty, the default header of the scheme is
    /// used. `tolerance` is the maximum difference between the time of a signature and the current time; signatures of
    /// [`Scheme::Sha256`] have no time.
    ///
    /// # Errors
    /// When the secret is too short, or does not have the format of the scheme.
    pub fn new(scheme: Scheme, secret: &str, (header, tolerance): (&str, Duration)) -> Result<Self, SecretError> {
        let bytes = match scheme {
            Scheme::Sha256 | Scheme::Stripe => secret.as_bytes().to_vec(),
            Scheme::Standard => {
                let text = secret.strip_prefix(STANDARD_PREFIX).unwrap_or(secret);
                STANDARD.decode(text).map_err(|_| SecretError::NotBase64)?
            }
        };
        let short = SecretError::Short { least: Self::LEAST };
        if bytes.len() < Self::LEAST {
            return Err(short);
        }
        let key = Hmac::new_from_slice(&bytes).map_err(|_| short)?;
        let header = if header.is_empty() { scheme.header() } else { header };
        Ok(Self { scheme, header: header.to_ascii_lowercase(), key, tolerance })
    }

    /// Reads the signature from the headers of a request.
    pub fn claim<'h>(&self, headers: impl Fn(&str) -> Option<&'h str>, now: Timestamp) -> Claim {
        self.read(headers, now).unwrap_or_default()
    }

    /// Whether `claim` contains the signature of `body`. Computes one HMAC even for an empty claim, so that the
    /// duration depends only on the lengths of the claim and the body.
    pub fn confirms(&self, claim: &Claim, body: &[u8]) -> bool {
        let mut key = self.key.clone();
        key.update(&claim.prefix);
        key.update(body);
        let code = key.finalize().into_bytes();
        claim.codes.iter().any(|given| bool::from(code.as_slice().ct_eq(given)))
    }

    fn read<'h>(&self, headers: impl Fn(&str) -> Option<&'h str>, now: Timestamp) -> Option<Claim> {
        let value = headers(&self.header)?;
        match self.scheme {
            Scheme::Sha256 => {
                let value = value.trim();
                let code = value.strip_prefix("sha256=").unwrap_or(value);
                let code = from_hex(code).or_else(|| STANDARD.decode(code).ok())?;
                Some(Claim { prefix: Vec::new(), codes: vec![code] })
            }
            Scheme::Stripe => {
                let parts = || value.split(',').filter_map(|part| part.trim().split_once('='));
                let (_, time) = parts().find(|(name, _)| *name == "t")?;
                let codes = parts().filter(|(name, _)| *name == "v1").filter_map(|(_, code)| from_hex(code));
                let prefix = format!("{time}.").into_bytes();
                self.is_recent(time, now).then(|| Claim { prefix, codes: codes.take(MAX_SIGNATURES).collect() })
            }
            Scheme::Standard => {
                let stem = self.header.strip_suffix("-signature").unwrap_or(&self.header);
                let id = headers(&format!("{stem}-id"))?;
                let time = headers(&format!("{stem}-timestamp"))?;
                let codes =
                    value.split_ascii_whitespace().filter_map(|part| STANDARD.decode(part.strip_prefix("v1,")?).ok());
                let prefix = format!("{id}.{time}.").into_bytes();
                self.is_recent(time, now).then(|| Claim { prefix, codes: codes.take(MAX_SIGNATURES).collect() })
            }
        }
    }

    fn is_recent(&self, seconds: &str, now: Timestamp) -> bool {
        let Ok(seconds) = seconds.parse::<i64>() else { return false };
        now.as_seconds().abs_diff(seconds) <= self.tolerance.as_secs()
    }
}

/// Parses 64 hexadecimal digits.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    (digits.len() == 64).then(|| digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: Duration = Duration::from_secs(300);

    fn signature(scheme: Scheme, secret: &str) -> Signature {
        Signature::new(scheme, secret, ("", TOLERANCE)).ok().unwrap()
    }

    fn signs(signature: &Signature, headers: &[(&str, &str)], body: &str, seconds: i64) -> bool {
        let now = Timestamp::from_unix(seconds).unwrap();
        let find = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        signature.confirms(&signature.claim(find, now), body.as_bytes())
    }

    /// This is the example in GitHub's documentation.
    #[test]
    fn sha256_signature_in_hex_or_base64_is_accepted() {
        let signature = signature(Scheme::Sha256, "It's a Secret to Everybody");
        let hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let base64 = "dXEH6g6yUJ/CESIczphLijdXC211hsIsRvQ3nIsEPhc=";
        let given = |value: &str| signs(&signature, &[("x-hub-signature-256", value)], "Hello, World!", 0);
        assert!(given(&format!("sha256={hex}")) && given(hex) && given(&hex.to_uppercase()) && given(base64));
        for wrong in ["", "sha256=", &hex[..62], &format!("{hex}00"), &hex.replace('7', "8"), "sha256=é"] {
            assert!(!given(wrong), "{wrong}");
        }
        assert!(!given(&STANDARD.encode(&from_hex(hex).unwrap()[..31])), "a part of the HMAC");
        assert!(!signs(&signature, &[("x-hub-signature-256", hex)], "Hello, World", 0));
        assert!(!signs(&signature, &[], "Hello, World!", 0));
    }

    /// This is the example of the reference libraries of the specification.
    #[test]
    fn standard_signature_is_accepted_within_its_tolerance() {
        let signature = signature(Scheme::Standard, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let sent = 1_614_265_330;
        let (time, code) = (sent.to_string(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let given = |code: &str, now: i64| {
            let headers = [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", &*time),
                ("webhook-signature", code),
            ];
            signs(&signature, &headers, r#"{"test": 2432232314}"#, now)
        };
        assert!(given(code, sent) && given(code, sent + 300) && given(code, sent - 300));
        assert!(given(&format!("v1,AAAA v2,x {code}"), sent), "one of several signatures");
        assert!(!given(code, sent + 301) && !given(code, sent - 301) && !given(&code[3..], sent));
        let many = format!("{}{code}", "v1,AAAA ".repeat(MAX_SIGNATURES));
        assert!(!given(&many, sent), "the number of signatures is limited");
    }

    #[test]
    fn stripe_signature_covers_time_and_body() {
        let signature = signature(Scheme::Stripe, "a secret of enough bytes");
        let mut key = signature.key.clone();
        key.update(b"1000.{}");
        let code: String = key.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let given = |value: &str, body: &str| signs(&signature, &[("stripe-signature", value)], body, 1_100);
        assert!(given(&format!("t=1000,v1={code}"), "{}"));
        assert!(given(&format!("t=1000,v1={},v0=x,v1={code}", "0".repeat(64)), "{}"));
        for wrong in [format!("t=1001,v1={code}"), format!("v1={code}"), format!("t=x,v1={code}"), "t=1000".to_owned()]
        {
            assert!(!given(&wrong, "{}"), "{wrong}");
        }
        assert!(!given(&format!("t=1000,v1={code}"), "{ }"));
    }

    #[test]
    fn secrets_that_can_be_guessed_are_refused() {
        let error = |scheme, secret: &str| Signature::new(scheme, secret, ("", TOLERANCE)).err();
        assert_eq!(error(Scheme::Sha256, "short"), Some(SecretError::Short { least: 16 }));
        assert_eq!(error(Scheme::Standard, "whsec_!"), Some(SecretError::NotBase64));
        assert_eq!(error(Scheme::Standard, "whsec_AAAA"), Some(SecretError::Short { least: 16 }));
    }
}
