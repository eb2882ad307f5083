//! Reads older issues, comments and discussions.
//!
//! Lists are sorted by the creation of their items, newest first. `since` leaves out items that did not change within
//! the span of the history (<https://docs.github.com/en/rest/issues/issues#list-repository-issues>). Discussions are
//! sorted by their last change, because an old discussion may have new comments.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use serde_json::Value;
use url::Url;

use super::super::SourceError;
use super::super::fetch::json;
use super::super::history::{Page, Pages, Wanted};
use super::super::paging::next_page;
use super::item::Entry;
use super::{Order, Shared};

/// The pause between two pages if the source has no token. GitHub then allows 60 requests per hour and address, and
/// most of these requests are needed for new items.
const PAUSE_WITHOUT_TOKEN: Duration = Duration::from_secs(180);

/// The pages of all lists of a source.
pub(super) struct OlderItems {
    shared: Arc<Shared>,
    places: Vec<Place>,
}

/// A list of a repository.
struct Place {
    repository: String,
    list: List,
}

#[derive(Clone, Copy)]
enum List {
    Issues,
    Comments,
    Discussions,
}

impl List {
    /// The path of the list below its repository.
    fn path(self) -> &'static str {
        match self {
            Self::Issues => "issues",
            Self::Comments => "issues/comments",
            Self::Discussions => "discussions",
        }
    }
}

impl OlderItems {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let parts = shared.options.parts;
        let wanted = [(List::Issues, true), (List::Comments, parts.comments), (List::Discussions, parts.discussions)];
        let lists: Vec<List> = wanted.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(list, _)| list).collect();
        let of = |repository: &String| {
            let place = |list: &List| Place { repository: repository.clone(), list: *list };
            lists.iter().map(place).collect::<Vec<_>>()
        };
        let places = shared.options.repositories.iter().flat_map(of).collect();
        Self { shared, places }
    }

    async fn read(&self, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        let Place { repository, list } = &self.places[wanted.place];
        let mut page = match list {
            List::Issues | List::Comments => self.listed(repository, list.path(), wanted).await?,
            List::Discussions => self.discussed(repository, wanted).await?,
        };
        if self.shared.options.token.is_none() {
            page.pause = PAUSE_WITHOUT_TOKEN;
        }
        Ok(page)
    }

    async fn listed(&self, repository: &str, path: &str, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        let shared = &self.shared;
        let url = match wanted.position {
            None => shared.first_page((repository, path), Order::Created, Some(wanted.since))?,
            Some(text) => Url::parse(text)
                .map_err(|error| SourceError::Permanent(format!("stored URL of {repository}/{path}: {error}")))?,
        };
        let is_ours = |url: &Url| url.origin() == shared.options.base.origin();
        if !is_ours(&url) {
            return Err(SourceError::Permanent(format!("the next page of {repository}/{path} is on another server")));
        }
        let answer = shared.get(&url, None).await?;
        let mut page = Page::default();
        // Issues can be disabled in a repository.
        if answer.status == StatusCode::GONE {
            return Ok(page);
        }
        page.next = next_page(&answer).filter(is_ours).map(Into::into);
        for item in json::<Vec<Value>>(&answer)? {
            match Entry::read(item, repository) {
                Ok(entry) => shared.add_entry(entry, &mut page.batch),
                Err(error) => page.batch.rejected.push(error.to_string()),
            }
        }
        Ok(page)
    }

    async fn discussed(&self, repository: &str, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        let found = self.shared.discussion_page(repository, wanted.position).await?;
        let is_last = found.oldest.is_none_or(|oldest| oldest < wanted.since);
        let mut page = Page { next: found.next.filter(|_| !is_last), ..Page::default() };
        // A page of old discussions that changed within the span does not end the history.
        let is_in_span = |entry: &Entry| entry.found.created_at.is_some_and(|at| at >= wanted.since);
        for entry in found.threads.into_iter().flatten().filter(is_in_span) {
            self.shared.add_entry(entry, &mut page.batch);
        }
        Ok(page)
    }
}

impl Pages for OlderItems {
    fn places(&self) -> Vec<String> {
        self.places.iter().map(|place| format!("{} {}", place.repository, place.list.path())).collect()
    }

    fn page<'a>(&'a mut self, wanted: Wanted<'a>) -> BoxFuture<'a, Result<Page, SourceError>> {
        Box::pin(self.read(wanted))
    }
}
