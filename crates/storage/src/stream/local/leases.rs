//! The lease of each claimed entry. Leases are kept in memory, because only one process claims entries.
//!
//! The next process must know which entries were claimed. Each claim is therefore also stored as one row with a range;
//! [`Change`] lists the rows to write.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::stream::{Consumer, ConsumerInfo};

use super::tables::{NO_CONSUMER, Range};

/// The state of a claimed entry.
#[derive(Clone, Debug)]
enum State {
    Held {
        consumer: Consumer,
        until: Instant,
    },
    /// Any consumer may take over the entry. `counts`: whether the last delivery counts and is not stored yet.
    Free {
        counts: bool,
    },
}

#[derive(Clone, Debug)]
struct Lease {
    /// The id of the stored range that covers the entry. If several ranges cover it, this is the id of the latest one.
    claim: i64,
    state: State,
}

/// The rows of claims to insert and to delete. If the write fails, the caller must pass this value to [`Leases::undo`].
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    /// The ranges to insert.
    pub new: Vec<Range>,
    /// The ids of the ranges to delete, which cover no leased entry any more.
    pub ended: Vec<i64>,
}

/// An entry that was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rescued {
    /// The `seq` of the entry's id.
    pub seq: u64,
    /// Whether the previous delivery counts and is not stored yet.
    pub counts: bool,
}

/// The leases of this process.
#[derive(Debug, Default)]
pub(super) struct Leases {
    entries: BTreeMap<u64, Lease>,
    /// For each stored range, by its id: the number of leased entries that it still covers.
    claims: HashMap<i64, usize>,
    last_claim: i64,
    change: Change,
    /// When each consumer last requested entries.
    asked: HashMap<Consumer, Instant>,
}

impl Leases {
    /// Adds the unsettled entries of an earlier process as free entries, which the range with the id `claim` covers.
    pub(super) fn begin(&mut self, unsettled: &[u64], claim: i64) {
        self.last_claim = claim;
        let free = |seq: &u64| (*seq, Lease { claim, state: State::Free { counts: false } });
        self.entries = unsettled.iter().map(free).collect();
        self.claims = HashMap::from([(claim, unsettled.len())]);
        if unsettled.is_empty() {
            self.change.ended.push(claim);
        }
    }

    /// Records that the consumer requested entries.
    pub(super) fn ask(&mut self, consumer: &Consumer, now: Instant) {
        self.asked.insert(consumer.clone(), now);
    }

    /// Claims unclaimed entries, in ascending order.
    pub(super) fn claim(&mut self, consumer: &Consumer, seqs: &[u64], until: Instant) {
        let state = State::Held { consumer: consumer.clone(), until };
        self.put(seqs, &consumer.0, &state);
    }

    /// Takes over up to `max` entries that are free or whose leases have expired, oldest first.
    pub(super) fn rescue(&mut self, consumer: &Consumer, max: usize, lease: Duration) -> Vec<Rescued> {
        let now = Instant::now();
        let rescued: Vec<Rescued> = self
            .entries
            .iter()
            .filter_map(|(seq, lease)| match lease.state {
                State::Free { counts } => Some(Rescued { seq: *seq, counts }),
                State::Held { until, .. } => (until <= now).then_some(Rescued { seq: *seq, counts: true }),
            })
            .take(max)
            .collect();
        let seqs: Vec<u64> = rescued.iter().map(|entry| entry.seq).collect();
        self.put(&seqs, &consumer.0, &State::Held { consumer: consumer.clone(), until: now + lease });
        rescued
    }

    /// Extends the leases that the consumer still holds.
    pub(super) fn renew(&mut self, consumer: &Consumer, seqs: &[u64], until: Instant) {
        for seq in seqs {
            if let Some(Lease { state: State::Held { consumer: holder, until: end }, .. }) = self.entries.get_mut(seq)
                && holder == consumer
            {
                *end = until;
            }
        }
    }

    /// Frees the entries that the consumer still holds. If the delivery counts, the stored claims remain unchanged,
    /// because after a crash each stored claim of a consumer counts as a delivery.
    pub(super) fn release(&mut self, consumer: &Consumer, seqs: &[u64], counts: bool) {
        let mut mine: Vec<u64> = seqs.iter().copied().filter(|seq| self.is_held_by(consumer, *seq)).collect();
        mine.sort_unstable();
        if counts {
            for seq in mine {
                self.free(consumer, Rescued { seq, counts: true });
            }
        } else {
            self.put(&mine, NO_CONSUMER, &State::Free { counts: false });
        }
    }

