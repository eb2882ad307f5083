//! Reads older items from the pages that the documents or their `Link` headers name, starting with the newest page.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::header::HeaderMap;
use url::Url;

use super::super::SourceError;
use super::super::history::{Page, Pages, Wanted};
use super::super::mapping::Reading;
use super::{MAX_ITEMS, Shared};
use sentistream_core::outbound::Answer;

/// Reads the pages of the endpoint.
pub(super) struct OlderItems(pub Arc<Shared>);

impl OlderItems {
    async fn read(&self, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        let url = match wanted.position {
            None => self.0.options.url.clone(),
            Some(text) => {
                Url::parse(text).map_err(|error| SourceError::Permanent(format!("stored URL of a page: {error}")))?
            }
        };
        let answer = self.0.request(&url, HeaderMap::new()).await?;
        let shared = self.0.clone();
        // A large document takes long to parse, so it is parsed on a blocking thread.
        let read = tokio::task::spawn_blocking(move || page(&shared, &answer)).await;
        read.map_err(|error| SourceError::Transient(format!("the answer cannot be read: {error}")))?
    }
}

fn page(shared: &Shared, answer: &Answer) -> Result<Page, SourceError> {
    let document = Shared::document(answer)?;
    let items = shared.options.mapping.items(&document);
    let now = shared.clock.now();
    let reading = Reading { name: &shared.name, now, max: MAX_ITEMS };
    let batch = shared.options.mapping.read_items(&items, reading);
    let next = shared.next_page(answer, &document).filter(|_| !items.is_empty());
    Ok(Page { batch, next: next.map(Into::into), ..Page::default() })
}

impl Pages for OlderItems {
    /// The key depends on the settings, so that the items are read again when the settings change.
    fn places(&self) -> Vec<String> {
        vec![self.0.settings()]
    }

    fn page<'a>(&'a mut self, wanted: Wanted<'a>) -> BoxFuture<'a, Result<Page, SourceError>> {
        Box::pin(self.read(wanted))
    }
}
