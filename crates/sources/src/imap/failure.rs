//! Converts errors of a mail server to messages with advice.

use std::io;
use std::time::Duration;

use async_imap::error::Error;
use async_imap::imap_proto::{Outcome, ResponseCode};

use super::super::SourceError;

/// The wait after a server asks for a pause without stating its length.
const PAUSE: Duration = Duration::from_secs(300);
/// The maximum number of characters of a response in messages.
const MAX_SHOWN: usize = 200;
/// Texts in responses which indicate that a later attempt may succeed: response codes of RFC 5530 and common words, in
/// lower case.
const TEMPORARY: [&str; 11] = [
    "[unavailable]",
    "[inuse]",
    "[limit]",
    "[serverbug]",
    "too many",
    "simultaneous",
    "temporar",
    "try again",
    "rate limit",
    "exceeded",
    "bandwidth",
];
/// Response codes of RFC 5530 which say that user and password are not valid, in lower case.
const WRONG_ACCOUNT: [&str; 3] = ["[authenticationfailed]", "[authorizationfailed]", "[expired]"];
/// Response codes which say that the mailbox does not exist (RFC 5530 and RFC 3501, section 7.1), in lower case.
const NO_MAILBOX: [&str; 2] = ["[nonexistent]", "[trycreate]"];

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// An error of the source, which ends this poll.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The server refused the command (`NO` or `BAD`), with the text of the response.
    #[error("{0}")]
    Refused(String),
    /// The response cannot be parsed, or exceeds a limit.
    #[error("{0}")]
    Malformed(String),
}

impl Failure {
    /// Converts an error of a connection to `server`.
    pub fn of(error: Error, server: &str) -> Self {
        match error {
            Error::Io(error) => Self::of_io(&error, server),
            Error::No(text) | Error::Bad(text) => Self::Refused(information(&text)),
            Error::ConnectionLost => lost(server),
            Error::Validate(_) => {
                permanent(format!("user, password and mailbox must not contain line breaks ({server})"))
            }
            _ => Self::Malformed(format!("{server} sent an answer that cannot be read")),
        }
    }

    /// Converts an error of reading from `server`. The message of the parser is left out, because it quotes the data,
    /// which may be a mail.
    pub fn of_io(error: &io::Error, server: &str) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData => Self::Malformed(format!("{server}: {error}")),
            io::ErrorKind::Other => Self::Malformed(format!("{server} sent an answer that cannot be read")),
            io::ErrorKind::UnexpectedEof => lost(server),
            _ => transient(format!("{server}: {error}")),
        }
    }

    /// Converts a failure of `server` that needs no specific advice.
    pub fn into_error(self, server: &str) -> SourceError {
        match self {
            Self::Source(error) => error,
            Self::Malformed(reason) => SourceError::Transient(reason),
            Self::Refused(text) => pause(&text, server).unwrap_or_else(|| {
                SourceError::Transient(format!("{server} refused a command: {}", or_nothing(&text)))
            }),
        }
    }
}

/// The error for a response that asks the client to retry later; `None` for other responses.
pub fn pause(text: &str, server: &str) -> Option<SourceError> {
    says(text, &TEMPORARY).then(|| SourceError::Busy {
        reason: format!("{server} is busy ({text}); other mail clients may be using up the connections of the account"),
        after: PAUSE,
    })
}

/// Whether a response contains one of `words`, which are in lower case.
fn says(text: &str, words: &[&str]) -> bool {
    let lower = text.to_lowercase();
    words.iter().any(|word| lower.contains(word))
}

/// The error when the server closes the connection and states the reason `text`.
pub fn closed(text: &str, server: &str) -> Failure {
    let reason = || SourceError::Transient(format!("{server} closed the connection: {}", or_nothing(text)));
    pause(text, server).unwrap_or_else(reason).into()
}

/// The error when the server refuses the sign-in. It is permanent only if the response has a code for a wrong user or
/// password, because servers also refuse sign-ins while they are broken.
pub fn sign_in(failure: Failure, server: &str) -> SourceError {
    match failure {
        Failure::Refused(text) => pause(&text, server).unwrap_or_else(|| {
            let reason = or_nothing(&text);
            let advice = "IMAP may have to be allowed in the settings of the account, and an account with two-factor \
                          authentication needs an app password";
            if says(&text, &WRONG_ACCOUNT) {
                SourceError::Permanent(format!(
                    "{server} does not accept user and password ({reason}): check both; {advice}"
                ))
            } else {
                SourceError::Refused(format!(
                    "{server} refused the sign-in ({reason}): if this persists, check user and password; {advice}"
                ))
            }
        }),
        other => other.into_error(server),
    }
}

