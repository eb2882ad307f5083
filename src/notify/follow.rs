//! Following the transitions of alerts: into groups, and from groups into the outbox.

use std::collections::{BTreeMap, BTreeSet};

use super::group::{Group, Member, Moment, Told};
use super::{NotifyOptions, NotifyRooms, message};
use crate::domain::Timestamp;
use crate::domain::alert::{Labels, Transition};
use crate::domain::notify::{MuteTiming, Receiver, Route, Router, Secrets, Silence};
use crate::store::notify::{Commit, NewDelivery};
use crate::store::{Lease, Store, StoreError};

/// Most transitions of one step.
const STEP: i64 = 500;

/// What people set up, as of one version.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// By name, with their secrets.
    pub receivers: BTreeMap<String, (Receiver, Secrets)>,
    router: Router,
    silences: Vec<Silence>,
    mute_timings: BTreeMap<String, MuteTiming>,
    changes: i64,
}

impl Setup {
    async fn load(store: &Store, options: &NotifyOptions, changes: i64) -> Result<Self, StoreError> {
        let receivers = store.managed_with_secrets::<Receiver>().await?.into_iter().map(|(stored, kept)| {
            // The secrets of the configuration are not in the database.
            let own = options.receivers.iter().find(|(own, _)| stored.provisioned && own.name == stored.spec.name);
            let secrets = own.map_or(kept, |(_, secrets)| secrets.clone());
            (stored.spec.name.clone(), (stored.spec, secrets))
        });
        let receivers = receivers.collect();
        let routes = store.managed::<Route>().await?.into_iter().map(|stored| stored.spec).collect();
        let silences = store.managed::<Silence>().await?.into_iter().map(|stored| stored.spec).collect();
        let timings = store.managed::<MuteTiming>().await?.into_iter();
        let mute_timings = timings.map(|stored| (stored.spec.name.clone(), stored.spec)).collect();
        Ok(Self { receivers, router: Router::new(routes), silences, mute_timings, changes })
    }

    /// A route of the configuration may name a receiver that nobody made.
    fn warn_of_dead_ends(&self) {
        for route in self.router.all().filter(|route| !self.receivers.contains_key(&route.receiver)) {
            let (route, receiver) = (&route.name, &route.receiver);
            tracing::warn!(
                route,
                receiver,
                "a route leads to a receiver that does not exist: nobody is told of its alerts"
            );
        }
    }

    fn is_silenced(&self, labels: &Labels, now: Timestamp) -> bool {
        self.silences.iter().any(|silence| silence.covers(labels, now))
    }

    fn is_muted(&self, route: &Route, now: Timestamp) -> bool {
        route.mute_timings.iter().filter_map(|name| self.mute_timings.get(name)).any(|timing| timing.is_muted(now))
    }
}

/// The groups, and how far the transitions were followed.
pub struct Follower {
    rooms: NotifyRooms,
    options: NotifyOptions,
    setup: Setup,
    cursor: i64,
    groups: BTreeMap<String, Group>,
}

impl Follower {
    /// Goes on where the last instance stopped, with the receivers and routes of this one's configuration.
    pub async fn load(rooms: &NotifyRooms, options: &NotifyOptions) -> Result<Self, StoreError> {
        let store = &rooms.store;
        provision(store, options).await?;
        let state = store.notifier_state().await?;
        let mut groups = BTreeMap::new();
        for (key, json) in store.notification_groups().await? {
            match serde_json::from_str(&json) {
                Ok(group) => drop(groups.insert(key, group)),
                // Its alerts are told of as new ones.
                Err(error) => tracing::warn!(key, %error, "a group of alerts cannot be read"),
            }
        }
        let (rooms, options) = (rooms.clone(), options.clone());
        // The first step compares with the set-up, and sorts the alerts anew.
        let setup = Setup { changes: -1, ..Setup::default() };
        Ok(Self { rooms, options, setup, cursor: state.cursor, groups })
    }

    /// What people set up, as of the last step.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Follows what happened since, and puts what is due into the outbox.
    ///
    /// # Errors
    /// When the store does not answer, or another instance took over; what is in mind is as before then.
    pub async fn step(&mut self, lease: &Lease) -> Result<(), StoreError> {
        let done = self.try_step(lease).await;
        if done.is_err() {
            // The alerts may not have been sorted by the present routes yet.
            self.setup.changes = -1;
        }
        done
    }

