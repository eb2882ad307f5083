//! Converts issues and comments to posts.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::super::draft::Found;
use super::super::lenient::lenient;
use sentistream_core::domain::Timestamp;

/// The maximum length of `owner/name`.
const MAX_REPOSITORY: usize = 140;

/// Parses `owner/name`, or the URL of a page of the repository. The result is in lower case. `None`: the text does not
/// name a repository.
pub fn repository(text: &str) -> Option<String> {
    let text = text.trim();
    let path = match text.split_once("://") {
        Some(_) => Url::parse(text).ok().filter(|url| url.host_str() == Some("github.com"))?.path().to_owned(),
        None => text.strip_prefix("github.com/").unwrap_or(text).to_owned(),
    };
    let is_name = |name: &&str| {
        !name.is_empty()
            && *name != "."
            && *name != ".."
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let (owner, name) = (parts.next().filter(is_name)?, parts.next()?);
    let name = Some(name.strip_suffix(".git").unwrap_or(name)).filter(is_name)?;
    let full = format!("{owner}/{name}").to_lowercase();
    (full.len() <= MAX_REPOSITORY).then_some(full)
}

/// A post, with the properties that decide whether it is read.
#[derive(Debug)]
pub struct Entry {
    pub found: Found,
    /// The time of the last change, including changes of labels.
    pub updated_at: Timestamp,
    /// Whether the item is a pull request, or a comment on one.
    pub of_pull_request: bool,
}

/// Why an item of a list is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ItemError {
    /// The item lacks fields of an issue or comment.
    #[error("not an issue or a comment: {0}")]
    Form(#[from] serde_json::Error),
    /// A comment does not name its issue.
    #[error("the comment {0} has no issue_url")]
    Issue(u64),
}

/// An issue, a pull request or a comment of the REST API. Optional fields of unexpected types count as missing.
#[derive(Deserialize)]
struct Item {
    id: u64,
    /// The number of an issue or pull request.
    #[serde(default, deserialize_with = "lenient")]
    number: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    title: Option<String>,
    /// The text without markup.
    #[serde(default, deserialize_with = "lenient")]
    body_text: Option<String>,
    /// The text in Markdown.
    #[serde(default, deserialize_with = "lenient")]
    body: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    html_url: Option<String>,
    /// The URL of the issue that a comment belongs to.
    #[serde(default, deserialize_with = "lenient")]
    issue_url: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    user: Option<Author>,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(default, deserialize_with = "lenient")]
    pull_request: Option<Value>,
}

/// The author of an item. An item of a deleted account has `null` instead.
#[derive(Debug, Deserialize)]
pub struct Author {
    pub login: String,
}

impl Entry {
    /// Reads an item of a list of issues or comments.
    ///
    /// # Errors
    /// When the item is neither an issue nor a comment.
    pub fn read(item: Value, repository: &str) -> Result<Self, ItemError> {
        let item: Item = serde_json::from_value(item)?;
        let number = |url: &String| url.rsplit('/').next()?.parse::<u64>().ok();
        let (post_id, reply_to) = match item.number {
            Some(number) => (format!("github:{repository}#{number}"), None),
            None => {
                let issue = item.issue_url.as_ref().and_then(number).ok_or(ItemError::Issue(item.id))?;
                (format!("github:{repository}#issuecomment-{}", item.id), Some(format!("github:{repository}#{issue}")))
            }
        };
        let is_on_pull_request = item.html_url.as_ref().is_some_and(|url| url.contains("/pull/"));
        Ok(Self {
            updated_at: item.updated_at,
            of_pull_request: item.pull_request.is_some() || is_on_pull_request,
            found: Found {
                post_id,
                content: content(item.title, item.body_text.or(item.body)),
                author: item.user.map(|user| user.login),
                created_at: Some(item.created_at),
                url: item.html_url,
                reply_to,
                edited_at: Some(item.updated_at).filter(|updated| *updated > item.created_at),
                ..Found::default()
            },
        })
    }
}

/// The title, followed by the body.
pub fn content(title: Option<String>, body: Option<String>) -> String {
    let parts: Vec<String> = [title, body].into_iter().flatten().filter(|part| !part.trim().is_empty()).collect();
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_is_read_from_its_name_or_url() {
        for text in [
            "Acme/Phone.js",
            " acme/phone.js ",
            "https://github.com/acme/phone.js",
            "https://github.com/acme/phone.js/issues?q=is%3Aopen",
            "github.com/acme/phone.js.git",
        ] {
            assert_eq!(repository(text).as_deref(), Some("acme/phone.js"), "{text}");
        }
        for text in
            ["", "acme", "acme/", "https://gitlab.com/acme/phone", "acme/..", "a b/c", "https://github.com/acme"]
        {
            assert_eq!(repository(text), None, "{text}");
        }
    }
}
