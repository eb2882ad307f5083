//! Encrypts secrets in the database with XChaCha20-Poly1305. The keys are stored outside of the database.
//!
//! A key file has one key per line, 32 random bytes as base64. Secrets are sealed with the first key and can be opened
//! with every key. A rotation adds a key, seals all secrets again, and removes the old keys. A sealed text names its
//! key and is bound to the record in which it is stored: a copy in another record cannot be opened.

mod file;

use std::fs::{self, TryLockError};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use sha2::{Digest as _, Sha256};

use file::{create, folder_of, new_key, replace};

/// The prefix of every sealed text, with the version of the format.
const PREFIX: &str = "sealed:v1:";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// Whether `text` is sealed. Otherwise it is a secret in plain text.
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Why a secret cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The key file cannot be read or written.
    #[error("the key file {path} cannot be used")]
    File {
        /// The path of the key file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Other users can read the key file.
    #[error("the key file {path} can be read by other users (mode {mode:o}): run `chmod 600 {path}`")]
    Exposed {
        /// The path of the key file.
        path: PathBuf,
        /// The mode of the file.
        mode: u32,
    },
    /// A line of the key file is not a key.
    #[error(
        "line {line} of the key file {path} is not a key: each line must be 32 bytes as base64 (openssl rand -base64 32)"
    )]
    Key {
        /// The path of the key file.
        path: PathBuf,
        /// The number of the line, counted from 1.
        line: usize,
    },
    /// The key file contains no key.
    #[error("the key file {path} has no key: write one with `openssl rand -base64 32`")]
    Empty {
        /// The path of the key file.
        path: PathBuf,
    },
    /// Another process changes the keys.
    #[error("another process changes the key file {path}: run the command again when that process has finished")]
    Locked {
        /// The path of the key file.
        path: PathBuf,
    },
    /// The key of a sealed text is not in the key file.
    #[error(
        "a stored secret is sealed with the key {key}, which is not in the key file; restore the key file that has it"
    )]
    UnknownKey {
        /// The id of the key.
        key: String,
    },
    /// The text is not a sealed secret, was modified, or was sealed for another place.
    #[error("a stored secret was changed or moved: set it again")]
    Tampered,
    /// The cipher failed.
    #[error("a secret cannot be encrypted")]
    Seal,
}

/// A key and its id.
struct Key {
    /// The first 8 hex digits of the key's SHA-256.
    id: String,
    bytes: SecretBox<[u8; KEY_BYTES]>,
}

impl Key {
    fn new(bytes: [u8; KEY_BYTES]) -> Self {
        let id = Sha256::digest(bytes).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Self { id, bytes: SecretBox::new(Box::new(bytes)) }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.bytes.expose_secret().into())
    }
}

/// Seals and opens secrets. Clones share the keys. A changed key file is read again, so that a rotation needs no
/// restart.
#[derive(Clone)]
pub struct Vault {
    path: Arc<Path>,
    keys: Arc<ArcSwap<Keys>>,
    /// The last version of the key file that was logged as not readable.
    logged: Arc<Mutex<Option<FileVersion>>>,
}

/// The keys of a file, and the version of the file.
struct Keys {
    version: Option<FileVersion>,
    list: Vec<Key>,
}

/// Distinguishes the versions of a file. Two versions can have the same modification time, but a replaced file has
/// another inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileVersion {
    modified: (i64, i64),
    inode: (u64, u64),
}

impl FileVersion {
    fn of(file: &fs::Metadata) -> Self {
        Self { modified: (file.mtime(), file.mtime_nsec()), inode: (file.dev(), file.ino()) }
    }
}

impl Keys {
    fn read(path: &Path) -> Result<Self, SecretsError> {
        let file = |source| SecretsError::File { path: path.to_owned(), source };
        let metadata = fs::metadata(path).map_err(file)?;
        let mode = metadata.permissions().mode() & 0o777;
        // The group may read the file, because orchestrators mount secrets readable by the group of the process.
        if mode & 0o007 != 0 {
            return Err(SecretsError::Exposed { path: path.to_owned(), mode });
        }
        let text = SecretString::from(fs::read_to_string(path).map_err(file)?);
        let lines = text.expose_secret().lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let key = |(index, line): (usize, &str)| {
            let bytes = STANDARD.decode(line.trim()).ok().and_then(|bytes| bytes.try_into().ok());
            bytes.map(Key::new).ok_or_else(|| SecretsError::Key { path: path.to_owned(), line: index + 1 })
        };
        let list: Vec<Key> = lines.map(key).collect::<Result<_, _>>()?;
        if list.is_empty() {
            return Err(SecretsError::Empty { path: path.to_owned() });
        }
        Ok(Self { version: Some(FileVersion::of(&metadata)), list })
    }

