//! The effect of a batch, computed in memory from the stored state of its posts.
//!
//! Both backends load the same state, use the same rules and write the resulting plan. The rules are therefore
//! implemented only once, and a batch has the same result as its settlements applied one after another.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Change, PostTimes, RemovedPost, Settled, Settlement};
use crate::store::labels::LabelColumns;
use sentistream_core::domain::{Analysis, Author, EntryId, EntryKey, Outcome, Post, PostId, PostTopic, Timestamp};

/// The stored state of a post.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PostState<'a> {
    /// Whether the post has a tombstone.
    pub deleted: bool,
    /// When the stored version was edited; `None` if it is the original version.
    pub edited_at: Option<Timestamp>,
    /// The earliest entry that contained the post; `None` if this is the entry that created the row.
    pub earliest: Option<EntryId>,
    /// The row of the post.
    pub row: Option<Row<'a>>,
}

impl PostState<'_> {
    /// Whether one of `deletions`, which delete all posts of the author, was appended after the earliest entry that
    /// contained the post. `false` if the post has no row.
    pub fn is_covered(&self, deletions: &[EntryKey]) -> bool {
        let Some(row) = &self.row else { return false };
        let first = self.earliest.unwrap_or(row.creator.id).min(row.creator.id);
        deletions.iter().any(|deletion| first <= deletion.id)
    }
}

/// The values of a stored post that the rules and the rollups need.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    /// The entry that created the row.
    pub creator: EntryKey,
    /// The source of the post.
    pub source: Cow<'a, str>,
    /// The author, if the source sent one.
    pub author: Option<Cow<'a, str>>,
    /// When the author wrote the post.
    pub created_at: Timestamp,
    /// When the post was first stored.
    pub ingested_at: Timestamp,
    /// `None`: the post is unscored.
    pub analyzed_at: Option<Timestamp>,
    /// The columns of sentiment and emotion.
    pub labels: LabelColumns,
    /// The confidence of the analysis; 0 for an unscored post.
    pub confidence: f64,
    /// The topics of the post.
    pub topics: Vec<PostTopic>,
}

impl Row<'_> {
    /// When the post was stored and analysed.
    pub fn stored(&self) -> PostTimes {
        PostTimes { ingested_at: self.ingested_at, analyzed_at: self.analyzed_at.unwrap_or(self.ingested_at) }
    }
}

/// A post of the batch, with its states before and after the batch.
#[derive(Clone, Debug)]
pub struct Slot<'a> {
    /// The id of the post.
    pub post_id: &'a PostId,
    /// The stored state.
    pub before: PostState<'a>,
    /// The state after the settlements that were planned so far.
    pub after: PostState<'a>,
    /// The version to write; `None` if the batch stores no version.
    pub content: Option<Version<'a>>,
}

/// A version of a post.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// The content of the version.
    pub post: &'a Post,
    /// `None`: the version is unscored.
    pub analysis: Option<&'a Analysis>,
}

impl Version<'_> {
    /// The label columns.
    pub fn labels(&self) -> LabelColumns {
        LabelColumns::of(self.analysis.map(Analysis::labels), self.post.lang.as_deref())
    }

    /// The confidence of the analysis; 0 for an unscored post.
    pub fn confidence(&self) -> f64 {
        self.analysis.map_or(0.0, |analysis| analysis.confidence)
    }
}

/// Values that apply to all settlements of a batch.
#[derive(Debug, Default)]
pub struct Terms {
    /// The version of the topics that the posts were matched with; `None` when they were not matched.
    pub version: Option<i64>,
    /// The topics of the posts, by entry.
    pub topics: HashMap<EntryKey, Vec<PostTopic>>,
    /// New posts that were written before this time are not stored. Later versions of stored posts are stored.
    pub oldest: Option<Timestamp>,
}

impl Slot<'_> {
    /// Whether the post is neither stored nor deleted. This is the case if it was too old to be stored.
    pub fn is_unknown(&self) -> bool {
        self.after.row.is_none() && !self.after.deleted
    }

    /// Whether the row of the post in `post_keys` must be written.
    pub fn key_changed(&self) -> bool {
        let key = |state: &PostState<'_>| (state.deleted, state.edited_at, state.earliest);
        key(&self.before) != key(&self.after)
    }
}

/// The posts of a batch, each once, in the order of their first settlement.
#[derive(Debug, Default)]
pub struct Slots<'a> {
    index: HashMap<&'a str, usize>,
    /// The posts in the order of their first settlement.
    pub list: Vec<Slot<'a>>,
}

