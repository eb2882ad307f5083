//! The life of an alert: Normal → Pending → Firing → Recovering → Normal, and what interrupts it.
//!
//! | state | the condition holds | lingers | clear | no data | error |
//! |---|---|---|---|---|---|
//! | normal, no data, error | pending, or firing without `for` | normal | normal | no data | error |
//! | pending | firing after `for` | normal | normal | no data | error |
//! | firing | stays | stays | recovering, or over without `keep_firing_for` | as clear | stays |
//! | recovering | firing | firing | over after `keep_firing_for` | as clear | stays |
//!
//! An alert that is over is normal, or without data. An error never ends an alert: what cannot be seen may go on.

use std::time::Duration;

use super::judge::Verdict;
use crate::domain::Timestamp;
use crate::domain::alert::{InstanceState, RuleSpec};

/// Where a series goes from `state`, in which it has been for `held`, on a `verdict`; `None`: its posts could not be counted.
pub fn next(spec: &RuleSpec, state: InstanceState, held: Duration, verdict: Option<Verdict>) -> InstanceState {
    use InstanceState::{Error, Firing, NoData, Normal, Pending, Recovering};
    let Some(verdict) = verdict else { return if state.is_alerting() { state } else { Error } };
    let quiet = if verdict == Verdict::NoData { NoData } else { Normal };
    match (state, verdict) {
        (Pending, Verdict::Holds) => {
            if held >= spec.pending_for {
                Firing
            } else {
                Pending
            }
        }
        (Normal | NoData | Error, Verdict::Holds) => {
            if spec.pending_for.is_zero() {
                Firing
            } else {
                Pending
            }
        }
        (Normal | NoData | Error | Pending, _) => quiet,
        (Firing | Recovering, Verdict::Holds | Verdict::Lingers) => Firing,
        (Firing, Verdict::Clear | Verdict::NoData) => {
            if spec.keep_firing_for.is_zero() {
                quiet
            } else {
                Recovering
            }
        }
        (Recovering, Verdict::Clear | Verdict::NoData) => {
            if held >= spec.keep_firing_for {
                quiet
            } else {
                Recovering
            }
        }
    }
}

/// A series over time: its state and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub state: InstanceState,
    /// Event time.
    pub since: Timestamp,
}

impl Standing {
    /// Where it stands after `verdict` at `at`.
    pub fn after(self, spec: &RuleSpec, verdict: Option<Verdict>, at: Timestamp) -> Self {
        let state = next(spec, self.state, at.since(self.since), verdict);
        if state == self.state { self } else { Self { state, since: at } }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_life_of_an_alert() {
        use InstanceState::{Error, Firing, NoData, Normal, Pending, Recovering};
        use Verdict::{Clear, Holds, Lingers};
        let spec = RuleSpec::parse(
            json!({"name": "x", "kind": "share", "threshold": 0.5, "for": "2min", "keep_firing_for": "3min"}),
        )
        .unwrap();
        let start = Timestamp::from_unix(0).unwrap();
        let mut standing = Standing { state: Normal, since: start };
        let some = Some;
        for (minute, (verdict, expected)) in (0..).zip([
            (some(Clear), Normal),
            (some(Holds), Pending),
            (some(Holds), Pending),
            (some(Clear), Normal),
            (some(Holds), Pending),
            (None, Error),
            (some(Holds), Pending),
            (some(Holds), Pending),
            (some(Holds), Firing),
            (None, Firing),
            (some(Lingers), Firing),
            (some(Clear), Recovering),
            (some(Lingers), Firing),
            (some(Clear), Recovering),
            (None, Recovering),
            (some(Clear), Recovering),
            (some(Holds), Firing),
            (some(Verdict::NoData), Recovering),
            (some(Clear), Recovering),
            (some(Clear), Recovering),
            (some(Verdict::NoData), NoData),
            (some(Clear), Normal),
            (some(Lingers), Normal),
        ]) {
            standing = standing.after(&spec, verdict, start + Duration::from_secs(minute * 60));
            assert_eq!(standing.state, expected, "minute {minute}");
        }
        let sudden = RuleSpec::parse(json!({"name": "x", "kind": "share", "threshold": 0.5})).unwrap();
        let go = |state, verdict| next(&sudden, state, Duration::ZERO, Some(verdict));
        assert_eq!([go(Normal, Holds), go(Firing, Clear), go(Firing, Verdict::NoData)], [Firing, Normal, NoData]);
    }
}
