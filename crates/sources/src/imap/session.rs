//! A session with a mail server (RFC 9051, and RFC 3501, which most servers implement): signs in, and reads one mailbox
//! without changing it. The mailbox is opened with `EXAMINE`, and mails are fetched with `BODY.PEEK`.
//!
//! Commands are sent and responses are read one by one, because the methods of `async-imap` for `FETCH` and `SEARCH`
//! treat a refused command as an empty result.

mod sign_in;

use std::collections::BTreeMap;
use std::time::Duration;

use async_imap::imap_proto::{AttributeValue, MailboxDatum, Response, ResponseCode, Status};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::time::{Instant, timeout, timeout_at};

use super::super::SourceError;
use super::super::date::date;
use super::super::fetch::Fetcher;
use super::ImapOptions;
use super::failure::{self, Failure};
use super::limits::{Limited, MAX_LITERAL};
use super::mail::Raw;
use super::names;
use sentistream_core::domain::Timestamp;

use sign_in::{connect, sign_in};

/// The maximum number of mails that [`Session::list`] returns.
pub const MAX_LISTED: usize = 500;
/// The timeout of a command, as a multiple of the maximum wait for a response.
const COMMAND: u32 = 4;
/// The maximum number of mailboxes that an error lists.
const MAX_NAMES: usize = 10;
/// The maximum number of characters of the name of a mailbox in an error.
const MAX_NAME: usize = 60;
/// The maximum wait for the response to `LOGOUT`.
const LOGOUT: Duration = Duration::from_secs(2);

/// A mail in the mailbox.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    pub uid: u32,
    /// The size of the mail in bytes.
    pub size: u32,
    /// When the mail arrived.
    pub arrived: Option<Timestamp>,
}

/// The mails to list.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// This many of the newest mails.
    Newest(u32),
    /// The mails with larger UIDs. Only the first [`MAX_LISTED`] of them are returned.
    After(u32),
    /// The mails with these UIDs.
    Uids(&'a [u32]),
}

/// A session with an opened mailbox.
pub struct Session {
    inner: async_imap::Session<Limited>,
    server: String,
    wait: Duration,
    /// The `UIDVALIDITY` of the mailbox: when it changes, all mails have new UIDs.
    pub validity: u32,
    /// The number of mails in the mailbox.
    exists: u32,
}

impl Session {
    /// Signs in and opens the mailbox.
    pub async fn open(options: &ImapOptions, fetcher: &Fetcher) -> Result<Self, SourceError> {
        let server = options.server();
        let wire = connect(options, fetcher).await?;
        let inner = sign_in(options, wire).await?;
        let mut session = Self { inner, server, wait: options.timeout, validity: 0, exists: 0 };
        session.examine(&options.mailbox).await?;
        Ok(session)
    }

    async fn examine(&mut self, name: &str) -> Result<(), SourceError> {
        let (mut validity, mut exists) = (None, 0);
        let command = format!("EXAMINE {}", quoted(&names::encoded(name)));
        let opened = self.command(&command, |answer| match answer {
            Response::Data { outcome, .. } => {
                if let Some(ResponseCode::UidValidity(found)) = outcome.code {
                    validity = Some(found);
                }
            }
            Response::MailboxData(MailboxDatum::Exists(count)) => exists = *count,
            _ => {}
        });
        if let Err(error) = opened.await {
            let others = if matches!(error, Failure::Refused(_)) { self.mailboxes().await } else { Vec::new() };
            return Err(failure::mailbox(error, (name, &self.server), &others));
        }
        let lacks = || {
            let reason = "has no permanent mail numbers (UIDVALIDITY), so new mails cannot be found";
            SourceError::Refused(format!("{} {reason}", self.server))
        };
        (self.validity, self.exists) = (validity.ok_or_else(lacks)?, exists);
        Ok(())
    }

    /// Some mailboxes of the account, for an error message.
    async fn mailboxes(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        let listed = self.command("LIST \"\" \"*\"", |answer| {
            if let Response::MailboxData(MailboxDatum::List(mailbox)) = answer
                && found.len() < MAX_NAMES
            {
                found.push(shown_name(&mailbox.name));
            }
        });
        // An error of this list is ignored, because the error of the mailbox is reported.
        _ = listed.await;
        found
    }

    /// Lists the UIDs, sizes and arrival times of mails, sorted by UID.
    pub async fn list(&mut self, which: Which<'_>) -> Result<Vec<Listed>, Failure> {
        let items = "(UID RFC822.SIZE INTERNALDATE)";
        let command = match which {
            // In an empty mailbox `*` is not a valid sequence number.
            _ if self.exists == 0 => return Ok(Vec::new()),
            Which::Newest(count) => format!("FETCH {}:{} {items}", self.exists.saturating_sub(count) + 1, self.exists),
            Which::After(uid) => format!("UID FETCH {}:* {items}", uid.saturating_add(1)),
            Which::Uids(uids) => format!("UID FETCH {} {items}", set(uids)),
        };
        // The range `n:*` includes the last mail even if its UID is smaller than `n`.
        let least = if let Which::After(uid) = which { uid.saturating_add(1) } else { 0 };
        let mut found = BTreeMap::new();
        self.command(&command, |answer| {
            if let Some(mail) = listed(answer).filter(|mail| mail.uid >= least) {
                found.insert(mail.uid, mail);
                if found.len() > MAX_LISTED {
                    found.pop_last();
                }
            }
        })
        .await?;
        Ok(found.into_values().collect())
    }

