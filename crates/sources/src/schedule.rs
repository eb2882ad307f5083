//! The poll schedule of a source that polls several places (feeds or hosts).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::SourceError;

/// The maximum wait after repeated failures of one place.
const MAX_WAIT: Duration = Duration::from_secs(6 * 3_600);

/// A poll schedule with one slot per place. The schedule is kept when the source is opened again, so that no place is
/// polled too early.
pub struct PollSchedule(Mutex<Vec<Slot>>);

struct Slot {
    due: Instant,
    /// The number of consecutive failures.
    failures: u32,
    error: Option<Failure>,
}

/// The last error of a place.
#[derive(Clone)]
struct Failure {
    message: String,
    kind: FailureKind,
}

#[derive(Clone, Copy, PartialEq)]
enum FailureKind {
    /// A retry may succeed.
    Temporary,
    /// The error persists until the settings change.
    Permanent,
}

/// Whether a failure should be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The failure should be logged.
    Log,
    /// The failure repeats an earlier one and should not be logged.
    Quiet,
}

impl PollSchedule {
    /// Creates a schedule with `places` slots, all of which are due.
    pub fn new(places: usize) -> Self {
        let slot = |_| Slot { due: Instant::now(), failures: 0, error: None };
        Self(Mutex::new((0..places).map(slot).collect()))
    }

    /// Up to `most` places that are due, the most overdue first.
    pub fn due(&self, most: usize) -> Vec<usize> {
        let (slots, now) = (self.slots(), Instant::now());
        let mut due: Vec<usize> = (0..slots.len()).filter(|place| slots[*place].due <= now).collect();
        due.sort_by_key(|place| slots[*place].due);
        due.truncate(most);
        due
    }

    /// The time until the next place is due; zero if a place is due.
    pub fn next_due_in(&self) -> Duration {
        let next = self.slots().iter().map(|slot| slot.due).min();
        next.map_or(MAX_WAIT, |due| due.saturating_duration_since(Instant::now()))
    }

    /// Records a successful poll of `place`, and schedules the next poll after `wait`.
    pub fn succeeded(&self, place: usize, wait: Duration) {
        if let Some(slot) = self.slots().get_mut(place) {
            *slot = Slot { due: Instant::now() + wait, failures: 0, error: None };
        }
    }

    /// Postpones `place` by at least `wait` from now.
    pub fn postpone(&self, place: usize, wait: Duration) {
        if let Some(slot) = self.slots().get_mut(place) {
            slot.due = slot.due.max(Instant::now() + wait);
        }
    }

    /// Records a failure of `place`. The next wait is the wait that the server requests, or else `shortest`, which
    /// doubles after each consecutive failure up to six hours. Only the 1st, 2nd, 4th, 8th, … failure should be logged.
    pub fn failed(&self, place: usize, error: &SourceError, shortest: Duration) -> Report {
        let mut slots = self.slots();
        let Some(slot) = slots.get_mut(place) else { return Report::Quiet };
        let wait = match error {
            SourceError::Busy { after, .. } => *after,
            _ => shortest.saturating_mul(1 << slot.failures.min(20)).min(MAX_WAIT),
        };
        let is_permanent = matches!(error, SourceError::Permanent(_));
        let kind = if is_permanent { FailureKind::Permanent } else { FailureKind::Temporary };
        slot.failures = slot.failures.saturating_add(1);
        slot.due = Instant::now() + wait;
        slot.error = Some(Failure { message: error.to_string(), kind });
        if slot.failures.is_power_of_two() { Report::Log } else { Report::Quiet }
    }

    /// The state of the whole source. The source works if the last poll of at least one place succeeded, or if a place
    /// was not polled yet. If all places failed permanently, they are due again at once, in case the source is resumed.
    ///
    /// # Errors
    /// [`SourceError::Permanent`] when all places failed permanently; otherwise, if all failed, [`SourceError::Busy`]
    /// with the time until the next poll.
    pub fn check(&self) -> Result<(), SourceError> {
        let wait = self.next_due_in();
        let mut slots = self.slots();
        let errors: Option<Vec<_>> = slots.iter().map(|slot| slot.error.clone()).collect();
        let Some(errors) = errors else { return Ok(()) };
        let Some(first) = errors.first() else { return Ok(()) };
        let others = match errors.len() - 1 {
            0 => String::new(),
            others => format!(" ({others} more failed)"),
        };
        let reason = format!("{}{others}", first.message);
        if errors.iter().all(|error| error.kind == FailureKind::Permanent) {
            slots.iter_mut().for_each(|slot| slot.due = Instant::now());
            return Err(SourceError::Permanent(reason));
        }
        Err(SourceError::Busy { reason, after: wait })
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failing_place_waits_longer_each_time() {
        let schedule = PollSchedule::new(2);
        assert_eq!(schedule.due(9), [0, 1]);
        schedule.succeeded(0, Duration::from_secs(60));
        let away = SourceError::Transient("away".to_owned());
        for (wait, report) in [(10, Report::Log), (20, Report::Log), (40, Report::Quiet), (80, Report::Log)] {
            assert_eq!(schedule.failed(1, &away, Duration::from_secs(10)), report);
            assert!(schedule.check().is_ok(), "the other place answers");
            schedule.succeeded(0, Duration::from_secs(3_600));
            assert_eq!((schedule.next_due_in(), schedule.due(9)), (Duration::from_secs(wait), vec![]));
            tokio::time::advance(schedule.next_due_in()).await;
            assert_eq!(schedule.due(9), [1]);
        }
        schedule.succeeded(1, Duration::from_secs(1));
        schedule.postpone(1, Duration::from_secs(30));
        assert_eq!(schedule.next_due_in(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn source_fails_when_every_place_fails() {
        let schedule = PollSchedule::new(2);
        let refused = SourceError::Permanent("refused".to_owned());
        schedule.failed(0, &refused, Duration::from_secs(5));
        let busy = SourceError::Busy { reason: "busy".to_owned(), after: Duration::from_secs(3) };
        schedule.failed(1, &busy, Duration::ZERO);
        let error = schedule.check().unwrap_err();
        assert!(matches!(&error, SourceError::Busy { after, .. } if *after == Duration::from_secs(3)), "{error}");
        schedule.failed(1, &refused, Duration::from_secs(5));
        let error = schedule.check().unwrap_err();
        assert!(matches!(&error, SourceError::Permanent(reason) if reason == "refused (1 more failed)"), "{error}");
        assert_eq!(schedule.due(9), [0, 1], "a resumed source polls all places");
    }
}