/// The error when the mailbox cannot be opened. It is permanent only if the response has a code for a mailbox that does
/// not exist. `others` are existing mailboxes, which the message lists.
pub fn mailbox(failure: Failure, (name, server): (&str, &str), others: &[String]) -> SourceError {
    match failure {
        Failure::Refused(text) => pause(&text, server).unwrap_or_else(|| {
            let known =
                if others.is_empty() { String::new() } else { format!("; existing mailboxes: {}", others.join(", ")) };
            let reason = or_nothing(&text);
            let message = format!("{server} cannot open the mailbox {name:?} ({reason}): check mailbox{known}");
            if says(&text, &NO_MAILBOX) { SourceError::Permanent(message) } else { SourceError::Refused(message) }
        }),
        other => other.into_error(server),
    }
}

/// The error when TLS cannot be established.
pub fn tls(error: &io::Error, server: &str) -> SourceError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(reason)) => SourceError::Refused(format!(
            "the certificate of {server} is not valid ({reason}): check host, or add the certificate authority to the \
             system"
        )),
        Some(rustls::Error::InvalidMessage(_)) => {
            SourceError::Refused(format!("{server} does not answer with TLS: check port, or set tls to \"starttls\""))
        }
        _ => SourceError::Transient(format!("{server}: TLS failed: {error}")),
    }
}

/// The text of a response.
pub fn said(outcome: &Outcome<'_>) -> String {
    let code = match &outcome.code {
        Some(ResponseCode::TryCreate) => "[TRYCREATE] ".to_owned(),
        Some(code) => format!("{code:?} "),
        None => String::new(),
    };
    shown(&format!("{code}{}", outcome.information.as_deref().unwrap_or_default()))
}

/// The text of a response within an error message of `async-imap`: `code: None, info: Some("…")`.
fn information(message: &str) -> String {
    let text = message.split_once("info: Some(\"").and_then(|(_, text)| text.strip_suffix("\")"));
    shown(&text.unwrap_or_default().replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// Text of the server for messages: without control characters, and cut to [`MAX_SHOWN`] characters.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect::<String>().trim().to_owned()
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { "no reason given" } else { text }
}

pub fn lost(server: &str) -> Failure {
    transient(format!("{server} closed the connection"))
}

pub fn transient(reason: String) -> Failure {
    SourceError::Transient(reason).into()
}

fn permanent(reason: String) -> Failure {
    SourceError::Permanent(reason).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_sign_in_says_what_to_do() {
        let error =
            |text: &str| sign_in(Failure::of(Error::No(text.to_owned()), "mail.example:993"), "mail.example:993");
        let wrong = error("code: None, info: Some(\"[AUTHENTICATIONFAILED] Invalid \\\"x\\\"\")");
        assert!(matches!(&wrong, SourceError::Permanent(reason) if reason.contains("app password")), "{wrong}");
        assert!(wrong.to_string().contains("([AUTHENTICATIONFAILED] Invalid \"x\")"), "{wrong}");
        for text in ["Too many simultaneous connections. (Failure)", "[UNAVAILABLE] Temporary authentication failure."]
        {
            let busy = error(&format!("code: Some(Alert), info: Some({text:?})"));
            assert!(matches!(&busy, SourceError::Busy { after, .. } if *after == PAUSE), "{busy}");
        }
        assert!(error("code: None, info: None").to_string().contains("no reason given"));
    }

    #[test]
    fn sign_in_error_is_permanent_only_with_a_known_code() {
        let error = |text: &str| sign_in(Failure::Refused(text.to_owned()), "mail.example:993");
        for text in ["[AuthenticationFailed] x", "[AUTHORIZATIONFAILED] x", "[EXPIRED] x"] {
            assert!(matches!(error(text), SourceError::Permanent(_)), "{text}");
        }
        for text in ["Server Unavailable. 15", "System I/O error", "LOGIN failed.", ""] {
            let refused = error(text);
            assert!(
                matches!(&refused, SourceError::Refused(reason) if reason.contains("check user and password")),
                "{refused}"
            );
        }
    }

    #[test]
    fn mailbox_error_is_permanent_only_if_the_mailbox_is_missing() {
        let error = |text: &str| mailbox(Failure::Refused(text.to_owned()), ("INBOX", "mail.example:993"), &[]);
        for text in ["[NONEXISTENT] Unknown Mailbox: INBOX", "[TRYCREATE] No such mailbox"] {
            assert!(matches!(error(text), SourceError::Permanent(_)), "{text}");
        }
        for text in ["User is authenticated but not connected.", "System I/O error", ""] {
            assert!(matches!(error(text), SourceError::Refused(_)), "{text}");
        }
        assert!(matches!(error("[UNAVAILABLE] x"), SourceError::Busy { .. }));
    }

    #[test]
    fn unreadable_response_is_not_quoted_in_the_error() {
        let error = io::Error::other("Tag during parsing of \"* 1 FETCH (BODY[] private\"");
        assert!(!Failure::of_io(&error, "mail.example").to_string().contains("private"));
    }
}
