//! Reddit: new posts and comments of subreddits, through an OAuth application (`client_credentials`).
//!
//! Listings are sorted newest first. Each poll reads pages until it finds a known item. The source stores several
//! hundred ids instead of only the newest id, because the newest item may be deleted, and because an item that
//! moderators approve late appears below newer items. API: <https://www.reddit.com/dev/api>.

mod client;
mod cursor;
mod history;
mod thing;

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::fetch::Fetcher;
use super::history::Past;
use super::paging::pages_exhausted;
use super::polled::{Poll, Polled};
use super::{Batch, SourceError, SourceSpec};
use sentistream_core::clock::Clock;

use client::Client;
use cursor::{Cursor, Seen};
use history::OlderItems;

pub use thing::{Thing, ThingError};

/// The number of items per page.
const PAGE: usize = 100;
/// The maximum number of pages, because Reddit lists only the newest thousand items.
const MAX_PAGES: usize = 10;

/// The subreddits to read, and the credentials of the OAuth application.
#[derive(Clone, Debug)]
pub struct RedditOptions {
    /// The base URL of the API: `https://oauth.reddit.com/`
    pub base: Url,
    /// The URL for tokens: `https://www.reddit.com/api/v1/access_token`
    pub token_url: Url,
    /// The id of the OAuth application.
    pub client_id: String,
    /// The user agent, in the form `platform:app:version (by /u/name)` that Reddit requires. `None`: the name of this
    /// program.
    pub user_agent: Option<String>,
    /// The secret of the OAuth application.
    pub client_secret: SecretString,
    /// Names of subreddits without `r/`.
    pub subreddits: Vec<String>,
    /// Whether comments are read in addition to posts.
    pub comments: bool,
    /// The time between two polls.
    pub interval: Duration,
    /// How far back to read when the source is added; zero: only the newest page of each listing.
    pub history: Duration,
}

/// The source of Reddit posts.
struct Reddit {
    client: Client,
    clock: Clock,
    cursor: Cursor,
    /// Items that were already reported as rejected.
    malformed: BTreeSet<String>,
}

/// Creates the source `name`.
pub fn spec(name: &str, options: RedditOptions, fetcher: Fetcher, clock: Clock) -> SourceSpec {
    let past = Past { name, kind: "reddit", span: options.history, clock: clock.clone() };
    let client = Client::new(options, fetcher, clock.clone());
    let open = move |cursor: Cursor| Reddit {
        client: client.clone(),
        clock: clock.clone(),
        cursor,
        malformed: BTreeSet::new(),
    };
    let older = open.clone();
    let spec = SourceSpec::new("reddit", name, move |opening| {
        let cursor = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Box::new(Polled::new(open(cursor)))
    });
    spec.with_history(past.spec(move || Box::new(OlderItems(older(Cursor::default())))))
}

impl Reddit {
    async fn read_new(&mut self) -> Result<Batch, SourceError> {
        let mut batch = Batch { wait: self.client.options.interval, ..Batch::default() };
        let listings = self.listings();
        let seen = self.cursor.posts.take();
        self.cursor.posts = Some(self.listing(&listings[0], seen, &mut batch).await?);
        if let Some(comments) = listings.get(1) {
            let seen = self.cursor.comments.take();
            self.cursor.comments = Some(self.listing(comments, seen, &mut batch).await?);
        }
        // A struct of numbers can always be serialised.
        batch.cursor = Some(serde_json::to_string(&self.cursor).unwrap_or_default());
        Ok(batch)
    }

    /// The paths of the listings: posts, and comments if they are read.
    fn listings(&self) -> Vec<String> {
        let names = self.client.options.subreddits.join("+");
        let comments = self.client.options.comments.then(|| format!("r/{names}/comments"));
        [Some(format!("r/{names}/new")), comments].into_iter().flatten().collect()
    }

    /// Adds the items of a listing that are not in `seen`, oldest first. The first poll reads only one page.
    async fn listing(&mut self, path: &str, seen: Option<Seen>, batch: &mut Batch) -> Result<Seen, SourceError> {
        let is_first = seen.is_none();
        let mut seen = seen.unwrap_or_default();
        let mut things: Vec<(u64, Thing)> = Vec::new();
        let mut after: Option<String> = None;
        for number in 1..=MAX_PAGES {
            let page = self.client.page(path, after.as_deref()).await?;
            let before = things.len();
            let mut met = false;
            for mut child in page.children {
                match Thing::read(child.get_mut("data").map_or(Value::Null, Value::take)) {
                    Ok((id, _)) if seen.holds(id) => met = true,
                    Ok(thing) => things.push(thing),
                    // The item may stay in the listing for some time, but it is reported only once.
                    Err(error) if self.malformed.insert(error.to_string()) => batch.rejected.push(error.to_string()),
                    Err(_) => {}
                }
            }
            after = page.after;
            if met || is_first || things.len() == before {
                break;
            }
            // After the last item that Reddit lists, `after` is missing although there are older items.
            if number == MAX_PAGES {
                let trouble = pages_exhausted(MAX_PAGES, "items", "older items");
                batch.troubles.push(format!("{path}: {trouble}"));
            }
            if after.is_none() {
                break;
            }
        }
        things.sort_by_key(|(id, _)| *id);
        things.dedup_by_key(|(id, _)| *id);
        if let (true, true, Some((oldest, _))) = (is_first, things.len() >= PAGE, things.first()) {
            // When items are deleted, older items move up to the first page. `floor` marks them as read.
            seen.floor = oldest.saturating_sub(1);
        }
        seen.add(things.iter().map(|(id, _)| *id));
        for (_, thing) in things {
            self.add(thing, batch);
        }
        Ok(seen)
    }

    fn add(&self, thing: Thing, batch: &mut Batch) {
        match thing.found() {
            Some(found) => found.add_to(batch, "reddit", self.clock.now()),
            None => batch.filtered += 1,
        }
    }
}

impl Poll for Reddit {
    fn poll(&mut self) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.read_new())
    }
}