    async fn try_step(&mut self, lease: &Lease) -> Result<(), StoreError> {
        let store = self.rooms.store.clone();
        let state = store.notifier_state().await?;
        let mut groups = self.groups.clone();
        if state.changes != self.setup.changes {
            self.setup = Setup::load(&store, &self.options, state.changes).await?;
            self.setup.warn_of_dead_ends();
            self.sort_anew(&mut groups).await?;
        }
        // Before the transitions: of an alert that ends in between it is known that somebody looked after it.
        let acknowledged = if groups.is_empty() { BTreeSet::new() } else { store.acknowledged_alerts().await? };
        let transitions = store.transitions_after(self.cursor, STEP).await?;
        for transition in &transitions {
            self.follow(&mut groups, transition);
        }
        let cursor = transitions.last().map_or(self.cursor, |last| last.id);
        let mut commit = Commit { cursor: (cursor != self.cursor).then_some(cursor), ..Commit::default() };
        // More may have happened: what has begun may be over already.
        if transitions.len() < usize::try_from(STEP).unwrap_or(usize::MAX) && !groups.is_empty() {
            commit.deliveries = self.flush(&mut groups, &acknowledged).await?;
        }
        groups.retain(|_, group| !group.members.is_empty());
        for (key, group) in &groups {
            if self.groups.get(key) != Some(group) {
                commit.groups.push((key.clone(), serde_json::to_string(group).unwrap_or_default()));
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
        let (now, fingerprint) = (self.rooms.clock.now(), transition.fingerprint.as_str());
        if transition.fires() {
            for route in self.setup.router.routes_of(&transition.labels) {
                let labels = route.group_of(&transition.labels);
                let group = groups.entry(Group::key(route, &labels)).or_insert_with(|| Group::new(route, labels, now));
                group.fire(fingerprint, Member::of_transition(transition));
            }
        } else if transition.resolves() {
            for group in groups.values_mut() {
                group.resolve(fingerprint, transition.at);
            }
        }
    }

    /// Sorts all alerts that fire by the present routes. What was told by a route is remembered.
    async fn sort_anew(&self, groups: &mut BTreeMap<String, Group>) -> Result<(), StoreError> {
        let now = self.rooms.clock.now();
        let mut told: BTreeMap<(String, String), Option<Told>> = BTreeMap::new();
        for (key, group) in groups.iter_mut() {
            let route = group.route.clone();
            let belongs = |member: &Member| {
                let mut routes = self.setup.router.routes_of(&member.labels).into_iter();
                routes.any(|route| Group::key(route, &route.group_of(&member.labels)) == *key)
            };
            group.members.retain(|fingerprint, member| {
                let stays = belongs(member);
                if !stays {
                    told.insert((route.clone(), fingerprint.clone()), member.told);
                }
                stays
            });
        }
        for instance in self.rooms.store.firing_instances().await? {
            for route in self.setup.router.routes_of(&instance.labels) {
                let labels = route.group_of(&instance.labels);
                let group = groups.entry(Group::key(route, &labels)).or_insert_with(|| Group::new(route, labels, now));
                if !group.members.contains_key(&instance.fingerprint) {
                    let before = told.get(&(route.name.clone(), instance.fingerprint.clone())).copied().flatten();
                    let member = Member { told: before, ..Member::of_instance(&instance) };
                    if before.is_some() {
                        group.told_at.get_or_insert(now);
                    }
                    group.fire(&instance.fingerprint, member);
                }
            }
        }
        Ok(())
    }

    /// Messages about what is due. A group with a message under way waits for it.
    async fn flush(
        &self,
        groups: &mut BTreeMap<String, Group>,
        acknowledged: &BTreeSet<i64>,
    ) -> Result<Vec<NewDelivery>, StoreError> {
        let now = self.rooms.clock.now();
        let under_way = self.rooms.store.groups_under_way().await?;
        let mut deliveries = Vec::new();
        for (key, group) in groups.iter_mut().filter(|(key, _)| !under_way.contains(*key)) {
            let Some(route) = self.setup.router.get(&group.route) else { continue };
            // A receiver of the configuration may be gone while routes still name it.
            let Some((receiver, _)) = self.setup.receivers.get(&route.receiver) else { continue };
            let moment = Moment {
                now,
                route,
                muted: self.setup.is_muted(route, now),
                silenced: &|labels| self.setup.is_silenced(labels, now),
                acknowledged,
                send_resolved: receiver.send_resolved,
                external_url: &self.options.external_url,
            };
            if let Some(news) = group.flush(&moment) {
                let reason = news.reason;
                let message = message::of_group(key, group, news, receiver, &self.options.external_url);
                deliveries.push(NewDelivery { receiver: receiver.name.clone(), reason, message });
            }
        }
        Ok(deliveries)
    }
}

/// Brings receivers, mute timings and routes of the configuration into the database.
async fn provision(store: &Store, options: &NotifyOptions) -> Result<(), StoreError> {
    let receivers: Vec<Receiver> = options.receivers.iter().map(|(receiver, _)| receiver.clone()).collect();
    let taken = [
        ("receiver", store.provision_managed(&receivers).await?),
        ("mute timing", store.provision_managed(&options.mute_timings).await?),
        ("route", store.provision_managed(&options.routes).await?),
    ];
    for (kind, names) in taken {
        for name in names {
            tracing::warn!(
                kind,
                name,
                "the configuration names one that people made with the API already: theirs stays"
            );
        }
    }
    Ok(())
}
