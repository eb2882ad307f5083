//! Hashes of passwords: Argon2id with the parameters that OWASP recommends (19 MiB, two passes, one lane).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use super::AccountError;

/// The minimum length of a password, in characters.
pub const MIN_CHARS: usize = 12;
/// The maximum length of a password, in characters.
pub const MAX_CHARS: usize = 256;
/// The minimum number of different characters in a password.
const MIN_DIFFERENT: usize = 5;
/// Memory of one hash, in KiB.
const MEMORY_KIB: u32 = 19 * 1024;
/// The number of passes over the memory.
const PASSES: u32 = 2;
/// The degree of parallelism of Argon2 (its lanes).
const LANES: u32 = 1;
/// The maximum number of concurrent hashes, which limits their memory to 76 MiB.
const CONCURRENT: usize = 4;
/// The maximum number of requests that wait for a hash, including those whose hash is being computed.
const MAX_WAITING: usize = 64;
/// The most frequent leaked passwords that have at least [`MIN_CHARS`] characters. Case is ignored.
const WELL_KNOWN: [&str; 24] = [
    "123456789012",
    "1234567890123",
    "123123123123",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "qwertyuiop123",
    "qwertyuiop[]",
    "qwertyuiopasdf",
    "qwerty123456",
    "asdfghjkl123",
    "zaq12wsxcde3",
    "abcdefghijkl",
    "abcd12345678",
    "password1234",
    "password12345",
    "passwordpassword",
    "mypassword123",
    "iloveyou1234",
    "administrator",
    "administrator1",
    "changemeplease",
    "welcome12345",
    "letmein12345",
];

/// Why a password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// The password is too short or too long.
    #[error("must be {MIN_CHARS} to {MAX_CHARS} characters")]
    Length,
    /// The password has too few different characters, contains the name of the account (if the name has at least four
    /// characters), or is a common password.
    #[error(
        "is easy to guess: use {MIN_DIFFERENT} or more different characters, no common password and not the user name"
    )]
    Guessable,
}

/// A password that is not easy to guess.
#[derive(Clone, Debug)]
pub struct NewPassword(SecretString);

impl NewPassword {
    /// Checks a password for the account `name`.
    ///
    /// # Errors
    /// When the password is refused, with the reason.
    pub fn parse(text: &SecretString, name: &str) -> Result<Self, WeakPassword> {
        let password = text.expose_secret();
        if !(MIN_CHARS..=MAX_CHARS).contains(&password.chars().count()) {
            return Err(WeakPassword::Length);
        }
        let folded = password.to_lowercase();
        let mut different: Vec<char> = folded.chars().collect();
        different.sort_unstable();
        different.dedup();
        let name = name.to_lowercase();
        let names_account = name.chars().count() >= 4 && folded.contains(&name);
        if different.len() < MIN_DIFFERENT || names_account || WELL_KNOWN.contains(&folded.as_str()) {
            return Err(WeakPassword::Guessable);
        }
        Ok(Self(text.clone()))
    }
}

/// Hashes and verifies passwords on threads for blocking work. All clones share one limit of concurrent hashes.
#[derive(Clone)]
pub struct Hasher {
    running: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// The hash of a random text. It is verified for an account that does not exist or has no password, so that the
    /// answer takes as long as for an account with a password.
    decoy: Arc<OnceLock<String>>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(CONCURRENT)), waiting: Arc::default(), decoy: Arc::default() }
    }
}

impl Hasher {
    /// The hash of a password, in the PHC format.
    ///
    /// # Errors
    /// [`AccountError::Busy`] when too many requests wait, [`AccountError::Hash`] when the computation fails.
    pub async fn hash(&self, password: &NewPassword) -> Result<String, AccountError> {
        let NewPassword(password) = password.clone();
        self.run(move || hash(password.expose_secret())).await?
    }

