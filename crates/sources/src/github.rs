//! GitHub: issues, their comments and discussions of repositories.
//!
//! The lists are sorted by the time of the last change, newest first. Each request asks for the changes since the
//! newest known change. The response for an unchanged list is 304, which does not count against the rate limit of a
//! token. The API returns rendered text instead of Markdown (`application/vnd.github.text+json`).
//!
//! APIs: <https://docs.github.com/en/rest/issues/issues>, <https://docs.github.com/en/rest/issues/comments>,
//! <https://docs.github.com/en/graphql/guides/using-the-graphql-api-for-discussions>; limits:
//! <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>.

mod discussions;
mod history;
mod item;
mod limit;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::fetch::{Fetcher, json, refusal};
use super::history::Past;
use super::known::{Known, Novelty};
use super::paging::next_page;
use super::polled::{Poll, Polled};
use super::schedule::{PollSchedule, Report};
use super::{Batch, SourceError, SourceSpec};
use sentistream_core::clock::Clock;
use sentistream_core::domain::Timestamp;
use sentistream_core::domain::op::preview;
use sentistream_core::outbound::Answer;

use discussions::Threads;
use history::OlderItems;
use item::Entry;
pub use item::{ItemError, repository};

/// The number of items per page, which is the maximum of the API.
const PAGE: &str = "100";
/// The maximum number of pages of one list per poll. The first poll reads only one page.
const MAX_PAGES: usize = 20;
/// The version of the REST API, in the header `X-GitHub-Api-Version`.
const VERSION: &str = "2022-11-28";
/// The maximum length of GitHub's message in an error, in characters.
const MAX_SAID: usize = 200;

/// The repositories to read.
#[derive(Clone, Debug)]
pub struct GitHubOptions {
    /// The base URL of the API: `https://api.github.com/`
    pub base: Url,
    /// Repositories as `owner/name` in lower case.
    pub repositories: Vec<String>,
    /// A token of any user or app. `None`: GitHub allows 60 requests per hour and address.
    pub token: Option<SecretString>,
    /// The parts of each repository that are read.
    pub parts: Parts,
    /// The time between two polls of a repository.
    pub interval: Duration,
    /// How far back to read when the source is added; zero: only the newest page of each list.
    pub history: Duration,
}

/// The parts of a repository that are read in addition to its issues.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts {
    /// Comments on issues.
    pub comments: bool,
    /// Discussions with their comments. Reading them requires a token.
    pub discussions: bool,
    /// Pull requests, and comments on them.
    pub pull_requests: bool,
}

/// The progress in each repository, which is stored between runs.
type Cursor = BTreeMap<String, Progress>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Progress {
    issues: Listing,
    comments: Listing,
    discussions: Threads,
}

/// How far a list of a repository was read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Listing {
    /// The time of the newest known change. `None`: the list was not read yet.
    since: Option<Timestamp>,
    /// The entity tag of the list of changes since `since`.
    etag: Option<String>,
    /// Known items, with hashes of their texts.
    known: Known,
}

/// The state that is kept when the source is opened again.
struct Shared {
    options: GitHubOptions,
    fetcher: Fetcher,
    schedule: PollSchedule,
    clock: Clock,
}

/// The source of issues, comments and discussions.
struct GitHub {
    shared: Arc<Shared>,
    cursor: Cursor,
}

/// Creates the source `name`.
pub fn spec(name: &str, options: GitHubOptions, fetcher: Fetcher, clock: Clock) -> SourceSpec {
    let schedule = PollSchedule::new(options.repositories.len());
    let shared = Arc::new(Shared { options, fetcher, schedule, clock });
    let older = shared.clone();
    let history = Past { name, kind: "github", span: shared.options.history, clock: shared.clock.clone() }
        .spec(move || Box::new(OlderItems::new(older.clone())));
    let spec = SourceSpec::new("github", name, move |opening| {
        let cursor = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Box::new(Polled::new(GitHub { shared: shared.clone(), cursor }))
    });
    spec.with_history(history)
}

