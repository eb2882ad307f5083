//! Reads discussions, which only the GraphQL API lists
//! (<https://docs.github.com/en/graphql/guides/using-the-graphql-api-for-discussions>).

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::super::draft::Found;
use super::super::fetch;
use super::super::known::{Known, Novelty};
use super::super::paging::pages_exhausted;
use super::super::{Batch, SourceError};
use super::item::{Author, Entry, content};
use super::{MAX_PAGES, Shared};
use sentistream_core::domain::Timestamp;

/// The maximum time until all servers of GitHub return a change. An item of a known discussion counts as read if its
/// change is older than the newest known change by more than this time.
const SETTLED: Duration = Duration::from_secs(3_600);

/// Each discussion is returned with its newest 50 comments, and each comment with its newest 20 replies. The query
/// returns at most 26,275 nodes; the API allows 500,000.
const QUERY: &str = "query($owner: String!, $name: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    discussions(first: 25, after: $after, orderBy: {field: UPDATED_AT, direction: DESC}) {
      pageInfo { hasNextPage endCursor }
      nodes {
        number title bodyText url createdAt updatedAt author { login }
        comments(last: 50) { nodes {
          databaseId bodyText url createdAt updatedAt author { login }
          replies(last: 20) { nodes { databaseId bodyText url createdAt updatedAt author { login } } }
        } }
      }
    }
  }
}";

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<GraphQlError>,
}

#[derive(Deserialize)]
struct GraphQlError {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Data {
    repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    discussions: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    page_info: PageInfo,
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

/// A discussion, a comment or a reply.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    /// The number of a discussion.
    #[serde(default)]
    number: Option<u64>,
    /// The id of a comment or a reply.
    #[serde(default)]
    database_id: Option<u64>,
    #[serde(default)]
    title: Option<String>,
    body_text: String,
    url: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    author: Option<Author>,
    #[serde(default)]
    comments: Option<Nodes>,
    #[serde(default)]
    replies: Option<Nodes>,
}

#[derive(Deserialize)]
struct Nodes {
    nodes: Vec<Node>,
}

/// How far the discussions of a repository were read.
///
/// A page can have 26,275 items, which is too many for a cursor. The cursor contains only the discussions and the items
/// that changed recently. An older item of a known discussion was read before.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Threads {
    /// The time of the newest known change of a discussion. `None`: the discussions were not read yet.
    since: Option<Timestamp>,
    /// Discussions that were read before.
    threads: Known,
    /// Items that changed recently, with hashes of their texts.
    known: Known,
}

impl Threads {
    /// Whether this version of an entry of the discussion `thread` was not read before.
    fn is_new(&mut self, entry: &Entry, (thread, horizon): (Thread, Option<Timestamp>)) -> bool {
        match (thread, horizon) {
            (Thread::New, Some(horizon)) if entry.updated_at < horizon => true,
            (Thread::Known, Some(horizon)) if entry.updated_at < horizon => false,
            _ => self.known.meet(&entry.found.post_id, &entry.found.content) != Novelty::Same,
        }
    }
}

/// Whether a discussion was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thread {
    Known,
    New,
}

/// A page of discussions.
pub struct Discussions {
    /// The discussions, each with its comments and replies.
    pub threads: Vec<Vec<Entry>>,
    /// The earliest time of a last change among the discussions of the page.
    pub oldest: Option<Timestamp>,
    /// The position of the next page.
    pub next: Option<String>,
}

impl Shared {
    /// Adds new and changed discussions, comments and replies to `batch`. The first poll reads only one page.
    pub async fn discussions(
        &self,
        repository: &str,
        before: &Threads,
        batch: &mut Batch,
    ) -> Result<Threads, SourceError> {
        let (mut state, mut found, mut after) = (before.clone(), Vec::new(), None::<String>);
        for number in 1..=MAX_PAGES {
            let page = self.discussion_page(repository, after.as_deref()).await?;
            found.extend(page.threads);
            let is_complete = before.since.is_none_or(|since| page.oldest.is_none_or(|oldest| oldest < since));
            match page.next {
                Some(next) if !is_complete => after = Some(next),
                _ => break,
            }
            if number == MAX_PAGES {
                let trouble = pages_exhausted(MAX_PAGES, "discussions", "older changes");
                batch.troubles.push(format!("{repository}: {trouble}"));
            }
        }
        // `since` is computed only from the times of discussions, because a reply may be newer than the last change
        // that its discussion reports.
        let tops = found.iter().flatten().filter(|entry| entry.found.reply_to.is_none());
        state.since = before.since.max(tops.map(|entry| entry.updated_at).max());
        let horizon = before.since.or(state.since).map(|since| since - SETTLED);
        let mut fresh = Vec::new();
        for entries in found {
            let top = entries.iter().find(|entry| entry.found.reply_to.is_none());
            let novelty = top.map_or(Novelty::New, |top| state.threads.meet(&top.found.post_id, ""));
            let thread = if novelty == Novelty::New { Thread::New } else { Thread::Known };
            fresh.extend(entries.into_iter().filter(|entry| state.is_new(entry, (thread, horizon))));
        }
        state.threads.end_poll();
        state.known.end_poll();
        fresh.sort_by_key(|entry| entry.updated_at);
        for entry in fresh {
            self.add_entry(entry, batch);
        }
        Ok(state)
    }