    /// Whether the password matches the hash. Without a hash the result is `false`, after the time that a comparison
    /// takes, so that clients cannot find out which accounts exist.
    ///
    /// # Errors
    /// [`AccountError::Busy`] when too many requests wait, [`AccountError::Hash`] when the computation fails.
    pub async fn verify(&self, password: &SecretString, known: Option<&str>) -> Result<bool, AccountError> {
        let (known, decoy) = (known.map(str::to_owned), self.decoy.clone());
        let has_hash = known.is_some();
        // A longer text cannot be a password. It is replaced by an empty text, so that hashing does not take longer.
        let is_possible = password.expose_secret().chars().count() <= MAX_CHARS;
        let password = if is_possible { password.clone() } else { SecretString::default() };
        let matches = self.run(move || {
            // The first attempt of the process creates the decoy even if the account exists, so that both cases take
            // the same time.
            let decoy = decoy.get_or_init(|| hash(&uuid::Uuid::new_v4().to_string()).unwrap_or_default());
            let known = known.as_ref().unwrap_or(decoy);
            let password = password.expose_secret().as_bytes();
            argon2().is_ok_and(|argon2| argon2.verify_password(password, known.as_str()).is_ok())
        });
        Ok(matches.await? && has_hash && is_possible)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AccountError> {
        let _place = Place::take(&self.waiting)?;
        let permit = self.running.clone().acquire_owned().await.map_err(|_| AccountError::Busy)?;
        let task = tokio::task::spawn_blocking(move || {
            // The permit moves into the task, because the task continues after the request is dropped.
            let _permit = permit;
            work()
        });
        task.await.map_err(|panic| AccountError::Hash(panic.to_string()))
    }
}

/// The place of a request in the queue. Dropping it frees the place.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> Result<Self, AccountError> {
        let place = Self(waiting.clone());
        if waiting.fetch_add(1, Ordering::SeqCst) >= MAX_WAITING { Err(AccountError::Busy) } else { Ok(place) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn argon2() -> Result<Argon2<'static>, AccountError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| AccountError::Hash(e.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String, AccountError> {
    let salt: [u8; 16] = rand::random();
    let hash: Result<PasswordHash, _> = argon2()?.hash_password_with_salt(password.as_bytes(), &salt);
    Ok(hash.map_err(|e| AccountError::Hash(e.to_string()))?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessable_passwords_are_refused() {
        let check = |text: &str| NewPassword::parse(&text.into(), "Ada Lovelace").err();
        assert_eq!(check("short"), Some(WeakPassword::Length));
        assert_eq!(check(&"x7".repeat(129)), Some(WeakPassword::Length));
        for guessable in ["aaaaaaaaaaaa", "Password1234", "ada lovelace 1", "121212121212"] {
            assert_eq!(check(guessable), Some(WeakPassword::Guessable), "{guessable}");
        }
        for good in ["correct horse battery", "zwölf Zeichen!", "a-Kd8?x01lmQ"] {
            assert_eq!(check(good), None, "{good}");
        }
    }

    #[tokio::test]
    async fn hash_has_the_recommended_parameters_and_a_salt() {
        let hasher = Hasher::default();
        let secret = SecretString::from("correct horse battery");
        let password = NewPassword::parse(&secret, "ada").unwrap();
        let (first, second) = (hasher.hash(&password).await.unwrap(), hasher.hash(&password).await.unwrap());
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, second);
        assert!(hasher.verify(&secret, Some(&first)).await.unwrap());
        assert!(!hasher.verify(&"correct horse".into(), Some(&first)).await.unwrap());
        assert!(!hasher.verify(&secret, None).await.unwrap());
        assert!(!hasher.verify(&secret, Some("not a hash")).await.unwrap());
    }

    #[tokio::test]
    async fn sign_in_is_refused_while_the_queue_is_full() {
        let hasher = Hasher::default();
        let permits = hasher.running.clone().acquire_many_owned(4).await.unwrap();
        let secret = SecretString::from("x");
        let waiting: Vec<_> = (0..MAX_WAITING)
            .map(|_| {
                let (hasher, secret) = (hasher.clone(), secret.clone());
                tokio::spawn(async move { hasher.verify(&secret, None).await })
            })
            .collect();
        while hasher.waiting.load(Ordering::SeqCst) < MAX_WAITING {
            tokio::task::yield_now().await;
        }
        assert!(matches!(hasher.verify(&secret, None).await, Err(AccountError::Busy)));
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        for task in waiting {
            let _ = task.await;
        }
        drop(permits);
        assert!(!hasher.verify(&secret, None).await.unwrap());
    }
}
