//! Converts a status of Mastodon's API to a post.

use serde::Deserialize;

use super::super::draft::Found;
use super::super::html;
use super::super::lenient::lenient;
use sentistream_core::domain::{Op, PostId, Timestamp};

/// A status, with only the fields that are used.
#[derive(Debug, Deserialize)]
pub struct Status {
    /// The id: a number as text, unique within its instance.
    pub id: String,
    #[serde(default, deserialize_with = "lenient")]
    created_at: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    edited_at: Option<String>,
    /// The text as HTML.
    #[serde(default, deserialize_with = "lenient")]
    content: Option<String>,
    /// The content warning; may be empty.
    #[serde(default, deserialize_with = "lenient")]
    spoiler_text: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    language: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    url: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    uri: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    in_reply_to_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    account: Option<Account>,
    /// The boosted status. The boosted status also appears as a separate entry in the timeline.
    reblog: Option<serde::de::IgnoredAny>,
    #[serde(default, deserialize_with = "lenient")]
    quote: Option<Quote>,
}

#[derive(Debug, Deserialize)]
struct Account {
    /// The account: `name`, or `name@host` for an account of another instance.
    acct: String,
}

/// A quoted status, as an object or by its id (<https://docs.joinmastodon.org/entities/Quote/>,
/// <https://docs.joinmastodon.org/entities/ShallowQuote/>).
#[derive(Debug, Deserialize)]
struct Quote {
    #[serde(default, deserialize_with = "lenient")]
    quoted_status: Option<Quoted>,
    #[serde(default, deserialize_with = "lenient")]
    quoted_status_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Quoted {
    id: String,
}

impl Status {
    /// Converts the status to a post of `host`. The text consists of the content warning and the content, without the
    /// link to a quoted status, which servers add for old clients.
    pub fn found(self, host: &str) -> Found {
        let content = self.content.unwrap_or_default();
        let body = match self.reblog {
            Some(_) => String::new(),
            None => html::text(&html::without_class(&content, "quote-inline")),
        };
        let warning = self.spoiler_text.unwrap_or_default();
        let warning = warning.trim();
        let content = if warning.is_empty() || body.is_empty() { body } else { format!("{warning}\n\n{body}") };
        let author = |acct: String| if acct.contains('@') { acct } else { format!("{acct}@{host}") };
        let quoted =
            self.quote.and_then(|quote| quote.quoted_status.map(|quoted| quoted.id).or(quote.quoted_status_id));
        Found {
            post_id: id(host, &self.id),
            content,
            author: self.account.map(|account| author(account.acct)),
            created_at: time(self.created_at.as_deref()),
            lang: self.language,
            url: self.url.or(self.uri),
            reply_to: self.in_reply_to_id.or(quoted).map(|parent| id(host, &parent)),
            edited_at: None,
        }
    }

    /// Converts the status to an edited version of an earlier post.
    pub fn edited(self, host: &str, now: Timestamp) -> Found {
        let edited_at = time(self.edited_at.as_deref()).unwrap_or(now);
        Found { edited_at: Some(edited_at), ..self.found(host) }
    }
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

/// The deletion of the status `id`; `None` if `id` is not a valid id of a status.
pub fn delete(host: &str, id: &str) -> Option<Op> {
    PostId::parse(&self::id(host, id)).ok().map(|post_id| Op::Delete { post_id })
}

/// The `post_id` of a status. Deletions and replies refer to a status by its number on the instance.
fn id(host: &str, number: &str) -> String {
    format!("mastodon:{host}:{number}")
}
