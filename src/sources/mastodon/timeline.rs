//! Time lines of instances, and where each of them continues.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::super::SourceError;
use super::super::fetch::place;
use super::MastodonOptions;

/// Posts of a page: the most that servers give.
pub const PAGE: usize = 40;
/// Ids of posts that a rewind does not yield again.
const MAX_RECENT: usize = 20_000;
/// Pages of one rewind. Rewinds overlap, so that a busy time line is covered by several of them.
const MAX_REWIND_PAGES: u32 = 20;
/// Rewinds within the time that one of them covers.
const REWINDS: u32 = 5;
/// Bits of an id below its time in milliseconds.
const SEQUENCE_BITS: u32 = 16;

/// A time line of an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    pub instance: Url,
    pub tag: Option<String>,
}

impl Timeline {
    /// Its name in the cursor.
    pub fn key(&self) -> String {
        let host = place(&self.instance);
        self.tag.as_ref().map_or_else(|| host.to_owned(), |tag| format!("{host}#{tag}"))
    }

    /// The URL of the page after `min_id`, or of the newest page.
    ///
    /// # Errors
    /// When the instance's URL cannot be a base.
    pub fn url(&self, options: &MastodonOptions, min_id: Option<&str>) -> Result<Url, SourceError> {
        let wrong = |e: &dyn std::fmt::Display| SourceError::Permanent(format!("instances: {}: {e}", self.instance));
        let mut url = self.instance.join("api/v1/timelines/public").map_err(|e| wrong(&e))?;
        if let Some(tag) = &self.tag {
            let mut path = url.path_segments_mut().map_err(|()| wrong(&"is no base of a URL"))?;
            path.pop().push("tag").push(tag);
        }
        url.query_pairs_mut().append_pair("limit", &PAGE.to_string());
        if options.local {
            url.query_pairs_mut().append_pair("local", "true");
        }
        if let Some(id) = min_id {
            url.query_pairs_mut().append_pair("min_id", id);
        }
        Ok(url)
    }
}

/// The newest id of each time line that was read. This is the source's cursor.
pub type Positions = BTreeMap<String, String>;

/// Moves the position of `key` to `id`, never backwards.
pub fn advance(positions: &mut Positions, key: &str, id: &str) {
    match positions.get_mut(key) {
        Some(known) if compare(id, known) == Ordering::Less => {}
        Some(known) => id.clone_into(known),
        None => drop(positions.insert(key.to_owned(), id.to_owned())),
    }
}

/// Ids are numbers in text at Mastodon, and sortable texts of one length at its relatives.
fn compare(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Rereads the last minutes of a time line that holds posts of other servers.
///
/// An instance gives a remote post an id by the time at which it was written
/// (`Mastodon::Snowflake.id_at(created_at)`), so that one that arrives late sorts before posts that were read.
pub struct Rewinds {
    /// How far each goes back.
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
    /// The position when it began.
    end: String,
    pages: u32,
}

impl Rewinds {
    /// Rewinds by `span`.
    pub fn new(span: Duration) -> Self {
        Self { span, lines: BTreeMap::new(), recent: Recent::default() }
    }

    /// Where the rewind of `key` asks next; `None` when none is due. `newest` is the position of the time line.
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

    /// Whether the post `id` of `key` was not seen lately. It counts as seen from now on.
    pub fn is_new(&mut self, key: &str, id: &str) -> bool {
        self.recent.insert(format!("{key} {id}"))
    }
}

/// The lowest id of the instant `span` before that of `id`; `None` for an id that holds no time.
fn rewound(id: &str, span: Duration) -> Option<String> {
    let millis = id.parse::<u64>().ok()? >> SEQUENCE_BITS;
    let millis = millis.saturating_sub(u64::try_from(span.as_millis()).ok()?);
    Some((millis << SEQUENCE_BITS).to_string())
}

/// The last keys, up to a limit.
#[derive(Default)]
struct Recent {
    keys: HashSet<String>,
    order: VecDeque<String>,
}

impl Recent {
    /// Adds `key`; whether it was not there.
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
