//! Reads older reviews. The list is sorted by the time of creation, and its pages have a cursor
//! (<https://partner.steamgames.com/doc/store/getreviews>).

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::super::SourceError;
use super::super::history::{Page, Pages, Wanted};
use super::{Order, Review, Shared};

/// Reads the pages of all games of a source.
pub(super) struct OlderReviews(pub Arc<Shared>);

impl OlderReviews {
    async fn read(&self, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        let app = self.0.options.apps[wanted.place];
        let found = self.0.page(app, Order::Created, wanted.position.unwrap_or("*")).await?;
        // After the last page the API returns the same cursor with no reviews.
        let next = found.cursor.filter(|_| !found.reviews.is_empty());
        let mut page = Page { next, ..Page::default() };
        for item in found.reviews {
            match Review::read(item) {
                Ok(review) => review.found(app).add_to(&mut page.batch, "steam", self.0.clock.now()),
                Err(error) => page.batch.rejected.push(error.to_string()),
            }
        }
        Ok(page)
    }
}

impl Pages for OlderReviews {
    fn places(&self) -> Vec<String> {
        self.0.options.apps.iter().map(ToString::to_string).collect()
    }

    fn page<'a>(&'a mut self, wanted: Wanted<'a>) -> BoxFuture<'a, Result<Page, SourceError>> {
        Box::pin(self.read(wanted))
    }
}
