//! E-mail: reads the mails of one mailbox by IMAP.
//!
//! Each poll signs in, opens the mailbox read-only, and reads the mails whose UIDs are larger than the UID of the last
//! known mail. Mails stay unread, and nothing is changed or deleted. When the server renumbers the mails
//! (`UIDVALIDITY`), the mails that arrived since the newest known mail are read again. The ids of their posts do not
//! change, so the posts are not counted twice.
//!
//! Only the first 128 KiB of each mail are read, and their text becomes the post.
//!
//! Protocol: <https://www.rfc-editor.org/rfc/rfc9051> and <https://www.rfc-editor.org/rfc/rfc3501>.

mod failure;
mod history;
mod limits;
mod mail;
mod mime;
mod names;
mod session;
mod trim;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use rustls::ClientConfig;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::fetch::Fetcher;
use super::history::Past;
use super::known::digest;
use super::polled::{Poll, Polled};
use super::{Batch, SourceError, SourceSpec};
use sentistream_core::clock::Clock;
use sentistream_core::domain::Timestamp;

use failure::Failure;
use history::OlderMails;
use limits::MAX_LITERAL;
use mail::{Mail, Origin};
use session::{Listed, Session, Which};

const DAY: Duration = Duration::from_secs(86_400);
/// The maximum number of mails that the first poll reads, which are the newest ones.
const FIRST: u32 = 100;
/// The maximum number of mails per request.
const MAX_REQUESTED: usize = 50;
/// The maximum number of bytes per request.
const MAX_REQUESTED_BYTES: u64 = 4 * 1024 * 1024;
/// The number of bytes after which a poll ends. The next poll starts after [`SOON`].
const MAX_POLLED_BYTES: u64 = 8 * 1024 * 1024;
/// The wait for the next poll when a poll did not read all new mails.
const SOON: Duration = Duration::from_secs(2);

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Protection {
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// The connection is upgraded to TLS before the sign-in.
    StartTls,
    /// No encryption. Only for servers on this machine.
    None,
}

impl Protection {
    /// The default port.
    pub fn port(self) -> u16 {
        if self == Self::Tls { 993 } else { 143 }
    }
}

/// The mailbox to read.
#[derive(Clone)]
pub struct ImapOptions {
    /// The name or the address of the server, as in a URL.
    pub host: String,
    /// The port of the server.
    pub port: u16,
    /// How the connection is encrypted.
    pub protection: Protection,
    /// The name of the user.
    pub user: String,
    /// The password of the user, or an application password.
    pub password: SecretString,
    /// The name of the mailbox.
    pub mailbox: String,
    /// Texts in lower case. Only mails whose sender has one of them in the name or address are read. Empty: all mails.
    pub senders: Vec<String>,
    /// Texts in lower case. Only mails whose subject contains one of them are read. Empty: all mails.
    pub subjects: Vec<String>,
    /// The time between two polls.
    pub interval: Duration,
    /// How far back to read when the source is added; zero: only the newest mails.
    pub history: Duration,
    /// The maximum wait for a response.
    pub timeout: Duration,
    /// The TLS configuration.
    pub tls: Arc<ClientConfig>,
}

impl ImapOptions {
    /// The host and port of the server, as in messages.
    fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Whether the filters accept a mail.
    fn wants(&self, mail: &Mail) -> bool {
        let has = |words: &[String], text: &str| words.is_empty() || words.iter().any(|word| text.contains(word));
        has(&self.senders, &mail.sender) && has(&self.subjects, &mail.subject)
    }
}

impl fmt::Debug for ImapOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapOptions")
            .field("server", &self.server())
            .field("mailbox", &self.mailbox)
            .finish_non_exhaustive()
    }
}

/// The position in the mailbox, which is stored between runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// Identifies the mailbox. If it changes, reading starts with the newest mails of the new mailbox.
    place: String,
    /// The `UIDVALIDITY` under which `last` was stored. `None`: nothing was read yet.
    validity: Option<u32>,
    /// The UID of the last known mail.
    last: u32,
    /// When the newest known mail arrived.
    newest: Option<Timestamp>,
}

/// The state that is kept when the source is opened again.
struct Shared {
    options: ImapOptions,
    fetcher: Fetcher,
    clock: Clock,
    /// Whether mails are requested one by one. Set after a response that could not be parsed.
    is_careful: AtomicBool,
}

/// The source of the mails of a mailbox.
struct Imap {
    shared: Arc<Shared>,
    cursor: Cursor,
}

/// Creates the source `name`.
pub fn spec(name: &str, options: ImapOptions, fetcher: impl Fn() -> Fetcher, clock: Clock) -> SourceSpec {
    let shared =
        |options| Shared { options, fetcher: fetcher(), clock: clock.clone(), is_careful: AtomicBool::new(false) };
    let (shared, older) = (Arc::new(shared(options.clone())), Arc::new(shared(options)));
    let past = Past { name, kind: "imap", span: older.options.history, clock };
    let history = past.spec(move || Box::new(OlderMails::new(older.clone())));
    let spec = SourceSpec::new("imap", name, move |opening| {
        let stored: Cursor =
            opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let place = shared.place();
        let cursor = if stored.place == place { stored } else { Cursor { place, ..Cursor::default() } };
        Box::new(Polled::new(Imap { shared: shared.clone(), cursor }))
    });
    spec.with_history(history)
}

