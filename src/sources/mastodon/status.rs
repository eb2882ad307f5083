//! A status as Mastodon's API gives it.

use serde::Deserialize;

use super::super::draft::Found;
use super::super::html;
use crate::domain::{Op, PostId, Timestamp};

/// The parts of a status that we read.
#[derive(Debug, Deserialize)]
pub struct Status {
    /// A number in text, which grows; known to its instance alone.
    pub id: String,
    created_at: Option<String>,
    edited_at: Option<String>,
    /// HTML.
    #[serde(default)]
    content: String,
    /// The content warning, or empty.
    #[serde(default)]
    spoiler_text: String,
    language: Option<String>,
    url: Option<String>,
    uri: Option<String>,
    in_reply_to_id: Option<String>,
    account: Option<Account>,
    /// The status that this one passes on; it comes by itself.
    reblog: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Account {
    /// `name`, or `name@host` of another instance.
    acct: String,
}

impl Status {
    /// What `host` says here. The content warning stands first: it is a part of what people read.
    pub fn found(self, host: &str) -> Found {
        let body = if self.reblog.is_some() { String::new() } else { html::text(&self.content) };
        let warning = self.spoiler_text.trim();
        let content = if warning.is_empty() || body.is_empty() { body } else { format!("{warning}\n\n{body}") };
        let author = |acct: String| if acct.contains('@') { acct } else { format!("{acct}@{host}") };
        Found {
            post_id: id(host, &self.id),
            content,
            author: self.account.map(|account| author(account.acct)),
            created_at: time(self.created_at.as_deref()),
            lang: self.language,
            url: self.url.or(self.uri),
            reply_to: self.in_reply_to_id.map(|parent| id(host, &parent)),
            edited_at: None,
        }
    }

    /// The same as the later version of what was found before.
    pub fn edited(self, host: &str, now: Timestamp) -> Found {
        let edited_at = time(self.edited_at.as_deref()).unwrap_or(now);
        Found { edited_at: Some(edited_at), ..self.found(host) }
    }
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

/// The deletion of the status `id`; `None` for an id that no status can have.
pub fn delete(host: &str, id: &str) -> Option<Op> {
    PostId::parse(&self::id(host, id)).ok().map(|post_id| Op::Delete { post_id })
}

/// Deletions and replies name a status by its number at the instance, so that is its name here.
fn id(host: &str, number: &str) -> String {
    format!("mastodon:{host}:{number}")
}
