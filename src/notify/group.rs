//! Groups of alerts that share notifications, and the record of the last notification about each alert. All decisions
//! are pure functions of the group and the time.
//!
//! A notification counts as sent when its delivery has succeeded. Until then it is in flight, and the group sends no
//! other notification. If the delivery fails, the record does not change, so the next flush sends the notification
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;
use crate::domain::alert::{Instance, Labels, Transition};
use crate::domain::notify::{DeliveryState, Reason, Route, Status};

/// How long a group retries to report that an alert is resolved.
const RESOLVED_FOR: Duration = Duration::from_secs(24 * 3600);

/// The alerts of a route that have the same values of the route's `group_by` labels. A receiver that sends one message
/// per recipient has separate groups for each recipient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The route's name.
    pub route: String,
    /// The address of the recipient; `None` if the receiver gets one message for everyone.
    #[serde(default)]
    pub recipient: Option<String>,
    /// The values of the route's `group_by` labels.
    pub labels: Labels,
    /// The alerts, by the fingerprint of their labels. An alert is removed after its end has been reported.
    pub members: BTreeMap<String, Member>,
    /// The earliest time of the next notification.
    pub flush_at: Timestamp,
    /// When the last delivered notification was written to the outbox; `None` if there is none.
    #[serde(alias = "told_at")]
    pub notified_at: Option<Timestamp>,
    /// The last notification, if it is not delivered yet.
    #[serde(default)]
    pub in_flight: Option<InFlight>,
}

/// An alert of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The id of the row in `sentiment_alerts`.
    pub alert_id: i64,
    /// The labels that the alert opened with.
    pub labels: Labels,
    /// The texts about the alert when it was added to the group.
    pub annotations: Labels,
    /// When the alert started to fire.
    pub starts_at: Timestamp,
    /// When the alert was resolved; `None` while it fires.
    pub ends_at: Option<Timestamp>,
    /// The last delivered notification about the alert; `None` if there is none.
    #[serde(alias = "told")]
    pub notified: Option<Notified>,
}

/// The last delivered notification about an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notified {
    /// Whether the delivered notification reported the alert as firing or as resolved.
    pub status: Status,
}

/// A notification whose delivery has no final outcome yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InFlight {
    /// When the notification was written to the outbox.
    pub at: Timestamp,
    /// The status that the notification reports for each alert, by fingerprint.
    pub alerts: BTreeMap<String, Status>,
    /// Whether the delivery failed. A user may still send the message again.
    pub failed: bool,
}

/// The time of a flush, and the conditions at this time.
pub struct Moment<'a> {
    /// The current time.
    pub now: Timestamp,
    /// The route of the group.
    pub route: &'a Route,
    /// Whether the route is muted.
    pub muted: bool,
    /// Whether alerts with these labels are silenced or inhibited.
    pub suppressed: &'a (dyn Fn(&Labels) -> bool + Sync),
    /// The ids of alerts that are acknowledged. Their notifications are not repeated.
    pub acknowledged: &'a BTreeSet<i64>,
    /// Whether the receiver gets notifications about resolved alerts.
    pub send_resolved: bool,
}

/// A notification that is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// Why the notification is sent.
    pub reason: Reason,
    /// The alerts. Firing alerts come first; alerts with the same status are sorted by start time.
    pub alerts: Vec<NotifiedAlert>,
}

/// An alert in a notification.
#[derive(Clone, Debug, PartialEq)]
pub struct NotifiedAlert {
    /// The fingerprint of the alert's labels.
    pub fingerprint: String,
    /// The alert.
    pub member: Member,
}

impl Member {
    /// Creates the member for an alert that starts to fire.
    pub fn of_transition(transition: &Transition) -> Self {
        Self {
            alert_id: transition.alert_id.unwrap_or_default(),
            labels: transition.labels.clone(),
            annotations: transition.annotations.clone(),
            starts_at: transition.at,
            ends_at: None,
            notified: None,
        }
    }

    /// Creates the member for an alert that already fires.
    pub fn of_instance(instance: &Instance) -> Self {
        Self {
            alert_id: instance.alert_id.unwrap_or_default(),
            labels: instance.labels.clone(),
            annotations: instance.annotations.clone(),
            starts_at: instance.since,
            ends_at: None,
            notified: None,
        }
    }

    /// The current status of the alert.
    pub fn status(&self) -> Status {
        if self.ends_at.is_some() { Status::Resolved } else { Status::Firing }
    }

    fn is_known_to_fire(&self) -> bool {
        self.notified.is_some_and(|notified| notified.status == Status::Firing)
    }

    /// Whether the receiver must be notified. The receiver is not notified of an alert that was resolved and fires
    /// again before the receiver was notified of its end.
    fn is_due(&self, send_resolved: bool) -> bool {
        match self.status() {
            Status::Firing => !self.is_known_to_fire(),
            Status::Resolved => send_resolved && self.is_known_to_fire(),
        }
    }
}

/// Identifies the group that an alert belongs to.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// The route that handles the alert.
    pub route: &'a Route,
    /// The values of the route's `group_by` labels.
    pub labels: Labels,
    /// The address of the recipient; `None` if the receiver gets one message for everyone.
    pub recipient: Option<&'a str>,
}