    fn first(&self) -> Option<&Key> {
        self.list.first()
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Vault {
    /// The keys of an existing file.
    ///
    /// # Errors
    /// When the file cannot be read, other users can read it, a line is not a key, or there is no key.
    pub fn open(path: &Path) -> Result<Self, SecretsError> {
        let keys = Arc::new(ArcSwap::from_pointee(Keys::read(path)?));
        Ok(Self { path: path.into(), keys, logged: Arc::default() })
    }

    /// The current keys of the file. While the file cannot be read, the previous keys are returned.
    fn current(&self) -> Guard<Arc<Keys>> {
        let version = fs::metadata(&self.path).ok().map(|file| FileVersion::of(&file));
        if version.is_some() && version != self.keys.load().version {
            match Keys::read(&self.path) {
                Ok(keys) => self.keys.store(Arc::new(keys)),
                Err(error) => {
                    // Each use of a secret reads the file again, so each change is logged only once.
                    let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
                    if *logged != version {
                        tracing::error!(%error, "changed key file not readable, using the previous keys");
                        *logged = version;
                    }
                }
            }
        }
        self.keys.load()
    }

    /// The keys of a file. If the file does not exist, it is created with a new key.
    ///
    /// # Errors
    /// As [`Self::open`], and when the file cannot be written.
    pub fn open_or_create(path: &Path) -> Result<Self, SecretsError> {
        if !path.exists() {
            create(path).map_err(|source| SecretsError::File { path: path.to_owned(), source })?;
        }
        Self::open(path)
    }

    /// Adds a new key as the first key of an existing file. New secrets are sealed with it.
    ///
    /// # Errors
    /// As [`Self::open`], when the file cannot be written, and while another process changes the keys.
    pub fn begin_rotation(path: &Path) -> Result<Rotation, SecretsError> {
        let file = |source| SecretsError::File { path: path.to_owned(), source };
        // The key file is replaced, so the lock is on its folder.
        let folder = fs::File::open(folder_of(path)).map_err(file)?;
        match folder.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SecretsError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(file(source)),
        }
        Self::open(path)?;
        let old = SecretString::from(fs::read_to_string(path).map_err(file)?);
        replace(path, &format!("{}\n{}", new_key(), old.expose_secret())).map_err(file)?;
        Ok(Rotation { path: path.to_owned(), _lock: folder })
    }

    /// Seals `secret` for a place such as `receiver:on-call`.
    ///
    /// # Errors
    /// When the cipher fails, which happens only for texts of many GiB.
    pub fn seal(&self, secret: &SecretString, place: &str) -> Result<String, SecretsError> {
        let keys = self.current();
        let key = keys.first().ok_or(SecretsError::Seal)?;
        let mut nonce = [0; NONCE_BYTES];
        rand::Rng::fill(&mut rand::rng(), &mut nonce);
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: place.as_bytes() };
        let sealed = key.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| SecretsError::Seal)?;
        Ok(format!("{PREFIX}{}:{}", key.id, STANDARD.encode([&nonce[..], &sealed].concat())))
    }

    /// Opens a text that was sealed for `place`.
    ///
    /// # Errors
    /// When the key of `sealed` is missing, or the text was modified or sealed for another place.
    pub fn unseal(&self, sealed: &str, place: &str) -> Result<SecretString, SecretsError> {
        let parts = sealed.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':'));
        let (id, text) = parts.ok_or(SecretsError::Tampered)?;
        let keys = self.current();
        let key = keys.list.iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| SecretsError::UnknownKey { key: id.to_owned() })?;
        let bytes = STANDARD.decode(text).map_err(|_| SecretsError::Tampered)?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(SecretsError::Tampered)?;
        let payload = Payload { msg: ciphertext, aad: place.as_bytes() };
        let opened = key.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| SecretsError::Tampered)?;
        String::from_utf8(opened).map(SecretString::from).map_err(|_| SecretsError::Tampered)
    }

    /// Whether `sealed` is sealed with the first key.
    pub fn is_current(&self, sealed: &str) -> bool {
        self.current().first().is_some_and(|key| {
            sealed.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with(&format!("{}:", key.id)))
        })
    }
}

/// A key file with a new key and the old keys. The process holds the lock for changes of the file.
pub struct Rotation {
    path: PathBuf,
    _lock: fs::File,
}

