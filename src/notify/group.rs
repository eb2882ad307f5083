//! Alerts that are told of together, and what of them was told. Pure: what is due is a function of the
//! group and the moment.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;
use crate::domain::alert::{Instance, Labels, Transition};
use crate::domain::notify::{MessageAlert, Reason, Route, Status};

/// The alerts of a route that share the values of the labels it groups by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The route's name.
    pub route: String,
    /// What its alerts have in common by the route.
    pub labels: Labels,
    /// By fingerprint.
    pub members: BTreeMap<String, Member>,
    /// Nothing is told before.
    pub flush_at: Timestamp,
    /// When something was told last.
    pub told_at: Option<Timestamp>,
}

/// An alert of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The row of `sentiment_alerts`.
    pub alert_id: i64,
    pub labels: Labels,
    pub annotations: Labels,
    pub starts_at: Timestamp,
    /// `None` while it fires.
    pub ends_at: Option<Timestamp>,
    /// What was told of it last.
    pub told: Option<Told>,
}

/// What was told of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub alert_id: i64,
    pub status: Status,
}

/// The moment at which a group is looked at.
pub struct Moment<'a> {
    pub now: Timestamp,
    pub route: &'a Route,
    /// Whether the route tells nobody now.
    pub muted: bool,
    /// Whether alerts with these labels are silenced.
    pub silenced: &'a dyn Fn(&Labels) -> bool,
    /// Alerts that somebody looks after.
    pub acknowledged: &'a BTreeSet<i64>,
    /// Whether the receiver is told when alerts are over.
    pub send_resolved: bool,
    /// The dashboard.
    pub external_url: &'a str,
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    pub reason: Reason,
    /// Those that fire first, then by their start.
    pub alerts: Vec<MessageAlert>,
}

impl Member {
    /// An alert that begins to fire.
    pub fn of_transition(transition: &Transition) -> Self {
        Self {
            alert_id: transition.alert_id.unwrap_or_default(),
            labels: transition.labels.clone(),
            annotations: transition.annotations.clone(),
            starts_at: transition.at,
            ends_at: None,
            told: None,
        }
    }

    /// An alert that fires.
    pub fn of_instance(instance: &Instance) -> Self {
        Self {
            alert_id: instance.alert_id.unwrap_or_default(),
            labels: instance.labels.clone(),
            annotations: instance.annotations.clone(),
            starts_at: instance.since,
            ends_at: None,
            told: None,
        }
    }

    fn status(&self) -> Status {
        if self.ends_at.is_some() { Status::Resolved } else { Status::Firing }
    }

    fn is_news(&self, send_resolved: bool) -> bool {
        match (self.status(), self.told) {
            (Status::Firing, told) => told != Some(Told { alert_id: self.alert_id, status: Status::Firing }),
            (Status::Resolved, told) => send_resolved && told.is_some_and(|told| told.status == Status::Firing),
        }
    }

    fn view(&self, fingerprint: &str, external_url: &str) -> MessageAlert {
        MessageAlert {
            status: self.status(),
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
            starts_at: self.starts_at,
            ends_at: self.ends_at.unwrap_or(Timestamp::MIN),
            generator_url: format!("{}/alerts/{}", external_url.trim_end_matches('/'), self.alert_id),
            fingerprint: fingerprint.to_owned(),
        }
    }
}

impl Group {
    /// A group whose first alert comes at `now`.
    pub fn new(route: &Route, labels: Labels, now: Timestamp) -> Self {
        let flush_at = now + route.group_wait.0;
        Self { route: route.name.clone(), labels, members: BTreeMap::new(), flush_at, told_at: None }
    }

    /// The key of the group of `route` with these labels.
    pub fn key(route: &Route, labels: &Labels) -> String {
        let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        format!("{}:{{{}}}", route.name, pairs.join(", "))
    }

    /// An alert fires: a new one, or one that is known under the same labels.
    pub fn fire(&mut self, fingerprint: &str, mut member: Member) {
        if let Some(known) = self.members.get(fingerprint) {
            member.told = known.told;
            if known.alert_id == member.alert_id {
                member.starts_at = known.starts_at;
            }
        }
        self.members.insert(fingerprint.to_owned(), member);
    }

    /// An alert is over.
    pub fn resolve(&mut self, fingerprint: &str, at: Timestamp) -> bool {
        match self.members.get_mut(fingerprint) {
            Some(member) if member.ends_at.is_none() => {
                member.ends_at = Some(at);
                true
            }
            _ => false,
        }
    }

    /// What is to be told at `moment`, which counts as told then. Alerts that are silenced or muted wait: a notice that
    /// one is over too, if it was told before.
    pub fn flush(&mut self, moment: &Moment<'_>) -> Option<News> {
        let unknown_to_anyone = |member: &Member| member.told.is_none_or(|told| told.status == Status::Resolved);
        self.members
            .retain(|_, member| member.ends_at.is_none() || (moment.send_resolved && !unknown_to_anyone(member)));
        if moment.muted || moment.now < self.flush_at {
            return None;
        }
        let heard: BTreeSet<String> = self
            .members
            .iter()
            .filter(|(_, member)| !(moment.silenced)(&member.labels))
            .map(|(fingerprint, _)| fingerprint.clone())
            .collect();
        let (reason, told) = self.due(moment, &heard)?;
        let mut alerts: Vec<MessageAlert> =
            told.iter().map(|fingerprint| self.members[fingerprint].view(fingerprint, moment.external_url)).collect();
        alerts.sort_by_key(|alert| (alert.status == Status::Resolved, alert.starts_at));
        for fingerprint in &told {
            if let Some(member) = self.members.get_mut(fingerprint) {
                member.told = Some(Told { alert_id: member.alert_id, status: member.status() });
            }
        }
        self.members.retain(|fingerprint, member| member.ends_at.is_none() || !told.contains(fingerprint));
        self.told_at = Some(moment.now);
        self.flush_at = moment.now + moment.route.group_interval.0;
        Some(News { reason, alerts })
    }

    /// Why something is to be told, and of which of the alerts that can be `heard` of.
    fn due(&self, moment: &Moment<'_>, heard: &BTreeSet<String>) -> Option<(Reason, BTreeSet<String>)> {
        let members = || self.members.iter().filter(|(fingerprint, _)| heard.contains(*fingerprint));
        let news =
            |status| members().any(|(_, member)| member.status() == status && member.is_news(moment.send_resolved));
        if news(Status::Firing) {
            return Some((Reason::Firing, heard.clone()));
        }
        if news(Status::Resolved) {
            return Some((Reason::Resolved, heard.clone()));
        }
        let unattended: BTreeSet<String> = members()
            .filter(|(_, member)| member.ends_at.is_none() && !moment.acknowledged.contains(&member.alert_id))
            .map(|(fingerprint, _)| fingerprint.clone())
            .collect();
        let repeat = self.told_at.is_some_and(|at| at + moment.route.repeat_interval.0 <= moment.now);
        (repeat && !unattended.is_empty()).then_some((Reason::Repeat, unattended))
    }
}
