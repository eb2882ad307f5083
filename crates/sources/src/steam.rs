//! Steam: the reviews of games, from the public list of the store.
//!
//! The list is sorted by the time of the last change, newest first, so that edited reviews appear again. Each poll
//! reads pages until it finds a known version of a review. API: <https://partner.steamgames.com/doc/store/getreviews>.

mod history;
mod review;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::fetch::{Fetcher, json};
use super::history::Past;
use super::paging::pages_exhausted;
use super::polled::{Poll, Polled};
use super::schedule::{PollSchedule, Report};
use super::{Batch, SourceError, SourceSpec};
use sentistream_core::clock::Clock;

use history::OlderReviews;
use review::Review;
pub use review::{ReviewError, is_language};

/// The number of reviews per page, which is the maximum of the API.
const PAGE: usize = 100;
/// The maximum number of pages of one game per poll.
const MAX_PAGES: usize = 20;
/// The number of versions that are stored per game. The number is larger than a page, so that every known review on
/// a page is recognised.
const MAX_SEEN: usize = 500;

/// The games whose reviews are read.
#[derive(Clone, Debug)]
pub struct SteamOptions {
    /// The base URL of the store: `https://store.steampowered.com/`
    pub base: Url,
    /// The numbers of the games, as in the URLs of their pages.
    pub apps: Vec<u32>,
    /// Steam's name of a language, such as `english`. With `all`, reviews in all languages are read.
    pub language: String,
    /// The time between two polls of a game.
    pub interval: Duration,
    /// How far back to read when the source is added; zero: only the newest page.
    pub history: Duration,
}

/// The state of each game, which is stored between runs.
type Cursor = BTreeMap<u32, Seen>;

/// The versions of reviews that were already read. A version is the time of the last change in Unix seconds, and the
/// id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Seen {
    /// Versions up to this time are treated as read.
    floor: i64,
    versions: BTreeSet<(i64, u64)>,
}

impl Seen {
    fn holds(&self, version: (i64, u64)) -> bool {
        version.0 <= self.floor || self.versions.contains(&version)
    }

    fn add(&mut self, versions: impl Iterator<Item = (i64, u64)>) {
        self.versions.extend(versions);
        while self.versions.len() > MAX_SEEN
            && let Some((oldest, _)) = self.versions.pop_first()
        {
            self.floor = self.floor.max(oldest);
        }
    }
}

#[derive(Deserialize)]
struct Page {
    /// 1 if the game exists.
    #[serde(default)]
    success: i64,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    reviews: Vec<Value>,
}

/// The state that is kept when the source is opened again.
struct Shared {
    options: SteamOptions,
    fetcher: Fetcher,
    schedule: PollSchedule,
    clock: Clock,
}

/// The source of reviews.
struct Steam {
    shared: Arc<Shared>,
    cursor: Cursor,
    /// Items that were already reported as rejected.
    malformed: BTreeSet<String>,
}

/// Creates the source `name`.
pub fn spec(name: &str, options: SteamOptions, fetcher: Fetcher, clock: Clock) -> SourceSpec {
    let schedule = PollSchedule::new(options.apps.len());
    let shared = Arc::new(Shared { options, fetcher, schedule, clock });
    let older = shared.clone();
    let history = Past { name, kind: "steam", span: shared.options.history, clock: shared.clock.clone() }
        .spec(move || Box::new(OlderReviews(older.clone())));
    let spec = SourceSpec::new("steam", name, move |opening| {
        let cursor = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Box::new(Polled::new(Steam { shared: shared.clone(), cursor, malformed: BTreeSet::new() }))
    });
    spec.with_history(history)
}

/// The order of the list of reviews.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// By the time of the last change, newest first.
    Updated,
    /// By the time of creation, newest first.
    Created,
}

