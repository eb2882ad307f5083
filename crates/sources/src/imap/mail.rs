//! Converts mails to posts (RFC 5322).

use mail_parser::{HeaderValue, MessageParser};

use super::super::draft::Found;
use super::super::known::digest;
use super::mime;
use sentistream_core::domain::Timestamp;

/// The maximum length of an id in bytes. Longer ids are replaced by their digest.
const MAX_ID: usize = 200;

/// A mail as the server sent it.
#[derive(Debug)]
pub struct Raw {
    pub uid: u32,
    /// When the mail arrived (`INTERNALDATE`).
    pub arrived: Option<Timestamp>,
    /// The first bytes of the mail.
    pub bytes: Vec<u8>,
}

/// The mailbox that a mail is in.
#[derive(Clone, Debug)]
pub struct Origin {
    /// A digest of the server and the user. The ids of posts begin with this digest, so that a mail in two mailboxes of
    /// an account becomes one post, and the name of the account stays private.
    pub account: String,
    /// The `UIDVALIDITY` of the mailbox.
    pub validity: u32,
}

/// A post, with the fields that filters compare.
#[derive(Debug)]
pub struct Mail {
    pub found: Found,
    /// The name and the address of the sender, in lower case.
    pub sender: String,
    /// The subject in lower case.
    pub subject: String,
}

impl Mail {
    /// Parses a mail. `None`: the mail has no header.
    pub fn read(raw: &Raw, origin: &Origin) -> Option<Self> {
        let (head, _) = mime::split(&raw.bytes);
        let headers = MessageParser::default().parse_headers(head)?;
        let subject = headers.subject().unwrap_or_default().trim();
        let sender = headers.from().and_then(|from| from.first());
        let name = sender.and_then(|sender| sender.name.as_deref()).map(str::trim).filter(|name| !name.is_empty());
        let address = sender.and_then(|sender| sender.address.as_deref());
        let date = headers.date().filter(|date| date.is_valid()).map(mail_parser::DateTime::to_timestamp);
        let written = date.filter(|seconds| *seconds > 0).and_then(Timestamp::from_unix);
        let answered = first(headers.in_reply_to());
        let post_id = match headers.message_id() {
            Some(id) => origin.post_id(id),
            None => format!("imap:{}:{}/{}", origin.account, origin.validity, raw.uid),
        };
        Some(Self {
            sender: format!("{} {}", name.unwrap_or_default(), address.unwrap_or_default()).to_lowercase(),
            subject: subject.to_lowercase(),
            found: Found {
                post_id,
                content: content(subject, &mime::text(&raw.bytes)),
                author: name.or(address).map(str::to_owned),
                // The sender's clock may be wrong, so the arrival is the upper limit of the time.
                created_at: written.map_or(raw.arrived, |at| Some(raw.arrived.map_or(at, |arrived| at.min(arrived)))),
                reply_to: answered.map(|id| origin.post_id(id)),
                ..Found::default()
            },
        })
    }
}

impl Origin {
    /// The id of the post with the given `Message-ID`. The id does not depend on the mailbox.
    fn post_id(&self, id: &str) -> String {
        let id = id.trim();
        let is_usable = id.len() <= MAX_ID && id.chars().all(|c| !c.is_control() && !c.is_whitespace());
        let id = if is_usable { id.to_owned() } else { digest(id) };
        format!("imap:{}:{id}", self.account)
    }
}

/// The first id in a header.
fn first<'a>(header: &'a HeaderValue<'_>) -> Option<&'a str> {
    match header {
        HeaderValue::Text(id) => Some(id),
        HeaderValue::TextList(ids) => ids.first().map(AsRef::as_ref),
        _ => None,
    }
}

fn content(subject: &str, text: &str) -> String {
    let parts: Vec<&str> = [subject, text].into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Mail {
        let origin = Origin { account: "a1".to_owned(), validity: 5 };
        let raw =
            Raw { uid: 7, arrived: "2026-03-01T12:00:00Z".parse().ok(), bytes: text.replace('\n', "\r\n").into() };
        Mail::read(&raw, &origin).unwrap()
    }

    #[test]
    fn headers_are_decoded() {
        let mail = read(
            "From: =?UTF-8?Q?J=C3=B6rg?= <joerg@example.org>\nSubject: =?iso-8859-1?B?U2No9m4=?=\n =?utf-8?q?_&_gut?=\n\
             Message-ID: <x1@example.org>\nIn-Reply-To: <x0@example.org> <w@example.org>\n\
             Date: Sun, 01 Mar 2026 12:30:00 +0100\n\nI love it\n",
        );
        assert_eq!(mail.found.content, "Schön & gut\n\nI love it");
        assert_eq!(mail.found.author.as_deref(), Some("Jörg"));
        assert_eq!((mail.sender.as_str(), mail.subject.as_str()), ("jörg joerg@example.org", "schön & gut"));
        assert_eq!(mail.found.post_id, "imap:a1:x1@example.org");
        assert_eq!(mail.found.reply_to.as_deref(), Some("imap:a1:x0@example.org"));
        assert_eq!(mail.found.created_at, "2026-03-01T11:30:00Z".parse().ok());
    }

    #[test]
    fn mail_without_usual_headers_is_read() {
        let mail = read("From: ada@example.org\nDate: Mon, 01 Mar 2027 12:00:00 +0000\n\nI love it\n");
        assert_eq!((mail.found.post_id.as_str(), mail.found.content.as_str()), ("imap:a1:5/7", "I love it"));
        assert_eq!(mail.found.author.as_deref(), Some("ada@example.org"));
        assert_eq!(mail.found.created_at, "2026-03-01T12:00:00Z".parse().ok(), "not after the arrival");
        let mail = read(&format!("Message-ID: <{}@x>\nDate: soon\n\nx\n", "y".repeat(400)));
        assert_eq!(mail.found.created_at, "2026-03-01T12:00:00Z".parse().ok());
        assert_eq!(mail.found.post_id.len(), "imap:a1:".len() + 16);
        assert!(
            Mail::read(
                &Raw { uid: 1, arrived: None, bytes: Vec::new() },
                &Origin { account: String::new(), validity: 1 }
            )
            .is_none()
        );
    }
}
