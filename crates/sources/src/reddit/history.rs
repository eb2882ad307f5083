//! Reads older items of listings: `after` returns the items after a given item, at most a thousand in total
//! (<https://www.reddit.com/dev/api#listings>).

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::super::SourceError;
use super::super::history::{Page, Pages, Wanted};
use super::{Reddit, Thing};

/// Reads the pages of the listings of posts and comments.
pub(super) struct OlderItems(pub Reddit);

impl OlderItems {
    async fn read(&mut self, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        let reddit = &mut self.0;
        let listing = reddit.listings().swap_remove(wanted.place);
        let found = reddit.client.page(&listing, wanted.position).await?;
        let mut page = Page { next: found.after, ..Page::default() };
        for mut child in found.children {
            match Thing::read(child.get_mut("data").map_or(Value::Null, Value::take)) {
                Ok((_, thing)) => reddit.add(thing, &mut page.batch),
                Err(error) => page.batch.rejected.push(error.to_string()),
            }
        }
        Ok(page)
    }
}

impl Pages for OlderItems {
    fn places(&self) -> Vec<String> {
        self.0.listings()
    }

    fn page<'a>(&'a mut self, wanted: Wanted<'a>) -> BoxFuture<'a, Result<Page, SourceError>> {
        Box::pin(self.read(wanted))
    }
}