impl Rotation {
    /// Removes every key except the first from the file. All secrets must have been sealed with the first key.
    ///
    /// # Errors
    /// As [`Vault::open`], and when the file cannot be written.
    pub fn finish(self) -> Result<(), SecretsError> {
        let keys = Keys::read(&self.path)?;
        let key = keys.first().ok_or_else(|| SecretsError::Empty { path: self.path.clone() })?;
        let line = STANDARD.encode(key.bytes.expose_secret());
        replace(&self.path, &format!("{line}\n"))
            .map_err(|source| SecretsError::File { path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(vault: &Vault, sealed: &str, place: &str) -> Option<String> {
        vault.unseal(sealed, place).ok().map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn sealed_text_can_be_opened_only_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.key");
        let vault = Vault::open_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let sealed = vault.seal(&"hunter2".into(), "receiver:a").unwrap();
        assert!(!sealed.contains("hunter2"));
        assert_ne!(sealed, vault.seal(&"hunter2".into(), "receiver:a").unwrap(), "each nonce is new");
        assert_eq!(opened(&vault, &sealed, "receiver:a").as_deref(), Some("hunter2"));
        assert!(matches!(vault.unseal(&sealed, "receiver:b"), Err(SecretsError::Tampered)));
        for broken in ["", "sealed:v1:", "sealed:v1:x", &sealed[..sealed.len() - 4], "hunter2"] {
            assert!(vault.unseal(broken, "receiver:a").is_err(), "{broken}");
        }
        let other = Vault::open_or_create(&folder.path().join("y.key")).unwrap();
        assert!(matches!(other.unseal(&sealed, "receiver:a"), Err(SecretsError::UnknownKey { .. })));
    }

    #[test]
    fn concurrent_creations_use_one_key() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..50 {
            let path = folder.path().join(format!("{round}.key"));
            let start = std::sync::Barrier::new(8);
            let create = || {
                start.wait();
                Vault::open_or_create(&path).unwrap().seal(&"hunter2".into(), "a").unwrap()
            };
            let sealed: Vec<String> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let vault = Vault::open(&path).unwrap();
            assert!(sealed.iter().all(|sealed| opened(&vault, sealed, "a").is_some()));
        }
    }

    #[test]
    fn rotation_opens_old_secrets_until_their_key_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.key");
        let vault = Vault::open_or_create(&path).unwrap();
        let before = vault.seal(&"hunter2".into(), "a").unwrap();
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let rotation = Vault::begin_rotation(&path).unwrap();
        fs::OpenOptions::new().append(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert!(!vault.is_current(&before), "the new key is found also if the modification time is the same");
        assert!(matches!(Vault::begin_rotation(&path), Err(SecretsError::Locked { .. })), "a rotation is in progress");
        let both = Vault::open(&path).unwrap();
        let after = both.seal(&"hunter2".into(), "a").unwrap();
        assert_eq!((both.is_current(&before), both.is_current(&after)), (false, true));
        assert!(opened(&both, &before, "a").is_some() && opened(&both, &after, "a").is_some());
        rotation.finish().unwrap();
        let last = Vault::open(&path).unwrap();
        assert!(opened(&last, &before, "a").is_none() && opened(&last, &after, "a").is_some());
    }

    #[test]
    fn exposed_or_malformed_key_file_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.key");
        assert!(matches!(Vault::open(&path), Err(SecretsError::File { .. })));
        Vault::open_or_create(&path).unwrap();
        replace(&path, "\n").unwrap();
        assert!(matches!(Vault::open(&path), Err(SecretsError::Empty { .. })));
        replace(&path, "short\n").unwrap();
        assert!(matches!(Vault::open(&path), Err(SecretsError::Key { line: 1, .. })));
        replace(&path, &new_key()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Vault::open(&path), Err(SecretsError::Exposed { mode: 0o644, .. })));
    }

    #[test]
    fn rotation_keeps_the_mode_of_the_key_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.key");
        Vault::open_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let rotation = Vault::begin_rotation(&path).unwrap();
        assert_eq!(mode(), 0o640);
        rotation.finish().unwrap();
        assert_eq!(mode(), 0o640);
    }

    #[test]
    fn unreadable_change_of_the_key_file_is_logged_once() {
        let folder = tempfile::tempdir().unwrap();
        let (path, log) = (folder.path().join("x.key"), folder.path().join("log"));
        let vault = Vault::open_or_create(&path).unwrap();
        let logger = tracing_subscriber::fmt().with_writer(Arc::new(fs::File::create(&log).unwrap())).finish();
        tracing::subscriber::with_default(logger, || {
            for change in 1..=2 {
                fs::write(&path, "short\n").unwrap();
                let modified = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(change);
                fs::OpenOptions::new().append(true).open(&path).unwrap().set_modified(modified).unwrap();
                for _ in 0..3 {
                    vault.seal(&"hunter2".into(), "a").unwrap();
                }
            }
        });
        assert_eq!(fs::read_to_string(&log).unwrap().matches("changed key file not readable").count(), 2);
    }
}
