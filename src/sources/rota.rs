//! Whose turn it is of the many places that one source asks, each at its own pace.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::SourceError;

/// The longest that a place which fails waits.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3_600);

/// When each place is asked next. Shared by all openings of a source, so that one that is opened again asks nobody
/// too early.
pub struct Rota(Mutex<Vec<Turn>>);

struct Turn {
    due: Instant,
    /// Since it last answered.
    failures: u32,
    /// What was wrong then, and whether it needs a person.
    error: Option<(String, Needs)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Needs {
    Time,
    Person,
}

impl Rota {
    /// All `places` are due.
    pub fn new(places: usize) -> Self {
        let turn = |_| Turn { due: Instant::now(), failures: 0, error: None };
        Self(Mutex::new((0..places).map(turn).collect()))
    }

    /// The places whose turn has come, the longest overdue first, at most `most`.
    pub fn due(&self, most: usize) -> Vec<usize> {
        let (turns, now) = (self.turns(), Instant::now());
        let mut due: Vec<usize> = (0..turns.len()).filter(|place| turns[*place].due <= now).collect();
        due.sort_by_key(|place| turns[*place].due);
        due.truncate(most);
        due
    }

    /// How long until the next turn.
    pub fn wait(&self) -> Duration {
        let next = self.turns().iter().map(|turn| turn.due).min();
        next.map_or(LONGEST_WAIT, |due| due.saturating_duration_since(Instant::now()))
    }

    /// `place` has answered and is asked again after `wait`.
    pub fn answered(&self, place: usize, wait: Duration) {
        if let Some(turn) = self.turns().get_mut(place) {
            *turn = Turn { due: Instant::now() + wait, failures: 0, error: None };
        }
    }

    /// `place` is not asked within `wait`.
    pub fn not_before(&self, place: usize, wait: Duration) {
        if let Some(turn) = self.turns().get_mut(place) {
            turn.due = turn.due.max(Instant::now() + wait);
        }
    }

    /// `place` has failed: it waits from `shortest` on, twice as long after each failure, and as long as it asked.
    /// Whether that is worth a line: at the first failure, then ever more rarely.
    pub fn failed(&self, place: usize, error: &SourceError, shortest: Duration) -> bool {
        let mut turns = self.turns();
        let Some(turn) = turns.get_mut(place) else { return false };
        let wait = match error {
            SourceError::Busy { after, .. } => *after,
            _ => shortest.saturating_mul(1 << turn.failures.min(20)).min(LONGEST_WAIT),
        };
        let needs = if matches!(error, SourceError::Permanent(_)) { Needs::Person } else { Needs::Time };
        turn.failures = turn.failures.saturating_add(1);
        turn.due = Instant::now() + wait;
        turn.error = Some((error.to_string(), needs));
        turn.failures.is_power_of_two()
    }

    /// What is wrong with the source as a whole: nothing as long as one of its places answers. One that a person
    /// tries again asks all of them.
    ///
    /// # Errors
    /// When none of them did when it was asked last.
    pub fn verdict(&self) -> Result<(), SourceError> {
        let wait = self.wait();
        let mut turns = self.turns();
        let errors: Option<Vec<_>> = turns.iter().map(|turn| turn.error.clone()).collect();
        let Some(errors) = errors else { return Ok(()) };
        let Some((reason, _)) = errors.first().cloned() else { return Ok(()) };
        let others =
            if errors.len() > 1 { format!(", and {} more that fail", errors.len() - 1) } else { String::new() };
        let reason = format!("{reason}{others}");
        if errors.iter().all(|(_, needs)| *needs == Needs::Person) {
            turns.iter_mut().for_each(|turn| turn.due = Instant::now());
            return Err(SourceError::Permanent(reason));
        }
        Err(SourceError::Busy { reason, after: wait })
    }

    fn turns(&self) -> MutexGuard<'_, Vec<Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn places_take_turns_and_one_that_fails_waits_longer_each_time() {
        let rota = Rota::new(2);
        assert_eq!(rota.due(9), [0, 1]);
        rota.answered(0, Duration::from_secs(60));
        let away = SourceError::Transient("away".to_owned());
        for (wait, told) in [(10, true), (20, true), (40, false), (80, true)] {
            assert_eq!(rota.failed(1, &away, Duration::from_secs(10)), told);
            assert!(rota.verdict().is_ok(), "the other one answers");
            rota.answered(0, Duration::from_secs(3_600));
            assert_eq!((rota.wait(), rota.due(9)), (Duration::from_secs(wait), vec![]));
            tokio::time::advance(rota.wait()).await;
            assert_eq!(rota.due(9), [1]);
        }
        rota.answered(1, Duration::from_secs(1));
        rota.not_before(1, Duration::from_secs(30));
        assert_eq!(rota.wait(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_fails_when_all_of_its_places_do_and_for_good_when_all_need_a_person() {
        let rota = Rota::new(2);
        let refused = SourceError::Permanent("refused".to_owned());
        rota.failed(0, &refused, Duration::from_secs(5));
        rota.failed(1, &SourceError::Busy { reason: "busy".to_owned(), after: Duration::from_secs(3) }, Duration::ZERO);
        let error = rota.verdict().unwrap_err();
        assert!(matches!(&error, SourceError::Busy { after, .. } if *after == Duration::from_secs(3)), "{error}");
        rota.failed(1, &refused, Duration::from_secs(5));
        let error = rota.verdict().unwrap_err();
        assert!(
            matches!(&error, SourceError::Permanent(reason) if reason == "refused, and 1 more that fail"),
            "{error}"
        );
        assert_eq!(rota.due(9), [0, 1], "who resumes it tries again");
    }
}