impl Imap {
    async fn read_new(&mut self) -> Result<Batch, SourceError> {
        let shared = self.shared.clone();
        let mut session = Session::open(&shared.options, &shared.fetcher).await?;
        let mut batch = Batch { wait: shared.options.interval, ..Batch::default() };
        let mails = self.list(&mut session).await.map_err(|error| shared.error(error))?;
        let read = shared.read(&mut session, &mails, &mut batch).await?;
        // After a change of `UIDVALIDITY` the old UID must not be compared with the UIDs of later mails.
        if self.cursor.validity != Some(session.validity) {
            self.cursor.last = 0;
        }
        self.cursor.validity = Some(session.validity);
        if let Some(last) = mails[..read].last() {
            self.cursor.last = last.uid;
        }
        self.cursor.newest = mails[..read].iter().filter_map(|mail| mail.arrived).chain(self.cursor.newest).max();
        if read < mails.len() || mails.len() >= session::MAX_LISTED {
            batch.wait = SOON.min(shared.options.interval);
        }
        // A struct of texts and numbers can always be serialised.
        batch.cursor = Some(serde_json::to_string(&self.cursor).unwrap_or_default());
        session.close().await;
        Ok(batch)
    }

    /// Lists the new mails, oldest first.
    async fn list(&self, session: &mut Session) -> Result<Vec<Listed>, Failure> {
        let known = match (self.cursor.validity, self.cursor.newest) {
            (Some(validity), _) if validity == session.validity => Some(self.cursor.last),
            // The mails have new UIDs, so they are searched by day. The server compares days in its own time zone.
            (Some(_), Some(newest)) => {
                session.search(session::day(newest - 2 * DAY), None).await?.first().map(|first| first.saturating_sub(1))
            }
            _ => None,
        };
        session.list(known.map_or(Which::Newest(FIRST), Which::After)).await
    }
}

impl Shared {
    /// A hash that identifies the mailbox without containing names.
    fn place(&self) -> String {
        let ImapOptions { user, mailbox, .. } = &self.options;
        digest(&format!("{}\n{user}\n{mailbox}", self.options.server()))
    }

    fn origin(&self, validity: u32) -> Origin {
        let ImapOptions { host, user, .. } = &self.options;
        Origin { account: digest(&format!("{host}\n{user}")), validity }
    }

    /// Adds the posts of `mails`, and returns the number of mails that were processed. After an error the posts that
    /// were read before it are kept. The session must not be used again if not all mails were processed.
    async fn read(&self, session: &mut Session, mails: &[Listed], batch: &mut Batch) -> Result<usize, SourceError> {
        let (mut done, mut bytes) = (0, 0);
        while done < mails.len() && bytes < MAX_POLLED_BYTES {
            let (count, size) = self.requested(&mails[done..]);
            let part = &mails[done..done + count];
            match session.read(part).await {
                Ok(found) => {
                    for raw in found {
                        self.add(raw, session.validity, batch).await;
                    }
                }
                // Mails are requested one by one until the mail that cannot be parsed is found. This mail is skipped.
                Err(Failure::Malformed(reason)) if count == 1 && self.is_careful.load(Ordering::Relaxed) => {
                    batch.rejected.push(format!("mail {}: {reason}", part[0].uid));
                    return Ok(done + 1);
                }
                Err(error) => {
                    if matches!(error, Failure::Malformed(_)) {
                        self.is_careful.store(true, Ordering::Relaxed);
                    }
                    let error = self.error(error);
                    if done == 0 {
                        return Err(error);
                    }
                    batch.troubles.push(error.to_string());
                    return Ok(done);
                }
            }
            done += count;
            bytes += size;
        }
        if done == mails.len() {
            self.is_careful.store(false, Ordering::Relaxed);
        }
        Ok(done)
    }

    /// How many of `mails` the next request contains, and their size in bytes.
    fn requested(&self, mails: &[Listed]) -> (usize, u64) {
        let most = if self.is_careful.load(Ordering::Relaxed) { 1 } else { MAX_REQUESTED };
        let (mut count, mut bytes) = (0, 0);
        for mail in mails.iter().take(most) {
            let size = u64::from(mail.size.min(MAX_LITERAL));
            if count > 0 && bytes + size > MAX_REQUESTED_BYTES {
                break;
            }
            (count, bytes) = (count + 1, bytes + size);
        }
        (count, bytes)
    }

    /// Adds the post of a mail. Mails are decoded on a blocking thread, because some take long.
    async fn add(&self, raw: mail::Raw, validity: u32, batch: &mut Batch) {
        let (uid, origin) = (raw.uid, self.origin(validity));
        match tokio::task::spawn_blocking(move || Mail::read(&raw, &origin)).await {
            Ok(Some(mail)) if self.options.wants(&mail) => mail.found.add_to(batch, "imap", self.clock.now()),
            Ok(Some(_)) => batch.filtered += 1,
            Ok(None) => batch.rejected.push(format!("mail {uid}: the mail has no header")),
            Err(_) => batch.rejected.push(format!("mail {uid}: the mail cannot be decoded")),
        }
    }

    fn error(&self, failure: Failure) -> SourceError {
        failure.into_error(&self.options.server())
    }
}

impl Poll for Imap {
    fn poll(&mut self) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.read_new())
    }
}
