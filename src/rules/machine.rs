//! The state machine of an alert: Normal → Pending → Firing → Recovering → Normal.
//!
//! | state | the condition holds | lingers | clear | no data | downtime | error |
//! |---|---|---|---|---|---|---|
//! | normal, no data, error | pending, or firing without `for` | normal | normal | no data | stays | error |
//! | pending | firing after `for` | normal | normal | no data | stays | error |
//! | firing | stays | stays | recovering, or over without `keep_firing_for` | as clear | stays | stays |
//! | recovering | firing | firing | over after `keep_firing_for` | as clear | stays | stays |
//!
//! The columns are the [`Verdict`]s. `lingers`: the value is between the threshold and the recovery threshold, or
//! random variation can explain a value beyond the threshold. `clear`: the condition does not hold, and the value has
//! crossed the recovery threshold, or there are too few posts or authors. `no data` includes a missing baseline. `over`
//! means that the alert ends.
//!
//! After the end of an alert the series is in the state normal or no data. An error does not end an alert, because the
//! incident may continue. With `no_data = "keep"` a window without posts does not change the states pending, firing and
//! recovering; with `"alert"` it counts as a window in which the condition holds.

use std::time::Duration;

use super::evaluate::Verdict;
use crate::domain::Timestamp;
use crate::domain::alert::{InstanceState, NoData, RuleSpec};

/// The state after an evaluation with this verdict. The current `state` has lasted for `held`. A `verdict` of `None`
/// means that the posts could not be counted.
pub fn next(spec: &RuleSpec, state: InstanceState, held: Duration, verdict: Option<Verdict>) -> InstanceState {
    use InstanceState::{Error, Firing, NoData as Empty, Normal, Pending, Recovering};
    let Some(verdict) = verdict else { return if state.is_alerting() { state } else { Error } };
    let verdict = match (verdict, spec.no_data) {
        (Verdict::Unobserved, _) => return state,
        (Verdict::NoData, NoData::Keep) if state.is_alerting() || state == Pending => return state,
        (Verdict::NoData, NoData::Alert) => Verdict::Holds,
        (verdict, _) => verdict,
    };
    let quiet = if matches!(verdict, Verdict::NoData | Verdict::NoBaseline) { Empty } else { Normal };
    let holds = verdict == Verdict::Holds;
    match state {
        Pending if holds && held < spec.pending_for => Pending,
        Pending if holds => Firing,
        Normal | Empty | Error if holds && spec.pending_for.is_zero() => Firing,
        Normal | Empty | Error if holds => Pending,
        Normal | Empty | Error | Pending => quiet,
        Firing | Recovering if holds || verdict == Verdict::Lingers => Firing,
        Firing if spec.keep_firing_for.is_zero() => quiet,
        Recovering if held >= spec.keep_firing_for => quiet,
        Firing | Recovering => Recovering,
    }
}

/// The state of a series and when the state began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesState {
    /// The state after the last evaluation.
    pub state: InstanceState,
    /// Event time at which the state began.
    pub since: Timestamp,
    /// Event time at which the condition began to hold; `None` in all states except pending, firing and recovering.
    pub began: Option<Timestamp>,
}

impl SeriesState {
    /// Creates the state of a series that has been normal since `at`.
    pub fn normal(at: Timestamp) -> Self {
        Self { state: InstanceState::Normal, since: at, began: None }
    }

    /// The state after an evaluation at `at` with this verdict.
    #[must_use]
    pub fn after(self, spec: &RuleSpec, verdict: Option<Verdict>, at: Timestamp) -> Self {
        let state = next(spec, self.state, at.since(self.since), verdict);
        let began = if state.is_alerting() || state == InstanceState::Pending { self.began.or(Some(at)) } else { None };
        if state == self.state { Self { began, ..self } } else { Self { state, since: at, began } }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_verdict_leads_to_the_documented_state() {
        use InstanceState::{Error, Firing, NoData, Normal, Pending, Recovering};
        use Verdict::{Clear, Holds, Lingers, Unobserved};
        let spec = RuleSpec::parse(
            json!({"name": "x", "kind": "share", "threshold": 0.5, "for": "2min", "keep_firing_for": "3min"}),
        )
        .unwrap();
        let start = Timestamp::from_unix(0).unwrap();
        let mut course = SeriesState::normal(start);
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
            (some(Unobserved), Firing),
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
            (some(Unobserved), NoData),
            (some(Lingers), Normal),
        ]) {
            course = course.after(&spec, verdict, start + Duration::from_secs(minute * 60));
            assert_eq!(course.state, expected, "minute {minute}");
        }
        let sudden = RuleSpec::parse(json!({"name": "x", "kind": "share", "threshold": 0.5})).unwrap();
        let go = |state, verdict| next(&sudden, state, Duration::ZERO, Some(verdict));
        assert_eq!([go(Normal, Holds), go(Firing, Clear), go(Firing, Verdict::NoData)], [Firing, Normal, NoData]);
    }

    #[test]
    fn window_without_posts_follows_the_no_data_setting() {
        use InstanceState::{Firing, NoData, Normal};
        let go = |policy: &str, state| {
            let rule = json!({"name": "x", "kind": "share", "threshold": 0.5, "no_data": policy});
            next(&RuleSpec::parse(rule).unwrap(), state, Duration::ZERO, Some(Verdict::NoData))
        };
        assert_eq!([go("keep", Firing), go("keep", Normal)], [Firing, NoData]);
        assert_eq!([go("resolve", Firing), go("resolve", Normal)], [NoData, NoData]);
        assert_eq!([go("alert", Firing), go("alert", Normal)], [Firing, Firing]);
    }

    #[test]
    fn condition_start_stays_the_same_until_the_alert_resolves() {
        let spec = RuleSpec::parse(
            json!({"name": "x", "kind": "share", "threshold": 0.5, "for": "1min", "keep_firing_for": "1min"}),
        )
        .unwrap();
        let minute = |minute: i64| Timestamp::from_unix(minute * 60).unwrap();
        let mut course = SeriesState::normal(minute(0));
        for (number, verdict, began) in [
            (1, Verdict::Holds, Some(1)),
            (2, Verdict::Holds, Some(1)),
            (3, Verdict::Clear, Some(1)),
            (4, Verdict::Holds, Some(1)),
            (5, Verdict::Clear, Some(1)),
            (6, Verdict::Clear, None),
        ] {
            course = course.after(&spec, Some(verdict), minute(number));
            assert_eq!(course.began, began.map(minute), "minute {number}");
        }
    }
}
