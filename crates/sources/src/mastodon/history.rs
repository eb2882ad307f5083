//! Reads older posts of timelines: `max_id` returns the posts before an id, newest first
//! (<https://docs.joinmastodon.org/methods/timelines/#tag>).

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::super::SourceError;
use super::super::fetch::place;
use super::super::history::{Page, Pages, Wanted};
use super::timeline::{Part, Timeline};
use super::{Shared, Status};
use sentistream_core::clock::Clock;

/// Reads the pages of all timelines of a source.
pub(super) struct OlderPosts {
    /// The timelines and their fetchers.
    pub shared: Arc<Shared>,
    /// The clock that gives the time of posts without a time.
    pub clock: Clock,
}

impl OlderPosts {
    async fn read(&self, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        let line = &self.shared.lines[wanted.place];
        let part = wanted.position.map_or(Part::Newest, Part::Before);
        let found = self.shared.page(line, part, &self.clock).await?;
        let mut page = Page { pause: found.pause, ..Page::default() };
        page.next = found.statuses.last().and_then(|status| status["id"].as_str()).map(str::to_owned);
        for status in found.statuses {
            match serde_json::from_value::<Status>(status) {
                Ok(status) => status.found(place(&line.instance)).add_to(&mut page.batch, "mastodon", self.clock.now()),
                Err(error) => page.batch.rejected.push(format!("status of {}: {error}", line.key())),
            }
        }
        Ok(page)
    }
}

impl Pages for OlderPosts {
    fn places(&self) -> Vec<String> {
        self.shared.lines.iter().map(Timeline::key).collect()
    }

    fn page<'a>(&'a mut self, wanted: Wanted<'a>) -> BoxFuture<'a, Result<Page, SourceError>> {
        Box::pin(self.read(wanted))
    }
}
