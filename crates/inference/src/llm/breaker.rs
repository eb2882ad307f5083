//! The budget and the circuit breaker, which decide whether a request may be sent.
//!
//! The budget counts the requests of this process in fixed windows: minutes, and days of UTC. The breaker opens after
//! several consecutive failures, each time for longer. When the breaker has been open for this long, one trial request
//! is allowed, whose outcome closes the breaker or opens it again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sentistream_core::clock::Clock;
use sentistream_core::domain::Timestamp;

/// The number of consecutive failures that open the breaker.
const FAILURES: u32 = 5;
/// How long the breaker stays open: the time after the first opening, and the maximum.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// The maximum number of requests; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// The maximum number of requests per minute, in fixed windows.
    pub per_minute: Option<u64>,
    /// The maximum number of requests per UTC day.
    pub per_day: Option<u64>,
}

/// The state of the LLM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LlmState {
    /// Requests are allowed.
    Ready,
    /// Requests have failed, or the server requested a pause. No request is sent before `until`.
    Paused {
        /// The end of the pause; the current time while a trial request is in progress.
        until: Timestamp,
        /// The message of the last failure.
        reason: String,
    },
    /// The budget is used up. No request is sent before `until`.
    Spent {
        /// The end of the minute or the day whose budget is used up. If both are used up, the later end.
        until: Timestamp,
    },
}

/// Decides for each request whether it may be sent.
pub struct Breaker {
    clock: Clock,
    budget: Budget,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    /// How often the breaker has opened since the last success.
    openings: u32,
    open_until: Option<Timestamp>,
    /// When the last trial request was sent. If its outcome is not reported, another trial is allowed after a pause.
    trial: Option<Timestamp>,
    reason: String,
    minute: Window,
    day: Window,
}

#[derive(Default)]
struct Window {
    start: Option<Timestamp>,
    used: u64,
}

impl Window {
    /// The end of the window; `None` if its limit is not reached.
    fn full_until(&mut self, (width, most): (Duration, Option<u64>), now: Timestamp) -> Option<Timestamp> {
        let start = now.floor(width);
        if self.start != Some(start) {
            *self = Self { start: Some(start), used: 0 };
        }
        most.filter(|most| self.used >= *most).map(|_| start + width)
    }
}

impl Breaker {
    /// Creates a closed circuit breaker with an unused budget.
    pub fn new(clock: Clock, budget: Budget) -> Self {
        Self { clock, budget, state: Mutex::default() }
    }

    /// Takes one request from the budget.
    ///
    /// # Errors
    /// The state that forbids requests now; [`LlmState::Ready`] while a trial request is in progress.
    pub fn pass(&self) -> Result<(), LlmState> {
        let now = self.clock.now();
        let mut state = self.state();
        match self.state_at(&mut state, now) {
            LlmState::Ready => {}
            closed => return Err(closed),
        }
        if state.open_until.is_some() {
            if state.trial.is_some_and(|began| now < began + FIRST_PAUSE) {
                return Err(LlmState::Ready);
            }
            state.trial = Some(now);
        }
        state.minute.used += 1;
        state.day.used += 1;
        Ok(())
    }

    /// The current state.
    pub fn state_now(&self) -> LlmState {
        self.state_at(&mut self.state(), self.clock.now())
    }

    fn state_at(&self, state: &mut State, now: Timestamp) -> LlmState {
        if let Some(until) = state.open_until.filter(|until| *until > now) {
            return LlmState::Paused { until, reason: state.reason.clone() };
        }
        let minute = state.minute.full_until((MINUTE, self.budget.per_minute), now);
        let day = state.day.full_until((DAY, self.budget.per_day), now);
        minute.max(day).map_or(LlmState::Ready, |until| LlmState::Spent { until })
    }

    /// Records that a request succeeded.
    pub fn succeeded(&self) {
        let mut state = self.state();
        if state.openings > 0 {
            tracing::info!("LLM recovered, requests resumed");
        }
        (state.failures, state.openings, state.open_until, state.trial) = (0, 0, None, None);
    }

    /// Records that a request failed. `wait` is the pause that the server requested.
    pub fn failed(&self, reason: &str, wait: Option<Duration>) {
        let now = self.clock.now();
        let mut state = self.state();
        state.failures += 1;
        reason.clone_into(&mut state.reason);
        let opens = state.trial.is_some() || state.failures >= FAILURES;
        if opens {
            if state.openings == 0 {
                tracing::warn!(reason, "LLM requests paused after repeated failures");
            }
            let pause = FIRST_PAUSE.saturating_mul(1 << state.openings.min(5)).min(LONGEST_PAUSE);
            state.openings += 1;
            state.failures = 0;
            state.trial = None;
            state.open_until = Some(now + pause.max(wait.unwrap_or_default().min(LONGEST_PAUSE)));
        } else if let Some(wait) = wait {
            let until = now + wait.min(LONGEST_PAUSE);
            state.open_until = state.open_until.max(Some(until));
        }
    }

    /// Records that a request ended with an outcome that says nothing about the state of the server.
    pub fn gave_up(&self) {
        self.state().trial = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held leaves a consistent state, so a poisoned lock can be used.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn breaker_opens_allows_one_trial_and_closes() {
        let clock = Clock::fixed(at(0));
        let breaker = Breaker::new(clock.clone(), Budget::default());
        for _ in 0..FAILURES {
            assert_eq!(breaker.pass(), Ok(()));
            breaker.failed("HTTP 500", None);
        }
        assert_eq!(breaker.pass(), Err(LlmState::Paused { until: at(30), reason: "HTTP 500".to_owned() }));
        clock.set(at(30));
        assert_eq!(breaker.pass(), Ok(()), "one trial request is allowed");
        assert!(breaker.pass().is_err(), "a second trial request is rejected");
        breaker.failed("HTTP 500", None);
        assert!(matches!(breaker.state_now(), LlmState::Paused { until, .. } if until == at(90)), "twice as long");
        clock.set(at(90));
        assert_eq!(breaker.pass(), Ok(()));
        breaker.succeeded();
        assert_eq!((breaker.pass(), breaker.pass(), breaker.state_now()), (Ok(()), Ok(()), LlmState::Ready));
    }

    #[test]
    fn retry_after_pauses_requests() {
        let clock = Clock::fixed(at(0));
        let breaker = Breaker::new(clock.clone(), Budget::default());
        assert_eq!(breaker.pass(), Ok(()));
        breaker.failed("HTTP 429", Some(Duration::from_secs(7)));
        assert!(breaker.pass().is_err());
        clock.set(at(7));
        assert_eq!(breaker.pass(), Ok(()));
    }

    #[test]
    fn budget_limits_minute_and_day() {
        let clock = Clock::fixed(at(30));
        let breaker = Breaker::new(clock.clone(), Budget { per_minute: Some(2), per_day: Some(3) });
        assert_eq!((breaker.pass(), breaker.pass()), (Ok(()), Ok(())));
        assert_eq!(breaker.pass(), Err(LlmState::Spent { until: at(60) }));
        clock.set(at(60));
        assert_eq!(breaker.pass(), Ok(()));
        assert_eq!(breaker.pass(), Err(LlmState::Spent { until: at(86_400) }));
        clock.set(at(86_400));
        assert_eq!(breaker.pass(), Ok(()));
    }
}