impl Steam {
    /// Requests the reviews of the games that are due.
    async fn read_due(&mut self) -> Result<Batch, SourceError> {
        let shared = self.shared.clone();
        let Shared { options, schedule, .. } = &*shared;
        let mut batch = Batch::default();
        for place in schedule.due(options.apps.len()) {
            let app = options.apps[place];
            match self.reviews(app, &mut batch).await {
                Ok(seen) => {
                    self.cursor.insert(app, seen);
                    schedule.succeeded(place, options.interval);
                }
                Err(error) => {
                    if schedule.failed(place, &error, options.interval) == Report::Log {
                        tracing::warn!(app, %error, "reviews of a game not read, retrying later");
                    }
                    batch.troubles.push(error.to_string());
                }
            }
        }
        schedule.check()?;
        self.cursor.retain(|app, _| options.apps.contains(app));
        // A map of numbers can always be serialised.
        batch.cursor = Some(serde_json::to_string(&self.cursor).unwrap_or_default());
        batch.wait = schedule.next_due_in();
        Ok(batch)
    }

    /// Adds the reviews of a game that were not read before, oldest first. The first poll reads only one page.
    async fn reviews(&mut self, app: u32, batch: &mut Batch) -> Result<Seen, SourceError> {
        let known = self.cursor.get(&app);
        let is_first = known.is_none();
        let mut seen = known.cloned().unwrap_or_default();
        let mut fresh: BTreeMap<(i64, u64), Review> = BTreeMap::new();
        let mut next = "*".to_owned();
        for number in 1..=MAX_PAGES {
            let page = self.shared.page(app, Order::Updated, &next).await?;
            let before = fresh.len();
            let mut met = false;
            for item in page.reviews {
                match Review::read(item) {
                    Ok(review) if seen.holds(review.version()) => met = true,
                    Ok(review) => _ = fresh.insert(review.version(), review),
                    // The item may stay in the list for some time, but it is reported only once.
                    Err(error) if self.malformed.insert(error.to_string()) => batch.rejected.push(error.to_string()),
                    Err(_) => {}
                }
            }
            match page.cursor {
                Some(cursor) if !met && !is_first && fresh.len() > before && cursor != next => next = cursor,
                _ => break,
            }
            if number == MAX_PAGES {
                let trouble = pages_exhausted(MAX_PAGES, "reviews", "older reviews");
                batch.troubles.push(format!("the app {app}: {trouble}"));
            }
        }
        if let (true, true, Some((oldest, _))) = (is_first, fresh.len() >= PAGE, fresh.keys().next()) {
            // When reviews are deleted, older reviews move up to the first page. `floor` marks them as read.
            seen.floor = oldest.saturating_sub(1);
        }
        seen.add(fresh.keys().copied());
        for review in fresh.into_values() {
            review.found(app).add_to(batch, "steam", self.shared.clock.now());
        }
        Ok(seen)
    }
}

impl Shared {
    async fn page(&self, app: u32, order: Order, cursor: &str) -> Result<Page, SourceError> {
        let Self { options, fetcher, .. } = self;
        let url = options.base.join(&format!("appreviews/{app}"));
        let mut url = url.map_err(|error| SourceError::Permanent(format!("url: {error}")))?;
        let filter = match order {
            Order::Updated => "updated",
            Order::Created => "recent",
        };
        url.query_pairs_mut()
            .append_pair("json", "1")
            .append_pair("filter", filter)
            .append_pair("language", &options.language)
            .append_pair("purchase_type", "all")
            // Without this parameter Steam leaves out reviews from periods of review bombing.
            .append_pair("filter_offtopic_activity", "0")
            .append_pair("num_per_page", &PAGE.to_string())
            .append_pair("cursor", cursor);
        let page: Page = json(&fetcher.get(&url, HeaderMap::new()).await?)?;
        if page.success != 1 {
            return Err(SourceError::Transient(format!("Steam lists no reviews of the app {app}: check apps")));
        }
        Ok(page)
    }
}

impl Poll for Steam {
    fn poll(&mut self) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.read_due())
    }
}
