//! YouTube: comments on videos and channels, with their replies, through the Data API.
//!
//! Comments are listed newest first. Each poll reads pages until it finds a comment of an earlier poll. Each request of
//! a list costs one unit of the key's daily quota, which is 10,000 by default. The key is sent in a header, so that no
//! URL contains it.
//!
//! APIs: <https://developers.google.com/youtube/v3/docs/commentThreads/list>,
//! <https://developers.google.com/youtube/v3/docs/comments/list>,
//! <https://developers.google.com/youtube/v3/docs/channels/list>; errors:
//! <https://developers.google.com/youtube/v3/docs/errors>.

mod comment;
mod error;
mod history;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::fetch::{Fetcher, json};
use super::history::Past;
use super::known::{Known, Novelty};
use super::paging::pages_exhausted;
use super::polled::{Poll, Polled};
use super::schedule::{PollSchedule, Report};
use super::{Batch, SourceError, SourceSpec};
use sentistream_core::clock::Clock;
use sentistream_core::domain::Timestamp;
use sentistream_core::outbound::Answer;

use comment::{Comment, Thread};
use history::OlderComments;
pub use place::{Channel, Place, channel, video};

/// The number of items per page, which is the maximum of the API.
const PAGE: &str = "100";
/// The maximum number of pages per poll of a place (a video or a channel). The first poll reads only one page.
const MAX_PAGES: usize = 10;
/// The maximum number of comments per poll whose replies are requested.
const MAX_REPLIES: usize = 20;
/// The header that carries the key (<https://cloud.google.com/docs/authentication/api-keys-use>).
const KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// The videos and channels to read.
#[derive(Clone, Debug)]
pub struct YouTubeOptions {
    /// The base URL of the API: `https://www.googleapis.com/youtube/v3/`
    pub base: Url,
    /// An API key.
    pub key: SecretString,
    /// The videos and channels to read.
    pub places: Vec<Place>,
    /// Whether replies to comments are read.
    pub replies: bool,
    /// The time between two polls of a video or channel.
    pub interval: Duration,
    /// How far back to read when the source is added; zero: only the newest page.
    pub history: Duration,
}

/// The state of each video and channel, which is stored between runs.
type Cursor = BTreeMap<String, Progress>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Progress {
    /// The id of the channel that a handle belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    /// Comments from before this time are not read, because they were not on the page of the first poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<Timestamp>,
    /// Known comments, with the time at which each was last edited.
    known: Known,
    /// The number of replies to each comment of the last poll.
    replies: BTreeMap<String, u64>,
}

/// A page of a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    items: Vec<Value>,
    #[serde(default)]
    next_page_token: Option<String>,
}

/// The query parameter that selects a list of comments.
struct List {
    /// The name of the parameter.
    filter: &'static str,
    /// The value of the parameter: the id of the video or channel.
    id: String,
}

/// The state that is kept when the source is opened again.
struct Shared {
    options: YouTubeOptions,
    fetcher: Fetcher,
    schedule: PollSchedule,
    clock: Clock,
}

/// The source of comments.
struct YouTube {
    shared: Arc<Shared>,
    cursor: Cursor,
    /// Items that were already reported as rejected.
    malformed: BTreeSet<String>,
}

/// Creates the source `name`.
pub fn spec(name: &str, options: YouTubeOptions, fetcher: Fetcher, clock: Clock) -> SourceSpec {
    let schedule = PollSchedule::new(options.places.len());
    let shared = Arc::new(Shared { options, fetcher, schedule, clock });
    let older = shared.clone();
    let history = Past { name, kind: "youtube", span: shared.options.history, clock: shared.clock.clone() }
        .spec(move || Box::new(OlderComments::new(older.clone())));
    let spec = SourceSpec::new("youtube", name, move |opening| {
        let cursor = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Box::new(Polled::new(YouTube { shared: shared.clone(), cursor, malformed: BTreeSet::new() }))
    });
    spec.with_history(history)
}

impl YouTube {
    /// Requests the comments of the videos and channels that are due.
    async fn read_due(&mut self) -> Result<Batch, SourceError> {
        let shared = self.shared.clone();
        let Shared { options, schedule, .. } = &*shared;
        let mut batch = Batch::default();
        for index in schedule.due(options.places.len()) {
            let place = &options.places[index];
            let before = self.cursor.get(&place.to_string()).cloned().unwrap_or_default();
            match shared.read(place, before, &mut batch).await {
                Ok(progress) => {
                    self.cursor.insert(place.to_string(), progress);
                    schedule.succeeded(index, options.interval);
                }
                Err(error) => {
                    if schedule.failed(index, &error, options.interval) == Report::Log {
                        tracing::warn!(%place, %error, "comments not read, retrying later");
                    }
                    batch.troubles.push(error.to_string());
                    // The quota applies to the key, so all places wait.
                    if let SourceError::Busy { after, .. } = &error {
                        (0..options.places.len()).for_each(|other| schedule.postpone(other, *after));
                        break;
                    }
                }
            }
        }
        // The items may stay in the list for some time, but each is reported only once.
        batch.rejected.retain(|rejected| self.malformed.insert(rejected.clone()));
        if batch.ops.is_empty() {
            schedule.check()?;
        }
        self.cursor.retain(|name, _| options.places.iter().any(|place| place.to_string() == *name));
        // A map of texts and numbers can always be serialised.
        batch.cursor = Some(serde_json::to_string(&self.cursor).unwrap_or_default());
        batch.wait = schedule.next_due_in();
        Ok(batch)
    }
}

