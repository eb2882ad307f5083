//! The state of accounts and sessions at the last read of the database, for checks that do not read the database.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

/// Whether there are accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The database has not been read yet.
    Unknown,
    /// The database did not answer, so it is not known whether there are accounts.
    Unreachable,
    /// There are no accounts.
    Absent,
    /// There is at least one account.
    Present,
}

/// The last known [`Presence`].
#[derive(Debug, Default)]
pub struct LastPresence(AtomicU8);

impl LastPresence {
    /// The last known value.
    pub fn get(&self) -> Presence {
        match self.0.load(Ordering::SeqCst) {
            0 => Presence::Unknown,
            1 => Presence::Unreachable,
            2 => Presence::Absent,
            _ => Presence::Present,
        }
    }

    /// Sets the value.
    pub fn set(&self, presence: Presence) {
        self.0.store(presence as u8, Ordering::SeqCst);
    }

    /// Records that the database did not answer. A value from an earlier read does not change.
    pub fn set_unreachable(&self) {
        let (unknown, unreachable) = (Presence::Unknown as u8, Presence::Unreachable as u8);
        // The exchange fails if an earlier read has set a value, and that value stays.
        let _ = self.0.compare_exchange(unknown, unreachable, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Records that the database has no table of users and therefore no accounts. If accounts are known to exist, the
    /// table is missing because of a fault, and the value does not change.
    pub fn set_missing(&self) {
        let absent = Presence::Absent as u8;
        for known in [Presence::Unknown as u8, Presence::Unreachable as u8] {
            // The exchange fails if an earlier read has set another value, and that value stays.
            let _ = self.0.compare_exchange(known, absent, Ordering::SeqCst, Ordering::SeqCst);
        }
    }
}

/// The sessions that had not ended at the last read. Long-lived connections check whether their session is among them.
#[derive(Debug, Default)]
pub struct LiveSessions(Mutex<Ids>);

#[derive(Debug, Default)]
struct Ids {
    read: HashSet<i64>,
    /// The sessions that other reads of the database have found since the read in progress began.
    seen: HashSet<i64>,
}

impl LiveSessions {
    /// Whether the session had not ended when the database was last read.
    pub fn contains(&self, id: i64) -> bool {
        let ids = self.lock();
        ids.read.contains(&id) || ids.seen.contains(&id)
    }

    /// Records that the database contains the session.
    pub fn saw(&self, id: i64) {
        self.lock().seen.insert(id);
    }

    /// Records that this process has ended the session.
    pub fn ended(&self, id: i64) {
        let mut ids = self.lock();
        ids.read.remove(&id);
        ids.seen.remove(&id);
    }

    /// Begins a read of all live sessions. [`Self::after_read`] ends it.
    pub fn before_read(&self) {
        let mut ids = self.lock();
        let Ids { read, seen } = &mut *ids;
        read.extend(seen.drain());
    }

    /// Replaces the sessions with those that were read.
    pub fn after_read(&self, ids: Vec<i64>) {
        self.lock().read = ids.into_iter().collect();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_that_is_created_during_a_read_is_live() {
        let live = LiveSessions::default();
        live.before_read();
        live.saw(7);
        live.after_read(vec![1]);
        assert!(live.contains(7) && live.contains(1));
        live.before_read();
        assert!(live.contains(7), "the session stays live until the read has ended");
        live.after_read(vec![1]);
        assert!(!live.contains(7));
        live.ended(1);
        assert!(!live.contains(1));
    }

    #[test]
    fn failed_read_keeps_the_known_presence() {
        let presence = LastPresence::default();
        presence.set_unreachable();
        assert_eq!(presence.get(), Presence::Unreachable);
        presence.set(Presence::Present);
        presence.set_unreachable();
        assert_eq!(presence.get(), Presence::Present);
    }

    #[test]
    fn missing_table_means_no_accounts_if_none_were_known() {
        let presence = LastPresence::default();
        presence.set_missing();
        assert_eq!(presence.get(), Presence::Absent);
        presence.set(Presence::Unreachable);
        presence.set_missing();
        assert_eq!(presence.get(), Presence::Absent);
        presence.set(Presence::Present);
        presence.set_missing();
        assert_eq!(presence.get(), Presence::Present);
    }
}