impl Target<'_> {
    /// The key of the group in the store.
    pub fn key(&self) -> String {
        let key = Group::key_of(&self.route.name, &self.labels);
        match self.recipient {
            Some(recipient) => format!("{key} to {recipient}"),
            None => key,
        }
    }
}

impl Group {
    /// Creates a group whose first alert arrives at `now`.
    pub fn new(target: &Target<'_>, now: Timestamp) -> Self {
        Self {
            route: target.route.name.clone(),
            recipient: target.recipient.map(str::to_owned),
            labels: target.labels.clone(),
            members: BTreeMap::new(),
            flush_at: now + target.route.group_wait.0,
            notified_at: None,
            in_flight: None,
        }
    }

    /// The key of the group in messages, which is the same for all recipients.
    pub fn key(&self) -> String {
        Self::key_of(&self.route, &self.labels)
    }

    fn key_of(route: &str, labels: &Labels) -> String {
        let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        format!("{route}:{{{}}}", pairs.join(", "))
    }

    /// Whether there is nothing left to send.
    pub fn is_over(&self) -> bool {
        self.members.is_empty() && self.in_flight.as_ref().is_none_or(|sent| sent.failed)
    }

    /// Adds an alert that fires, or replaces the alert with the same labels.
    pub fn fire(&mut self, fingerprint: &str, mut member: Member) {
        if let Some(known) = self.members.get(fingerprint) {
            member.notified = known.notified;
            if known.alert_id == member.alert_id {
                member.starts_at = known.starts_at;
            }
        }
        self.members.insert(fingerprint.to_owned(), member);
    }

    /// Marks an alert as resolved.
    pub fn resolve(&mut self, fingerprint: &str, at: Timestamp) {
        if let Some(member) = self.members.get_mut(fingerprint) {
            member.ends_at.get_or_insert(at);
        }
    }

    /// Records the outcome of the last delivery. `None`: the delivery was deleted, which counts as a failure.
    pub fn settle(&mut self, outcome: Option<DeliveryState>) {
        let Some(sent) = &mut self.in_flight else { return };
        match outcome {
            Some(DeliveryState::Pending) => {}
            Some(DeliveryState::Failed) | None => sent.failed = true,
            Some(DeliveryState::Delivered) => {
                for (fingerprint, status) in &sent.alerts {
                    if let Some(member) = self.members.get_mut(fingerprint) {
                        member.notified = Some(Notified { status: *status });
                    }
                }
                let is_reported = |fingerprint: &String| sent.alerts.get(fingerprint) == Some(&Status::Resolved);
                self.members.retain(|fingerprint, member| member.ends_at.is_none() || !is_reported(fingerprint));
                self.notified_at = Some(sent.at);
                self.in_flight = None;
            }
        }
    }

    /// Returns the notification that is due at `moment`, and records it as in flight. Suppressed alerts are left out,
    /// both while they fire and after they are resolved.
    pub fn flush(&mut self, moment: &Moment<'_>) -> Option<Notification> {
        if self.in_flight.as_ref().is_some_and(|sent| !sent.failed) {
            return None;
        }
        self.members.retain(|_, member| {
            let Some(ended) = member.ends_at else { return true };
            moment.send_resolved && member.is_known_to_fire() && ended + RESOLVED_FOR > moment.now
        });
        // A flush time that is further ahead than the longest wait was recorded while the clock was ahead, or before
        // the route got shorter waits. An earlier time replaces it.
        let longest = moment.route.group_wait.0.max(moment.route.group_interval.0);
        self.flush_at = self.flush_at.min(moment.now + longest);
        if moment.muted || moment.now < self.flush_at {
            return None;
        }
        let (reason, due) = self.due(moment)?;
        let mut alerts: Vec<NotifiedAlert> = due
            .iter()
            .map(|fingerprint| NotifiedAlert {
                fingerprint: fingerprint.clone(),
                member: self.members[fingerprint].clone(),
            })
            .collect();
        alerts.sort_by_key(|alert| (alert.member.status() == Status::Resolved, alert.member.starts_at));
        let statuses = alerts.iter().map(|alert| (alert.fingerprint.clone(), alert.member.status())).collect();
        self.in_flight = Some(InFlight { at: moment.now, alerts: statuses, failed: false });
        self.flush_at = moment.now + moment.route.group_interval.0;
        Some(Notification { reason, alerts })
    }

    /// The reason for a notification, and the alerts in it.
    fn due(&self, moment: &Moment<'_>) -> Option<(Reason, BTreeSet<String>)> {
        let members = || self.members.iter().filter(|(_, member)| !(moment.suppressed)(&member.labels));
        let all = || members().map(|(fingerprint, _)| fingerprint.clone()).collect();
        let is_due =
            |status| members().any(|(_, member)| member.status() == status && member.is_due(moment.send_resolved));
        if is_due(Status::Firing) {
            return Some((Reason::Firing, all()));
        }
        if is_due(Status::Resolved) {
            return Some((Reason::Resolved, all()));
        }
        let waiting: BTreeSet<String> = members()
            .filter(|(_, member)| member.ends_at.is_none() && !moment.acknowledged.contains(&member.alert_id))
            .map(|(fingerprint, _)| fingerprint.clone())
            .collect();
        let repeat = self.notified_at.is_some_and(|at| at + moment.route.repeat_interval.0 <= moment.now);
        (repeat && !waiting.is_empty()).then_some((Reason::Repeat, waiting))
    }
}
