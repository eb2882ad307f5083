//! Follows the transitions of alerts: assigns them to groups, and writes the notifications of groups to the outbox.

use std::collections::{BTreeMap, BTreeSet};

use super::group::{Group, Member, Moment, Notified};
use super::message::Composer;
use super::setup::{OUTDATED, Setup};
use super::{NotifyOptions, NotifyServices};
use crate::domain::Timestamp;
use crate::domain::alert::{Instance, Transition};
use crate::domain::notify::inhibit::AFTERMATH;
use crate::domain::notify::{DeliveryState, Inhibition, Managed, Receiver};
use crate::store::notify::{Commit, NewDelivery, StoredGroup};
use crate::store::{Lease, Store, StoreError};

/// The maximum number of transitions that one step processes.
const STEP: i64 = 500;

/// The groups of alerts, and the position up to which transitions are processed.
pub struct Follower {
    services: NotifyServices,
    options: NotifyOptions,
    setup: Setup,
    cursor: i64,
    groups: BTreeMap<String, Group>,
}

impl Follower {
    /// Loads the state that the last active instance stored, and stores the receivers and routes of this instance's
    /// configuration.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn load(services: &NotifyServices, options: &NotifyOptions) -> Result<Self, StoreError> {
        let store = &services.store;
        provision(store, options).await?;
        let state = store.notifier_state().await?;
        let mut groups = BTreeMap::new();
        for StoredGroup { key, state } in store.notification_groups().await? {
            match serde_json::from_str(&state) {
                Ok(group) => drop(groups.insert(key, group)),
                // Without the record of the group, its alerts are sent again as new alerts.
                Err(error) => {
                    tracing::warn!(key, %error, "stored alert group is unreadable: its alerts are sent again");
                }
            }
        }
        let (services, options) = (services.clone(), options.clone());
        // The first step reads the configuration of notifications and assigns the alerts to groups.
        Ok(Self { services, options, setup: Setup::outdated(), cursor: state.cursor, groups })
    }

    /// The configuration of notifications that the last step used.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Processes new transitions, and writes the notifications that are due to the outbox.
    ///
    /// # Errors
    /// When the store fails, or another instance has the lease. The groups and the cursor are then unchanged.
    pub async fn step(&mut self, lease: &Lease) -> Result<(), StoreError> {
        let done = self.try_step(lease).await;
        if done.is_err() {
            // The failed step may have read a new configuration without storing the groups that follow from it, so the
            // next step must read it again.
            self.setup.changes = OUTDATED;
        }
        done
    }

    async fn try_step(&mut self, lease: &Lease) -> Result<(), StoreError> {
        let store = self.services.store.clone();
        let state = store.notifier_state().await?;
        let mut groups = self.groups.clone();
        if state.changes != self.setup.changes {
            self.setup = Setup::load(&store, &self.options, state.changes).await?;
            self.setup.warn_of_unknown_references();
            let firing = store.firing_instances().await?;
            self.reassign(&mut groups, &firing);
        }
        // Acknowledgements are read after the time, so that no alert is repeated that was acknowledged before its
        // repetition was due, and before transitions. Otherwise an alert that is resolved in between would count as not
        // acknowledged.
        let now = self.services.clock.now();
        let acknowledged = if groups.is_empty() { BTreeSet::new() } else { store.acknowledged_alerts().await? };
        let transitions = store.transitions_after(self.cursor, STEP).await?;
        for transition in &transitions {
            self.follow(&mut groups, transition);
        }
        let cursor = transitions.last().map_or(self.cursor, |last| last.id);
        let mut commit = Commit { cursor: (cursor != self.cursor).then_some(cursor), ..Commit::default() };
        // If there are more transitions, they are processed first, because they may resolve alerts that have just
        // fired.
        let is_complete = transitions.len() < usize::try_from(STEP).unwrap_or(usize::MAX);
        if is_complete && !groups.is_empty() {
            commit.deliveries = self.flush(&mut groups, &acknowledged, now).await?;
        }
        groups.retain(|_, group| !group.is_over());
        for (key, group) in &groups {
            if self.groups.get(key) != Some(group) {
                let state = serde_json::to_string(group).unwrap_or_default();
                commit.groups.push(StoredGroup { key: key.clone(), state });
            }
        }
        commit.gone = self.groups.keys().filter(|key| !groups.contains_key(*key)).cloned().collect();
        if !commit.is_empty() {
            store.commit_notifications(lease, &commit).await?;
        }
        self.groups = groups;
        self.cursor = cursor;
        Ok(())
    }

    fn follow(&self, groups: &mut BTreeMap<String, Group>, transition: &Transition) {
        let (now, fingerprint) = (self.services.clock.now(), transition.fingerprint.as_str());
        if transition.fires() {
            for target in self.setup.targets(&transition.labels) {
                let group = groups.entry(target.key()).or_insert_with(|| Group::new(&target, now));
                group.fire(fingerprint, Member::of_transition(transition));
            }
        } else if transition.resolves() {
            for group in groups.values_mut() {
                group.resolve(fingerprint, transition.at);
            }
        }
    }

    /// Assigns all firing alerts to the groups of the current routes. If an alert moves to another group of the same
    /// route, the record of its last notification moves with it.
    fn reassign(&self, groups: &mut BTreeMap<String, Group>, firing: &[Instance]) {
        let now = self.services.clock.now();
        let mut sent: BTreeMap<SentBy, Option<Notified>> = BTreeMap::new();
        for (key, group) in groups.iter_mut() {
            let route = group.route.clone();
            group.members.retain(|fingerprint, member| {
                let stays = self.setup.targets(&member.labels).iter().any(|target| target.key() == *key);
                if !stays {
                    sent.insert(SentBy { route: route.clone(), fingerprint: fingerprint.clone() }, member.notified);
                }
                stays
            });
        }
        for instance in firing {
            for target in self.setup.targets(&instance.labels) {
                let group = groups.entry(target.key()).or_insert_with(|| Group::new(&target, now));
                if !group.members.contains_key(&instance.fingerprint) {
                    let by = SentBy { route: target.route.name.clone(), fingerprint: instance.fingerprint.clone() };
                    let notified = sent.get(&by).copied().flatten();
                    if notified.is_some() {
                        group.notified_at.get_or_insert(now);
                    }
                    group.fire(&instance.fingerprint, Member { notified, ..Member::of_instance(instance) });
                }
            }
        }
    }

    /// Composes the notifications that are due. A group with a delivery in flight waits for the outcome.
    async fn flush(
        &self,
        groups: &mut BTreeMap<String, Group>,
        acknowledged: &BTreeSet<i64>,
        now: Timestamp,
    ) -> Result<Vec<NewDelivery>, StoreError> {
        let outcomes = self.services.store.group_outcomes().await?;
        let inhibition = self.inhibition().await?;
        let suppressed = |labels: &_| self.setup.is_silenced(labels, now) || inhibition.covers(labels);
        let mut composer = Composer::new(&self.services.store, &self.options.external_url);
        let mut deliveries = Vec::new();
        let none = BTreeSet::new();
        for (key, group) in groups.iter_mut() {
            let outcome = outcomes.get(key).copied();
            group.settle(outcome);
            if outcome == Some(DeliveryState::Pending) {
                continue;
            }
            let Some(route) = self.setup.router.get(&group.route) else { continue };
            // A route may refer to a receiver that does not exist.
            let Some(found) = self.setup.receivers.get(&route.receiver) else { continue };
            let receiver = &found.receiver;
            let moment = Moment {
                now,
                route,
                muted: self.setup.is_muted(route, now),
                suppressed: &suppressed,
                // An Alertmanager resolves alerts that are not repeated, so acknowledged alerts must be repeated too.
                acknowledged: if receiver.channel.is_alertmanager() { &none } else { acknowledged },
                send_resolved: receiver.send_resolved,
            };
            if let Some(notification) = group.flush(&moment) {
                let reason = notification.reason;
                let message = composer.compose(group, notification, receiver).await?;
                deliveries.push(NewDelivery {
                    receiver: receiver.name.clone(),
                    recipient: group.recipient.clone(),
                    group_key: key.clone(),
                    reason,
                    message,
                });
            }
        }
        Ok(deliveries)
    }

    async fn inhibition(&self) -> Result<Inhibition, StoreError> {
        let rules = self.setup.inhibit_rules.clone();
        if rules.is_empty() {
            return Ok(Inhibition::default());
        }
        let recent = self.services.store.recent_alerts(self.services.clock.now() - AFTERMATH).await?;
        Ok(Inhibition::new(rules, recent))
    }
}

/// Identifies what one route has sent about one alert.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct SentBy {
    route: String,
    fingerprint: String,
}

/// Stores the receivers, routes and other objects of the configuration in the database.
async fn provision(store: &Store, options: &NotifyOptions) -> Result<(), StoreError> {
    let receivers: Vec<Receiver> = options.receivers.iter().map(|own| own.receiver.clone()).collect();
    provision_kind(store, &receivers).await?;
    provision_kind(store, &options.mute_timings).await?;
    provision_kind(store, &options.routes).await?;
    provision_kind(store, &options.inhibit_rules).await
}

async fn provision_kind<T: Managed>(store: &Store, wanted: &[T]) -> Result<(), StoreError> {
    for name in store.provision_managed(wanted).await? {
        let kind = T::KIND.as_str();
        tracing::warn!(
            kind,
            name,
            "configured object skipped: an object created through the API has the same name; rename or delete that object"
        );
    }
    Ok(())
}