    /// Reads the first bytes of mails. Mails that no longer exist are left out.
    pub async fn read(&mut self, mails: &[Listed]) -> Result<Vec<Raw>, Failure> {
        let uids: Vec<u32> = mails.iter().map(|mail| mail.uid).collect();
        let command = format!("UID FETCH {} (UID BODY.PEEK[]<0.{MAX_LITERAL}>)", set(&uids));
        let mut found: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        self.command(&command, |answer| {
            if let Some((uid, bytes)) = body(answer).filter(|(uid, _)| uids.contains(uid)) {
                found.entry(uid).or_insert_with(|| bytes.to_vec());
            }
        })
        .await?;
        let raw = |mail: &Listed| {
            let bytes = found.remove(&mail.uid)?;
            Some(Raw { uid: mail.uid, arrived: mail.arrived, bytes })
        };
        Ok(mails.iter().filter_map(raw).collect())
    }

    /// The UIDs of mails that arrived on the day `start` or later, and before the day `end`, in the time zone of the
    /// server.
    pub async fn search(&mut self, start: Date, end: Option<Date>) -> Result<Vec<u32>, Failure> {
        let date = |day: Date| day.strftime("%-d-%b-%Y").to_string();
        let before = end.map(|end| format!(" BEFORE {}", date(end))).unwrap_or_default();
        let mut found = Vec::new();
        self.command(&format!("UID SEARCH SINCE {}{before}", date(start)), |answer| {
            if let Response::MailboxData(MailboxDatum::Search(uids)) = answer {
                found.extend_from_slice(uids);
            }
        })
        .await?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Ends the session, even if the server does not respond.
    pub async fn close(mut self) {
        _ = timeout(LOGOUT, self.inner.run_command_and_check_ok("LOGOUT")).await;
    }

    /// Sends a command and passes each response to `each`.
    async fn command(&mut self, command: &str, mut each: impl FnMut(&Response<'_>) + Send) -> Result<(), Failure> {
        let (inner, server, wait) = (&mut self.inner, self.server.as_str(), self.wait);
        inner.as_mut().begin_command();
        let end = Instant::now() + wait * COMMAND;
        let slow = |_| {
            failure::transient(format!(
                "{server} did not answer within {} s, or took over four times as long for the whole answer",
                wait.as_secs_f32()
            ))
        };
        let sent = timeout(wait, inner.run_command(command)).await.map_err(slow)?;
        let tag = sent.map_err(|error| Failure::of(error, server))?;
        loop {
            let limit = end.min(Instant::now() + wait);
            let answer = timeout_at(limit, inner.read_response()).await.map_err(slow)?;
            let answer = answer.map_err(|error| Failure::of_io(&error, server))?;
            let answer = answer.ok_or_else(|| failure::lost(server))?;
            match answer.parsed() {
                Response::Done { tag: done, status, outcome } if *done == tag => {
                    let refused = || Failure::Refused(failure::said(outcome));
                    return if *status == Status::Ok { Ok(()) } else { Err(refused()) };
                }
                Response::Data { status: Status::Bye, outcome } => {
                    return Err(failure::closed(&failure::said(outcome), server));
                }
                answer => each(answer),
            }
        }
    }
}

/// The day of a time in UTC.
pub fn day(at: Timestamp) -> Date {
    at.to_jiff().to_zoned(TimeZone::UTC).date()
}

/// A name of a mailbox that the server listed, for an error message.
fn shown_name(name: &str) -> String {
    failure::shown(&names::decoded(name)).chars().take(MAX_NAME).collect()
}

/// Formats `text` as a quoted string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Formats `uids` as a sequence set.
fn set(uids: &[u32]) -> String {
    uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// The mail in a response to `FETCH`. `None` for responses about other changes, which have no size.
fn listed(answer: &Response<'_>) -> Option<Listed> {
    let Response::Fetch(_, attributes) = answer else { return None };
    let (mut uid, mut size, mut arrived) = (None, None, None);
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(found) => uid = Some(*found),
            AttributeValue::Rfc822Size(found) => size = Some(*found),
            AttributeValue::InternalDate(found) => arrived = time(found),
            _ => {}
        }
    }
    Some(Listed { uid: uid?, size: size?, arrived })
}

/// The UID and the content of the mail in a response to `FETCH`.
fn body<'a>(answer: &'a Response<'_>) -> Option<(u32, &'a [u8])> {
    let Response::Fetch(_, attributes) = answer else { return None };
    let (mut uid, mut bytes) = (None, None);
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(found) => uid = Some(*found),
            AttributeValue::BodySection { section: None, data: Some(data), .. } => bytes = Some(data.as_ref()),
            _ => {}
        }
    }
    Some((uid?, bytes?))
}

/// Parses a date-time of RFC 9051: `01-Mar-2026 12:00:00 +0100`.
fn time(text: &str) -> Option<Timestamp> {
    let at = date(&text.trim().replacen('-', " ", 2), None)?;
    Timestamp::from_millis(at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrival_time_is_parsed() {
        for (text, expected) in [
            ("01-Mar-2026 12:00:00 +0100", Some("2026-03-01T11:00:00Z")),
            (" 1-Mar-2026 12:00:00 -0500", Some("2026-03-01T17:00:00Z")),
            ("soon", None),
        ] {
            assert_eq!(time(text), expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn listed_names_are_short_and_have_no_control_characters() {
        assert_eq!(shown_name("Entw&APw-rfe"), "Entwürfe");
        // The encoded characters are a line feed and an escape.
        assert_eq!(shown_name("&AAo-Sup&ABs-port\u{7}"), "Support");
        assert_eq!(shown_name(&"x".repeat(100_000)), "x".repeat(60));
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted(r#"a "b\c"#), r#""a \"b\\c""#);
        assert_eq!(set(&[3, 1]), "3,1");
    }
}
