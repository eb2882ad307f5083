//! The configuration of notifications at one version: receivers, routes, silences, inhibition rules and mute timings.

use std::collections::BTreeMap;

use super::NotifyOptions;
use super::group::Target;
use crate::domain::Timestamp;
use crate::domain::alert::Labels;
use crate::domain::notify::{InhibitRule, MuteTiming, Receiver, Route, Router, Secrets, Silence};
use crate::store::{Store, StoreError};

/// A receiver with its secrets.
#[derive(Clone, Debug)]
pub struct ReceiverWithSecrets {
    /// The receiver without its secrets.
    pub receiver: Receiver,
    /// The secrets. They are decrypted from the database. If the configuration defines the receiver, they come from the
    /// configuration.
    pub secrets: Secrets,
}

/// The configuration of notifications at one version.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The receivers by name.
    pub receivers: BTreeMap<String, ReceiverWithSecrets>,
    /// The routing tree.
    pub router: Router,
    /// All inhibition rules.
    pub inhibit_rules: Vec<InhibitRule>,
    silences: Vec<Silence>,
    mute_timings: BTreeMap<String, MuteTiming>,
    /// The version, which increases when any of these objects changes.
    pub changes: i64,
}

/// A version that differs from every stored version.
pub const OUTDATED: i64 = -1;

impl Setup {
    /// An empty configuration, which the next step replaces.
    pub fn outdated() -> Self {
        Self { changes: OUTDATED, ..Self::default() }
    }

    /// Reads the objects of version `changes`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn load(store: &Store, options: &NotifyOptions, changes: i64) -> Result<Self, StoreError> {
        let receivers = store.managed_with_secrets::<Receiver>().await?.into_iter().map(|found| {
            let receiver = found.stored.spec;
            // The secrets of receivers in the configuration are not in the database.
            let own =
                options.receivers.iter().find(|own| found.stored.provisioned && own.receiver.name == receiver.name);
            let secrets = own.map_or(found.secrets, |own| own.secrets.clone());
            (receiver.name.clone(), ReceiverWithSecrets { receiver, secrets })
        });
        let receivers = receivers.collect();
        let routes = store.managed::<Route>().await?.into_iter().map(|stored| stored.spec).collect();
        let inhibit_rules = store.managed::<InhibitRule>().await?.into_iter().map(|stored| stored.spec).collect();
        let silences = store.managed::<Silence>().await?.into_iter().map(|stored| stored.spec).collect();
        let timings = store.managed::<MuteTiming>().await?.into_iter();
        let mute_timings = timings.map(|stored| (stored.spec.name.clone(), stored.spec)).collect();
        Ok(Self { receivers, router: Router::new(routes), inhibit_rules, silences, mute_timings, changes })
    }

    /// Logs routes that refer to a receiver or a parent that does not exist.
    pub fn warn_of_unknown_references(&self) {
        for route in self.router.all() {
            let (name, receiver) = (&route.name, &route.receiver);
            if !self.receivers.contains_key(receiver) {
                tracing::warn!(
                    route = name,
                    receiver,
                    "route has an unknown receiver: no notifications are sent for its alerts"
                );
            }
            if let Some(parent) = route.parent.as_deref().filter(|parent| self.router.get(parent).is_none()) {
                tracing::warn!(route = name, parent, "route has an unknown parent: treating it as a top-level route");
            }
        }
    }

    /// The groups to which an alert with these labels belongs.
    pub fn targets(&self, labels: &Labels) -> Vec<Target<'_>> {
        let mut targets = Vec::new();
        for route in self.router.routes_of(labels) {
            let found = self.receivers.get(&route.receiver);
            for recipient in found.map_or_else(|| vec![None], |found| found.receiver.channel.recipients()) {
                targets.push(Target { route, labels: route.group_of(labels), recipient });
            }
        }
        targets
    }

    /// Whether an active silence matches an alert with these labels at `now`.
    pub fn is_silenced(&self, labels: &Labels, now: Timestamp) -> bool {
        self.silences.iter().any(|silence| silence.covers(labels, now))
    }

    /// Whether notifications of the route are muted: a mute timing is active, or the route has active timings and
    /// none of them is active.
    pub fn is_muted(&self, route: &Route, now: Timestamp) -> bool {
        let is_active = |name: &String| self.mute_timings.get(name).is_some_and(|timing| timing.is_active(now));
        let outside = !route.active_timings.is_empty() && !route.active_timings.iter().any(is_active);
        outside || route.mute_timings.iter().any(is_active)
    }
}
