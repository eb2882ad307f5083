//! Encrypts texts with a key that every instance derives from the client secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use sha2::Sha256;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// The label of the derived key, with the version of the format.
const LABEL: &[u8] = b"sentistream oidc v1";

/// Seals and opens texts with XChaCha20-Poly1305.
pub struct Sealer(SecretBox<[u8; KEY_BYTES]>);

impl Sealer {
    /// A sealer with the key that is derived from `secret` with HMAC-SHA256.
    pub fn new(secret: &SecretString) -> Option<Self> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
        mac.update(LABEL);
        Some(Self(SecretBox::new(Box::new(mac.finalize().into_bytes().into()))))
    }

    /// Seals `text` for the purpose `place`. `None` when the cipher fails, which happens only for texts of many GiB.
    pub fn seal(&self, text: &str, place: &str) -> Option<String> {
        let mut nonce = [0; NONCE_BYTES];
        rand::Rng::fill(&mut rand::rng(), &mut nonce);
        let payload = Payload { msg: text.as_bytes(), aad: place.as_bytes() };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload).ok()?;
        Some(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// Opens a text that was sealed for the purpose `place`; `None` when the text was modified, or sealed with another
    /// key or for another purpose.
    pub fn open(&self, sealed: &str, place: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: ciphertext, aad: place.as_bytes() };
        String::from_utf8(self.cipher().decrypt(&XNonce::from(*nonce), payload).ok()?).ok()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.expose_secret().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_text_opens_only_with_its_secret_and_purpose() {
        let sealer = Sealer::new(&"a".into()).unwrap();
        let sealed = sealer.seal("state", "sign-in").unwrap();
        assert!(!sealed.contains("state") && sealed != sealer.seal("state", "sign-in").unwrap());
        assert_eq!(Sealer::new(&"a".into()).unwrap().open(&sealed, "sign-in").as_deref(), Some("state"));
        assert_eq!(sealer.open(&sealed, "session"), None);
        assert_eq!(Sealer::new(&"b".into()).unwrap().open(&sealed, "sign-in"), None);
        for broken in ["", "x", "!", &sealed[..sealed.len() - 2]] {
            assert_eq!(sealer.open(broken, "sign-in"), None, "{broken}");
        }
    }
}