    /// Frees an entry that the consumer holds. `counts`: whether its last delivery counts.
    pub(super) fn free(&mut self, consumer: &Consumer, entry: Rescued) {
        if let Some(lease) = self.entries.get_mut(&entry.seq)
            && matches!(&lease.state, State::Held { consumer: holder, .. } if holder == consumer)
        {
            lease.state = State::Free { counts: entry.counts };
        }
    }

    /// Frees entries that were taken over but not delivered.
    pub(super) fn put_back(&mut self, consumer: &Consumer, entries: &[Rescued]) {
        // For these entries the previous delivery counts but is not stored. Their stored claims remain unchanged,
        // because after a crash each of them counts as that delivery.
        for entry in entries.iter().filter(|entry| entry.counts) {
            self.free(consumer, *entry);
        }
        let stored: Vec<u64> = entries.iter().filter(|entry| !entry.counts).map(|entry| entry.seq).collect();
        self.put(&stored, NO_CONSUMER, &State::Free { counts: false });
    }

    fn is_held_by(&self, consumer: &Consumer, seq: u64) -> bool {
        matches!(self.entries.get(&seq), Some(Lease { state: State::Held { consumer: holder, .. }, .. })
            if holder == consumer)
    }

    /// Ends the leases of settled entries, for all consumers.
    pub(super) fn settle(&mut self, seqs: &[u64]) {
        for seq in seqs {
            if let Some(lease) = self.entries.remove(seq) {
                self.leave(lease.claim);
            }
        }
    }

    /// Takes the rows to write. The caller must write the rows, or return them with [`Self::undo`].
    pub(super) fn take_change(&mut self) -> Change {
        std::mem::take(&mut self.change)
    }

    /// Takes back a change that could not be written, so that the next write includes it.
    pub(super) fn undo(&mut self, change: Change) {
        self.change.new.splice(0..0, change.new);
        self.change.ended.splice(0..0, change.ended);
    }

    /// The consumers that have requested entries, with the number of entries that each of them holds.
    pub(super) fn consumers(&self, now: Instant) -> Vec<ConsumerInfo> {
        let mut held: HashMap<&Consumer, u64> = HashMap::new();
        for lease in self.entries.values() {
            if let State::Held { consumer, .. } = &lease.state {
                *held.entry(consumer).or_default() += 1;
            }
        }
        let info = |(consumer, asked): (&Consumer, &Instant)| ConsumerInfo {
            name: consumer.0.to_string(),
            claimed: held.get(consumer).copied().unwrap_or(0),
            idle: now.saturating_duration_since(*asked),
        };
        let mut consumers: Vec<_> = self.asked.iter().map(info).collect();
        consumers.sort_by(|a, b| a.name.cmp(&b.name));
        consumers
    }

    /// Removes consumers that hold no entries and have not requested any for longer than `idle`.
    pub(super) fn forget_consumers(&mut self, idle: Duration, now: Instant) -> u64 {
        let gone = |info: &ConsumerInfo| info.claimed == 0 && info.idle > idle;
        let names: Vec<String> = self.consumers(now).into_iter().filter(gone).map(|info| info.name).collect();
        self.asked.retain(|consumer, _| !names.iter().any(|name| **name == *consumer.0));
        names.len() as u64
    }

    /// Sets a new state for sorted entries, with one new claim per contiguous range.
    fn put(&mut self, seqs: &[u64], owner: &str, state: &State) {
        for run in seqs.chunk_by(|a, b| a + 1 == *b) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            self.last_claim += 1;
            let claim = self.last_claim;
            self.claims.insert(claim, run.len());
            self.change.new.push(Range { id: claim, consumer: owner.to_owned(), first: *first, last: *last });
            for seq in run {
                if let Some(before) = self.entries.insert(*seq, Lease { claim, state: state.clone() }) {
                    self.leave(before.claim);
                }
            }
        }
    }

    fn leave(&mut self, claim: i64) {
        if let Some(left) = self.claims.get_mut(&claim) {
            *left -= 1;
            if *left == 0 {
                self.claims.remove(&claim);
                self.change.ended.push(claim);
            }
        }
    }
}
