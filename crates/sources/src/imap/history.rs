//! Reads older mails, newest first. Each search selects the mails that arrived in one week (`SEARCH SINCE … BEFORE …`).
//! The session stays open between pages.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::super::SourceError;
use super::super::history::{Page, Pages, Wanted};
use super::Shared;
use super::session::{Listed, Session, Which, day};
use sentistream_core::domain::Timestamp;

/// The number of mails per page.
const PAGE: usize = 100;
const DAY: Duration = Duration::from_secs(86_400);
/// The span of one search.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Reads the mails of a mailbox from the newest to the oldest.
pub(super) struct OlderMails {
    shared: Arc<Shared>,
    session: Option<Session>,
}

/// The position at which the next page begins.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Position {
    /// All mails that arrived on the day of this time or later were read.
    end: Timestamp,
    /// Among the mails from before the day of `end`, the mails with this UID or a larger UID were read.
    below: Option<u32>,
    /// The `UIDVALIDITY` under which `below` was stored.
    validity: u32,
}

impl OlderMails {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, session: None }
    }

    async fn read(&mut self, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::open(&self.shared.options, &self.shared.fetcher).await?,
        };
        // The server compares days in its own time zone, so one more day is searched.
        let oldest = wanted.since - DAY;
        let stored = wanted.position.and_then(|text| serde_json::from_str::<Position>(text).ok());
        let mut position = stored.unwrap_or(Position { end: wanted.began + 2 * DAY, below: None, validity: 0 });
        loop {
            let start = (position.end - WEEK).max(oldest);
            let found = session.search(day(start), Some(day(position.end))).await;
            let mut uids = found.map_err(|error| self.shared.error(error))?;
            if let Some(below) = position.below.filter(|_| position.validity == session.validity) {
                uids.retain(|uid| *uid < below);
            }
            let is_last = start <= oldest;
            let earlier = Position { end: start, below: None, validity: session.validity };
            if uids.is_empty() && !is_last {
                position = earlier;
                continue;
            }
            let mut page = Page::default();
            let rest = uids.len().saturating_sub(PAGE);
            let done = add(&self.shared, &mut session, &uids[rest..], &mut page).await?;
            // Mails are searched by their arrival. A page of imported mails that were written before the span does not
            // end the history.
            page.batch.ops.retain(|op| op.post().is_none_or(|post| post.created_at >= wanted.since));
            page.next = match done {
                Done::Until(uid) => Some(Position { below: Some(uid), validity: session.validity, ..position }),
                Done::All if rest > 0 => {
                    Some(Position { below: Some(uids[rest]), validity: session.validity, ..position })
                }
                Done::All => (!is_last).then_some(earlier),
            }
            // A struct of times and numbers can always be serialised.
            .map(|next| serde_json::to_string(&next).unwrap_or_default());
            if matches!(done, Done::All) && page.next.is_some() {
                self.session = Some(session);
            } else {
                session.close().await;
            }
            return Ok(page);
        }
    }
}

/// Adds the mails with these UIDs, newest first.
async fn add(shared: &Shared, session: &mut Session, uids: &[u32], page: &mut Page) -> Result<Done, SourceError> {
    if uids.is_empty() {
        return Ok(Done::All);
    }
    let listed = session.list(Which::Uids(uids)).await.map_err(|error| shared.error(error))?;
    let mails: Vec<Listed> = listed.into_iter().rev().collect();
    let read = shared.read(session, &mails, &mut page.batch).await?;
    Ok(match mails[..read].last() {
        Some(last) if read < mails.len() => Done::Until(last.uid),
        _ => Done::All,
    })
}

/// How much of a page was read.
#[derive(Clone, Copy, Debug)]
enum Done {
    All,
    /// The mails with this UID and larger UIDs were read.
    Until(u32),
}

impl Pages for OlderMails {
    fn places(&self) -> Vec<String> {
        vec![self.shared.place()]
    }

    fn page<'a>(&'a mut self, wanted: Wanted<'a>) -> BoxFuture<'a, Result<Page, SourceError>> {
        Box::pin(self.read(wanted))
    }
}