impl Shared {
    /// Adds the new and edited comments of a place, oldest first.
    async fn read(&self, place: &Place, mut progress: Progress, batch: &mut Batch) -> Result<Progress, SourceError> {
        let is_first = progress.known.is_empty();
        let list = self.list_of(place, &mut progress.channel).await?;
        let before = std::mem::take(&mut progress.replies);
        let (mut found, mut answered, mut token) = (Vec::<Comment>::new(), Vec::new(), None::<String>);
        for number in 1..=MAX_PAGES {
            let page: Page = json(&self.threads(&list, token.as_deref(), place).await?)?;
            let mut has_known = false;
            for item in page.items {
                match Thread::read(item) {
                    Ok(Thread { top, .. }) if Some(top.published_at) < progress.floor => has_known = true,
                    Ok(Thread { top, replies, reply_count }) => {
                        has_known |= progress.known.was_known(&top.id);
                        // The list contains only some replies. The others are requested when the number of replies
                        // changes.
                        let is_complete = reply_count <= replies.len() as u64;
                        if is_complete || before.get(&top.id) == Some(&reply_count) {
                            progress.replies.insert(top.id.clone(), reply_count);
                        } else {
                            answered.push((top.id.clone(), reply_count));
                        }
                        let shown = if self.options.replies { replies } else { Vec::new() };
                        found.extend(
                            std::iter::once(top).chain(shown).filter(|comment| is_new(&mut progress.known, comment)),
                        );
                    }
                    Err(error) => batch.rejected.push(error.to_string()),
                }
            }
            token = page.next_page_token;
            if is_first || token.is_none() || has_known {
                break;
            }
            if number == MAX_PAGES {
                let trouble = pages_exhausted(MAX_PAGES, "comments", "older comments");
                batch.troubles.push(format!("{place}: {trouble}"));
            }
        }
        if is_first && token.is_some() {
            progress.floor =
                found.iter().filter(|comment| !comment.is_reply()).map(|comment| comment.published_at).min();
        }
        if self.options.replies {
            for (parent, reply_count) in answered.into_iter().take(MAX_REPLIES) {
                found.extend(self.replies(&parent, place, &mut progress.known).await?);
                progress.replies.insert(parent, reply_count);
            }
        }
        progress.known.end_poll();
        found.sort_by_key(|comment| comment.published_at);
        for comment in found {
            comment.found().add_to(batch, "youtube", self.clock.now());
        }
        Ok(progress)
    }

    /// The list of the comments of a place. `channel` caches the id of the channel that a handle belongs to.
    async fn list_of(&self, place: &Place, channel: &mut Option<String>) -> Result<List, SourceError> {
        let (filter, id) = match place {
            Place::Video(id) => ("videoId", id.clone()),
            Place::Channel(Channel::Id(id)) => ("allThreadsRelatedToChannelId", id.clone()),
            Place::Channel(Channel::Handle(handle)) => {
                let id = match channel.take() {
                    Some(id) => id,
                    None => self.channel_of(handle, place).await?,
                };
                *channel = Some(id.clone());
                ("allThreadsRelatedToChannelId", id)
            }
        };
        Ok(List { filter, id })
    }

    /// Requests a page of the comments of a place, newest first. `token`: the position of the page.
    async fn threads(&self, list: &List, token: Option<&str>, place: &Place) -> Result<Answer, SourceError> {
        let mut query = vec![
            ("part", "snippet,replies"),
            (list.filter, list.id.as_str()),
            ("order", "time"),
            ("maxResults", PAGE),
            ("textFormat", "plainText"),
        ];
        query.extend(token.map(|token| ("pageToken", token)));
        self.request("commentThreads", &query, place).await
    }

    /// The new replies to a comment. Only one page is read.
    async fn replies(&self, parent: &str, place: &Place, known: &mut Known) -> Result<Vec<Comment>, SourceError> {
        let query = [("part", "snippet"), ("parentId", parent), ("maxResults", PAGE), ("textFormat", "plainText")];
        let page: Page = self.get("comments", &query, place).await?;
        let comments = page.items.into_iter().filter_map(|item| Comment::read(item, Some(parent)).ok());
        Ok(comments.filter(|comment| is_new(known, comment)).collect())
    }

    /// The id of the channel that has the handle `handle`.
    async fn channel_of(&self, handle: &str, place: &Place) -> Result<String, SourceError> {
        let page: Page = self.get("channels", &[("part", "id"), ("forHandle", handle)], place).await?;
        let id = page.items.first().and_then(|channel| channel["id"].as_str());
        id.map(str::to_owned).ok_or_else(|| SourceError::Permanent(format!("YouTube has no channel {handle}")))
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        place: &Place,
    ) -> Result<T, SourceError> {
        json(&self.request(path, query, place).await?)
    }

    /// Sends a request. Returns successful responses, and responses which state that the position of a page has
    /// expired.
    async fn request(&self, path: &str, query: &[(&str, &str)], place: &Place) -> Result<Answer, SourceError> {
        let url = self.options.base.join(path);
        let mut url = url.map_err(|error| SourceError::Permanent(format!("url: {error}")))?;
        url.query_pairs_mut().extend_pairs(query);
        let value = HeaderValue::from_str(self.options.key.expose_secret());
        let wrong = |_| SourceError::Permanent("key has characters that a key must not have".to_owned());
        let mut value = value.map_err(wrong)?;
        value.set_sensitive(true);
        let answer = self.fetcher.get(&url, HeaderMap::from_iter([(KEY, value)])).await?;
        if answer.status.is_client_error() && !error::is_expired_page(&answer) {
            return Err(error::of(&answer, place, self.clock.now()));
        }
        Ok(answer)
    }
}

/// Whether this version of a comment is new.
fn is_new(known: &mut Known, comment: &Comment) -> bool {
    known.meet(&comment.id, &comment.updated_at.to_string()) != Novelty::Same
}

impl Poll for YouTube {
    fn poll(&mut self) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.read_due())
    }
}