/// The order of a list.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// By the time of the last change, newest first.
    Updated,
    /// By the time of creation, newest first.
    Created,
}

impl Order {
    /// The value of the query parameter `sort`.
    fn parameter(self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::Created => "created",
        }
    }
}

impl GitHub {
    /// Reads the repository that is due next. With a small budget a request may wait for minutes, so each batch covers
    /// only one repository.
    async fn read_due(&mut self) -> Result<Batch, SourceError> {
        let shared = self.shared.clone();
        let Shared { options, schedule, .. } = &*shared;
        let mut batch = Batch::default();
        for place in schedule.due(1) {
            let repository = &options.repositories[place];
            let progress = self.cursor.entry(repository.clone()).or_default();
            match shared.read(repository, progress, &mut batch).await {
                Ok(()) => schedule.succeeded(place, options.interval),
                Err(error) => {
                    if schedule.failed(place, &error, options.interval) == Report::Log {
                        tracing::warn!(repository, %error, "repository not read, retrying later");
                    }
                    // The rate limit applies to the token or the address, so all repositories wait.
                    if let SourceError::Busy { after, .. } = &error {
                        (0..options.repositories.len()).for_each(|other| schedule.postpone(other, *after));
                    }
                    batch.troubles.push(error.to_string());
                }
            }
        }
        if batch.ops.is_empty() {
            schedule.check()?;
        }
        self.cursor.retain(|repository, _| options.repositories.contains(repository));
        // A map of texts and numbers can always be serialised.
        batch.cursor = Some(serde_json::to_string(&self.cursor).unwrap_or_default());
        batch.wait = schedule.next_due_in();
        Ok(batch)
    }
}

impl Shared {
    /// Adds the new items of a repository. After an error, the lists that were read before the error are kept.
    async fn read(&self, repository: &str, progress: &mut Progress, batch: &mut Batch) -> Result<(), SourceError> {
        let parts = self.options.parts;
        progress.issues = self.list(repository, "issues", &progress.issues, batch).await?;
        if parts.comments {
            progress.comments = self.list(repository, "issues/comments", &progress.comments, batch).await?;
        }
        if parts.discussions {
            progress.discussions = self.discussions(repository, &progress.discussions, batch).await?;
        }
        Ok(())
    }

    /// Adds the new and the changed items of a list, oldest first.
    async fn list(
        &self,
        repository: &str,
        path: &str,
        before: &Listing,
        batch: &mut Batch,
    ) -> Result<Listing, SourceError> {
        let mut listing = before.clone();
        let mut found = Vec::new();
        let mut next = Some(self.first_page((repository, path), Order::Updated, before.since)?);
        let mut etag = before.etag.clone();
        for page in 0..MAX_PAGES {
            let Some(url) = next.take() else { break };
            let answer = self.get(&url, etag.take()).await?;
            match answer.status {
                StatusCode::NOT_MODIFIED => return Ok(before.clone()),
                // Issues can be disabled in a repository.
                StatusCode::GONE => break,
                _ => {}
            }
            if page == 0 {
                listing.etag = answer.headers.get(ETAG).and_then(|etag| Some(etag.to_str().ok()?.to_owned()));
            }
            // The first poll reads only one page. A page on another origin is not read, because it would get the token.
            let is_first = before.since.is_none();
            next = next_page(&answer).filter(|next| !is_first && next.origin() == self.options.base.origin());
            for item in json::<Vec<Value>>(&answer)? {
                match Entry::read(item, repository) {
                    Ok(entry) => found.push(entry),
                    Err(error) => listing.reject(&error, batch),
                }
            }
        }
        if next.is_some() {
            let pages = format!("{MAX_PAGES} pages");
            batch.troubles.push(format!("{repository} has more than {pages} of changes; older changes were not read"));
        }
        self.add(found, &mut listing, batch);
        // The entity tag applies to the list of changes since `since`.
        if listing.since != before.since {
            listing.etag = None;
        }
        Ok(listing)
    }

