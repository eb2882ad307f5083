//! Timelines of instances, and the position in each.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::super::SourceError;
use super::super::fetch::place;
use super::MastodonOptions;

/// The number of posts per page, which is the maximum that servers return.
pub const PAGE: usize = 40;
/// The number of posts that are remembered, so that [`Rewinds`] do not return them again.
const MAX_RECENT: usize = 20_000;
/// The maximum number of pages of one rewind. Rewinds overlap, so several rewinds cover a busy timeline.
const MAX_REWIND_PAGES: u32 = 20;
/// The number of rewinds that start within the time that one rewind covers.
const REWINDS: u32 = 5;
/// The number of low bits of an id that do not belong to its time in milliseconds.
const SEQUENCE_BITS: u32 = 16;

/// A timeline of an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// The base URL of the instance.
    pub instance: Url,
    /// The tag, without `#`. `None`: the public timeline.
    pub tag: Option<String>,
}

impl Timeline {
    /// The key of the timeline in the cursor.
    pub fn key(&self) -> String {
        let host = place(&self.instance);
        self.tag.as_ref().map_or_else(|| host.to_owned(), |tag| format!("{host}#{tag}"))
    }

    /// The URL of a page.
    ///
    /// # Errors
    /// When the instance's URL cannot be a base.
    pub fn url(&self, options: &MastodonOptions, part: Part<'_>) -> Result<Url, SourceError> {
        let wrong = |e: &dyn std::fmt::Display| SourceError::Permanent(format!("instances: {}: {e}", self.instance));
        let mut url = self.instance.join("api/v1/timelines/public").map_err(|e| wrong(&e))?;
        if let Some(tag) = &self.tag {
            let mut path = url.path_segments_mut().map_err(|()| wrong(&"cannot be the base of a URL"))?;
            path.pop().push("tag").push(tag);
        }
        url.query_pairs_mut().append_pair("limit", &PAGE.to_string());
        if options.local {
            url.query_pairs_mut().append_pair("local", "true");
        }
        match part {
            Part::Newest => {}
            Part::After(id) => _ = url.query_pairs_mut().append_pair("min_id", id),
            Part::Before(id) => _ = url.query_pairs_mut().append_pair("max_id", id),
        }
        Ok(url)
    }
}

/// Which page of a timeline to read.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// The newest posts.
    Newest,
    /// The posts directly after this id.
    After(&'a str),
    /// The posts directly before this id.
    Before(&'a str),
}

/// The newest known id of each timeline. This is the source's cursor.
pub type Positions = BTreeMap<String, String>;

/// Moves the position of `key` to `id`, unless `id` is older.
pub fn advance(positions: &mut Positions, key: &str, id: &str) {
    match positions.get_mut(key) {
        Some(known) if compare(id, known) == Ordering::Less => {}
        Some(known) => id.clone_into(known),
        None => drop(positions.insert(key.to_owned(), id.to_owned())),
    }
}

/// Compares ids. The ids of Mastodon are numbers as text. The ids of compatible servers are sortable strings of
/// equal length.
fn compare(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Reads the last minutes of a timeline again if it contains posts of other servers.
///
/// An instance derives the id of a remote post from the time at which it was written
/// (`Mastodon::Snowflake.id_at(created_at)`), so a post that arrives late sorts before posts that were already read.
pub struct Rewinds {
    /// The time that each rewind covers.
    span: Duration,
    lines: BTreeMap<String, Line>,
    recent: Recent,
}

#[derive(Default)]
struct Line {
    next: Option<Instant>,
    running: Option<Rewind>,
}

struct Rewind {
    position: String,
    /// The position at which the rewind ends: the newest position when it began.
    end: String,
    pages: u32,
}

impl Rewinds {
    /// Creates rewinds that each cover `span`.
    pub fn new(span: Duration) -> Self {
        Self { span, lines: BTreeMap::new(), recent: Recent::default() }
    }

    /// The position of the next page in the rewind of `key`; `None` when no rewind is due. `newest` is the position of
    /// the timeline.
    pub fn position(&mut self, key: &str, newest: &str) -> Option<String> {
        let line = self.lines.entry(key.to_owned()).or_default();
        if line.running.is_none() && line.next.is_none_or(|next| next <= Instant::now()) {
            line.next = Some(Instant::now() + self.span / REWINDS);
            let position = rewound(newest, self.span)?;
            line.running = Some(Rewind { position, end: newest.to_owned(), pages: 0 });
        }
        line.running.as_ref().map(|rewind| rewind.position.clone())
    }

    /// Records a page of the running rewind with `last` as its newest id.
    pub fn read_page(&mut self, key: &str, last: Option<&str>) {
        let Some(line) = self.lines.get_mut(key) else { return };
        let Some(rewind) = &mut line.running else { return };
        rewind.pages += 1;
        match last {
            Some(last) if compare(last, &rewind.end) == Ordering::Less && rewind.pages < MAX_REWIND_PAGES => {
                last.clone_into(&mut rewind.position);
            }
            _ => line.running = None,
        }
    }

    /// Whether the post `id` of `key` was not read before. The post is then recorded as read.
    pub fn is_new(&mut self, key: &str, id: &str) -> bool {
        self.recent.insert(format!("{key} {id}"))
    }
}

/// The lowest possible id of a status that is `span` older than the status `id`; `None` if `id` contains no time.
fn rewound(id: &str, span: Duration) -> Option<String> {
    let millis = id.parse::<u64>().ok()? >> SEQUENCE_BITS;
    let millis = millis.saturating_sub(u64::try_from(span.as_millis()).ok()?);
    Some((millis << SEQUENCE_BITS).to_string())
}

/// A set of the most recent keys. When it is full, the oldest key is dropped.
#[derive(Default)]
struct Recent {
    keys: HashSet<String>,
    order: VecDeque<String>,
}

impl Recent {
    /// Adds `key`. Returns whether it is new.
    fn insert(&mut self, key: String) -> bool {
        if !self.keys.insert(key.clone()) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > MAX_RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        true
    }
}