    /// A page of discussions, sorted by their last change, newest first. `after`: the position of the page; `None`: the
    /// first page.
    pub async fn discussion_page(&self, repository: &str, after: Option<&str>) -> Result<Discussions, SourceError> {
        let Page { page_info, nodes } = self.query(repository, after).await?;
        let oldest = nodes.iter().map(|node| node.updated_at).min();
        let entries = |node| {
            let mut entries = Vec::new();
            read(node, repository, None, &mut entries);
            entries
        };
        let next = page_info.end_cursor.filter(|_| page_info.has_next_page);
        Ok(Discussions { threads: nodes.into_iter().map(entries).collect(), oldest, next })
    }

    async fn query(&self, repository: &str, after: Option<&str>) -> Result<Page, SourceError> {
        let (owner, name) = repository.split_once('/').unwrap_or((repository, ""));
        let body = json!({"query": QUERY, "variables": {"owner": owner, "name": name, "after": after}});
        let mut headers = self.headers()?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.fetcher.post(&self.graphql()?, headers, body.to_string().into()).await?;
        let reply: Value = fetch::json(&self.judge(answer).await?)?;
        let unexpected = |error| SourceError::Transient(format!("unexpected answer for discussions: {error}"));
        let reply: Reply = serde_json::from_value(reply).map_err(unexpected)?;
        match (reply.data.and_then(|data| data.repository), reply.errors.into_iter().next()) {
            (Some(repository), _) => Ok(repository.discussions),
            (None, Some(error)) if error.kind == "RATE_LIMITED" => Err(SourceError::Busy {
                reason: format!("GitHub allows no more requests for discussions: {}", error.message),
                after: self.options.interval.max(Duration::from_secs(60)),
            }),
            (None, Some(error)) => Err(SourceError::Refused(format!("discussions of {repository}: {}", error.message))),
            (None, None) => Err(SourceError::Refused(format!(
                "GitHub returned no discussions of {repository}: check that the token has permission to read them"
            ))),
        }
    }

    /// The URL of the GraphQL API: `https://api.github.com/graphql`. An enterprise server has it next to `/api/v3/`.
    fn graphql(&self) -> Result<Url, SourceError> {
        let base = &self.options.base;
        let path = if base.path().ends_with("/v3/") { "../graphql" } else { "graphql" };
        base.join(path).map_err(|error| SourceError::Permanent(format!("url: {error}")))
    }
}

/// Adds `node`, its comments and their replies to `found`. The query limits the depth of the recursion.
fn read(node: Node, repository: &str, parent: Option<&str>, found: &mut Vec<Entry>) {
    let id = match (node.number, node.database_id) {
        (Some(number), _) => number.to_string(),
        (None, Some(id)) => format!("discussioncomment-{id}"),
        (None, None) => return,
    };
    let post_id = format!("github:{repository}#{id}");
    for child in [node.comments, node.replies].into_iter().flatten().flat_map(|nodes| nodes.nodes) {
        read(child, repository, Some(&post_id), found);
    }
    found.push(Entry {
        updated_at: node.updated_at,
        of_pull_request: false,
        found: Found {
            post_id,
            content: content(node.title, Some(node.body_text)),
            author: node.author.map(|author| author.login),
            created_at: Some(node.created_at),
            url: Some(node.url),
            reply_to: parent.map(str::to_owned),
            edited_at: Some(node.updated_at).filter(|updated| *updated > node.created_at),
            ..Found::default()
        },
    });
}