    /// The URL of the first page of the list `path` of a repository. `since`: only items that changed after it.
    fn first_page(
        &self,
        (repository, path): (&str, &str),
        order: Order,
        since: Option<Timestamp>,
    ) -> Result<Url, SourceError> {
        let url = self.options.base.join(&format!("repos/{repository}/{path}"));
        let mut url = url.map_err(|error| SourceError::Permanent(format!("url: {error}")))?;
        url.query_pairs_mut()
            .append_pair("state", "all")
            .append_pair("sort", order.parameter())
            .append_pair("direction", "desc")
            .append_pair("per_page", PAGE);
        if let Some(since) = since {
            url.query_pairs_mut().append_pair("since", &since.to_jiff().to_string());
        }
        Ok(url)
    }

    /// Adds the entries whose texts are not known, oldest first, and moves `listing` to the newest change.
    fn add(&self, mut found: Vec<Entry>, listing: &mut Listing, batch: &mut Batch) {
        found.sort_by_key(|entry| entry.updated_at);
        for entry in found {
            listing.since = listing.since.max(Some(entry.updated_at));
            match listing.known.meet(&entry.found.post_id, &entry.found.content) {
                // The text did not change. An item also counts as changed when it gets a label or a comment.
                Novelty::Same => {}
                Novelty::New | Novelty::Changed => self.add_entry(entry, batch),
            }
        }
        listing.known.end_poll();
    }

    /// Adds an entry. Entries of pull requests are counted as filtered when pull requests are not read.
    fn add_entry(&self, entry: Entry, batch: &mut Batch) {
        if entry.of_pull_request && !self.options.parts.pull_requests {
            batch.filtered += 1;
        } else {
            entry.found.add_to(batch, "github", self.clock.now());
        }
    }

    async fn get(&self, url: &Url, etag: Option<String>) -> Result<Answer, SourceError> {
        let mut headers = self.headers()?;
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github.text+json"));
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(&etag).ok()) {
            headers.insert(IF_NONE_MATCH, etag);
        }
        let answer = self.fetcher.get(url, headers).await?;
        self.judge(answer).await
    }

    /// Returns successful responses, 304 and 410; other responses become errors.
    async fn judge(&self, answer: Answer) -> Result<Answer, SourceError> {
        let now = self.clock.now();
        if let Some(pause) = limit::refused(&answer, self.options.token.is_some(), now) {
            return Err(pause);
        }
        if let Some(pause) = limit::exhausted(&answer.headers, now) {
            self.fetcher.budget().hold(pause).await;
        }
        match answer.status {
            StatusCode::GONE => Ok(answer),
            StatusCode::UNAUTHORIZED => Err(refusal(
                &answer,
                "GitHub does not accept the token: it may have expired or been revoked; create another",
            )),
            StatusCode::NOT_FOUND => Err(refusal(
                &answer,
                "check repositories and url; a private repository needs a token that is allowed to read the repository",
            )),
            status if status.is_client_error() => {
                let said = message(&answer);
                Err(refusal(&answer, &format!("check the permissions of the token{said}")))
            }
            _ => Ok(answer),
        }
    }

    fn headers(&self) -> Result<HeaderMap, SourceError> {
        let mut headers = HeaderMap::new();
        headers.insert("x-github-api-version", HeaderValue::from_static(VERSION));
        if let Some(token) = &self.options.token {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
            let wrong = |_| SourceError::Permanent("token has characters that a token must not have".to_owned());
            let mut value = value.map_err(wrong)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }
}

/// The message of GitHub in the response to a refused request.
fn message(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    body["message"].as_str().map(|text| format!("; GitHub says: {}", preview(text, MAX_SAID))).unwrap_or_default()
}

impl Listing {
    /// Reports an item that is not valid, but only once.
    fn reject(&mut self, error: &ItemError, batch: &mut Batch) {
        let error = error.to_string();
        if self.known.meet(&error, "") == Novelty::New {
            batch.rejected.push(error);
        }
    }
}

impl Poll for GitHub {
    fn poll(&mut self) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.read_due())
    }
}