impl<'a> Slots<'a> {
    /// The posts of `batch`, without their states.
    pub fn of(batch: &'a [Settlement]) -> Self {
        let mut slots = Self::default();
        for post_id in batch.iter().filter_map(|settlement| settlement.change.post_id()) {
            let next = slots.list.len();
            slots.index.entry(post_id.as_str()).or_insert_with(|| {
                let state = PostState::default();
                slots.list.push(Slot { post_id, before: state.clone(), after: state, content: None });
                next
            });
        }
        slots
    }

    /// The ids of the posts.
    pub fn ids(&self) -> Vec<&'a str> {
        self.list.iter().map(|slot| slot.post_id.as_str()).collect()
    }

    /// Sets the stored state of a post.
    pub fn set_state(&mut self, post_id: &str, state: PostState<'a>) {
        if let Some(&at) = self.index.get(post_id) {
            self.list[at].after = state.clone();
            self.list[at].before = state;
        }
    }

    /// The authors of the batch's posts and of the stored posts: (source, author).
    pub fn authors(&self, batch: &'a [Settlement]) -> BTreeSet<(String, String)> {
        let coming = batch.iter().filter_map(|settlement| match &settlement.change {
            Change::Insert { post, .. } | Change::Replace { post, .. } => {
                post.author.as_ref().map(|author| (post.source.to_string(), author.to_string()))
            }
            _ => None,
        });
        let stored = self.list.iter().filter_map(|slot| slot.before.row.as_ref()).filter_map(|row| {
            row.author.as_ref().map(|author| (row.source.clone().into_owned(), author.clone().into_owned()))
        });
        coming.chain(stored).collect()
    }

    fn slot(&mut self, post_id: &PostId) -> &mut Slot<'a> {
        &mut self.list[self.index[post_id.as_str()]]
    }
}

/// The tombstones of authors, by source and author: the entry of the last deletion in each epoch.
pub type AuthorTombstones = HashMap<(String, String), Vec<EntryKey>>;

/// The state that a plan is computed from.
pub struct PlanInput<'a> {
    /// The time that is stored for new rows and analyses.
    pub now: Timestamp,
    /// The values that apply to all settlements of the batch.
    pub terms: &'a Terms,
    /// The posts of the batch with their stored states.
    pub slots: Slots<'a>,
    /// The tombstones of the authors of these posts.
    pub authors: AuthorTombstones,
}

/// The changes of a batch.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// The results, in the order of the batch.
    pub answers: Vec<Settled>,
    /// The posts with their states before and after the batch.
    pub slots: Vec<Slot<'a>>,
    /// Settled entries whose ids must be stored because no post refers to them: entries of the batch, and the entries
    /// that created removed rows.
    pub remembered: Vec<EntryKey>,
}

/// Plans `batch`. `settled` contains the known settled entries that no post refers to. The entries of the batch are
/// added to it.
pub fn plan<'a>(batch: &'a [Settlement], input: PlanInput<'a>, settled: &mut HashSet<EntryKey>) -> Plan<'a> {
    let mut planner = Planner { input, settled, remembered: Vec::new() };
    let answers = batch.iter().map(|settlement| planner.settle(settlement)).collect();
    Plan { answers, slots: planner.input.slots.list, remembered: planner.remembered }
}

struct Planner<'a, 's> {
    input: PlanInput<'a>,
    settled: &'s mut HashSet<EntryKey>,
    remembered: Vec<EntryKey>,
}

