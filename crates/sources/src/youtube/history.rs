//! Reads older comments: the pages of the list, newest first
//! (<https://developers.google.com/youtube/v3/docs/commentThreads/list>).
//!
//! A page takes one unit of the daily quota, and, if replies are read, one more unit for each comment whose replies are
//! not all on the page. The missing replies of at most 20 comments per page are requested.
//!
//! When the quota is exhausted, the history waits until the quota is reset. The position of a page expires after some
//! time. The history then starts again at the newest page, and comments that were already read are ignored.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::super::SourceError;
use super::super::fetch::json;
use super::super::history::{self, Pages, Wanted};
use super::super::known::Known;
use super::comment::{Comment, Thread};
use super::{MAX_REPLIES, Page, Shared, error};

/// Reads the pages of all videos and channels of a source.
pub(super) struct OlderComments {
    shared: Arc<Shared>,
    /// The ids of the channels that handles belong to, by the index of the place.
    channels: BTreeMap<usize, String>,
}

impl OlderComments {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, channels: BTreeMap::new() }
    }

    async fn read(&mut self, wanted: Wanted<'_>) -> Result<history::Page, SourceError> {
        let shared = self.shared.clone();
        let place = &shared.options.places[wanted.place];
        let mut channel = self.channels.get(&wanted.place).cloned();
        let list = shared.list_of(place, &mut channel).await?;
        self.channels.extend(channel.map(|id| (wanted.place, id)));
        let mut answer = shared.threads(&list, wanted.position, place).await?;
        if error::is_expired_page(&answer) {
            answer = shared.threads(&list, None, place).await?;
        }
        let Page { items, next_page_token } = json(&answer)?;
        let mut page = history::Page { next: next_page_token, ..history::Page::default() };
        let (mut found, mut answered) = (Vec::<Comment>::new(), Vec::new());
        for item in items {
            match Thread::read(item) {
                Ok(Thread { top, replies, reply_count }) => {
                    if reply_count > replies.len() as u64 {
                        answered.push(top.id.clone());
                    }
                    found.push(top);
                    found.extend(replies);
                }
                Err(error) => page.batch.rejected.push(error.to_string()),
            }
        }
        if shared.options.replies {
            // The list of replies repeats the replies on the page, so known replies are left out.
            let mut known = Known::default();
            found.iter().for_each(|comment| _ = super::is_new(&mut known, comment));
            for parent in answered.into_iter().take(MAX_REPLIES) {
                found.extend(shared.replies(&parent, place, &mut known).await?);
            }
        } else {
            found.retain(|comment| !comment.is_reply());
        }
        for comment in found {
            comment.found().add_to(&mut page.batch, "youtube", shared.clock.now());
        }
        Ok(page)
    }
}

impl Pages for OlderComments {
    fn places(&self) -> Vec<String> {
        self.shared.options.places.iter().map(ToString::to_string).collect()
    }

    fn page<'a>(&'a mut self, wanted: Wanted<'a>) -> BoxFuture<'a, Result<history::Page, SourceError>> {
        Box::pin(self.read(wanted))
    }
}