impl<'a> Planner<'a, '_> {
    fn settle(&mut self, settlement: &'a Settlement) -> Settled {
        let key = &settlement.key;
        let row = settlement.change.post_id().and_then(|id| self.input.slots.slot(id).after.row.clone());
        let created_it = row.as_ref().is_some_and(|row| row.creator == *key);
        if created_it || self.settled.contains(key) {
            return Settled {
                outcome: None,
                stored: row.map(|row| row.stored()),
                removed: self.removed_before(settlement),
            };
        }
        self.settled.insert(key.clone());
        let settled = match &settlement.change {
            Change::Insert { post, analysis } => self.version(key, Version { post, analysis: analysis.as_ref() }, None),
            Change::Replace { post, analysis, edited_at } => {
                self.version(key, Version { post, analysis: analysis.as_ref() }, Some(*edited_at))
            }
            Change::Delete { post_id } => self.erase(post_id, Outcome::Deletion),
            Change::Known { post_id } => self.known(key, post_id),
            Change::Skip => ended(Outcome::Skipped),
            // The posts were already removed before this transaction.
            Change::DeleteAuthor { .. } => ended(Outcome::Deletion),
        };
        let created = settlement.change.post_id().and_then(|id| self.input.slots.slot(id).after.row.as_ref());
        if created.is_none_or(|row| row.creator != *key) {
            self.remembered.push(key.clone());
        }
        settled
    }

    /// The post that an earlier delivery of the deletion `settlement` may have removed. It is reported again, because
    /// copies in other systems may still exist if that delivery was interrupted.
    fn removed_before(&mut self, settlement: &'a Settlement) -> Vec<RemovedPost> {
        match &settlement.change {
            Change::Delete { post_id } if self.input.slots.slot(post_id).before.deleted => {
                vec![removed(post_id, None)]
            }
            _ => Vec::new(),
        }
    }

    /// Stores an original (`edited_at` is `None`) or a later version of a post.
    fn version(&mut self, key: &EntryKey, version: Version<'a>, edited_at: Option<Timestamp>) -> Settled {
        let Version { post, analysis } = version;
        if self.author_is_gone(post.source.as_str(), post.author.as_ref().map(Author::as_str), key) {
            return self.erase(&post.post_id, Outcome::Skipped);
        }
        let (now, terms) = (self.input.now, self.input.terms);
        let slot = self.input.slots.slot(&post.post_id);
        let too_old = slot.after.row.is_none() && terms.oldest.is_some_and(|oldest| post.created_at < oldest);
        if slot.after.deleted || too_old {
            return ended(Outcome::Skipped);
        }
        let stored_edit = slot.after.edited_at;
        let (creator, ingested_at, outcome) = match (&slot.after.row, edited_at) {
            (None, None) if analysis.is_none() => (key.clone(), now, Outcome::Unscored),
            (None, None) => (key.clone(), now, Outcome::Analysed),
            (None, Some(_)) => (key.clone(), now, Outcome::Replacement),
            (Some(row), Some(_)) if edited_at > stored_edit => {
                (row.creator.clone(), row.ingested_at, Outcome::Replacement)
            }
            (Some(_), Some(_)) => return late(slot, key, Outcome::Skipped),
            (Some(_), None) => return late(slot, key, Outcome::Duplicate),
        };
        let row = Row {
            creator,
            source: post.source.as_str().into(),
            author: post.author.as_ref().map(|author| author.as_str().into()),
            created_at: post.created_at,
            ingested_at,
            analyzed_at: analysis.map(|_| now),
            labels: version.labels(),
            confidence: version.confidence(),
            topics: terms.topics.get(key).cloned().unwrap_or_default(),
        };
        let stored = Some(PostTimes { ingested_at, analyzed_at: now });
        note_earliest(&mut slot.after.earliest, &row.creator, key);
        slot.after.row = Some(row);
        slot.after.edited_at = edited_at;
        slot.content = Some(version);
        Settled { outcome: Some(outcome), stored, removed: Vec::new() }
    }

    fn known(&mut self, key: &EntryKey, post_id: &PostId) -> Settled {
        let Some(row) = self.input.slots.slot(post_id).after.row.clone() else { return ended(Outcome::Skipped) };
        if self.author_is_gone(&row.source, row.author.as_deref(), key) {
            return self.erase(post_id, Outcome::Skipped);
        }
        late(self.input.slots.slot(post_id), key, Outcome::Duplicate)
    }

    /// Whether a deletion of the author covers this entry. Any covered entry deletes its post, so that the result does
    /// not depend on the order in which the deletion, the post and its edits arrive.
    fn author_is_gone(&self, source: &str, author: Option<&str>, key: &EntryKey) -> bool {
        let Some(author) = author.filter(|_| !self.input.authors.is_empty()) else { return false };
        let deletions = self.input.authors.get(&(source.to_owned(), author.to_owned()));
        deletions.is_some_and(|deletions| deletions.iter().any(|deletion| key.id <= deletion.id))
    }

    /// Removes the row of the post if it exists, and leaves a tombstone.
    fn erase(&mut self, post_id: &PostId, outcome: Outcome) -> Settled {
        let slot = self.input.slots.slot(post_id);
        let row = slot.after.row.take();
        slot.after = PostState { deleted: true, ..PostState::default() };
        slot.content = None;
        let removed = row.iter().map(|row| removed(post_id, row.analyzed_at)).collect();
        self.remembered.extend(row.map(|row| row.creator));
        Settled { removed, ..ended(outcome) }
    }
}

fn removed(post_id: &PostId, analyzed_at: Option<Timestamp>) -> RemovedPost {
    RemovedPost { post_id: post_id.clone(), analyzed_at }
}

/// The result of an entry that changes nothing, because the post is already stored.
fn late(slot: &mut Slot<'_>, key: &EntryKey, outcome: Outcome) -> Settled {
    if let Some(row) = &slot.after.row {
        note_earliest(&mut slot.after.earliest, &row.creator, key);
    }
    ended(outcome)
}

fn note_earliest(earliest: &mut Option<EntryId>, creator: &EntryKey, key: &EntryKey) {
    if key.id < earliest.unwrap_or(creator.id) {
        *earliest = Some(key.id);
    }
}

fn ended(outcome: Outcome) -> Settled {
    Settled { outcome: Some(outcome), stored: None, removed: Vec::new() }
}
