//! Alerts during the faults: rules that fire and resolve often, and a receiver of notifications. At the end, the
//! transitions of the alerts and the notifications are checked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::Setup;
use super::feed::{BURST, Sent};
use crate::api::notify::fakes::Hook;
use crate::process::{Process, within};

/// The time after which negative posts are sent again if no alert has fired.
const BURST_INTERVAL: Duration = Duration::from_secs(30);

/// A row of `alert_transitions`.
#[derive(Clone, Debug, Deserialize)]
pub struct Change {
    rule: i64,
    scope: String,
    fingerprint: String,
    alert: Option<i64>,
    from: String,
    to: String,
    /// Microseconds since 1970.
    at: i64,
}

/// A query for the transitions as a JSON array, in the order of their ids.
pub const ON_POSTGRES: &str = "SELECT coalesce(json_agg(json_build_object('rule', rule_id, 'scope', scope, \
     'fingerprint', fingerprint, 'alert', alert_id, 'from', from_state, 'to', to_state, \
     'at', CAST(extract(epoch FROM at) * 1000000 AS bigint)) ORDER BY id), '[]')::text FROM alert_transitions";
pub const ON_SQLITE: &str = "(SELECT json_group_array(json_object('rule', rule_id, 'scope', scope, \
     'fingerprint', fingerprint, 'alert', alert_id, 'from', from_state, 'to', to_state, 'at', at)) \
     FROM (SELECT * FROM alert_transitions ORDER BY id))";

impl Change {
    pub fn all(json: &str) -> Vec<Self> {
        serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"))
    }

    fn fires(&self) -> bool {
        !is_alerting(&self.from) && is_alerting(&self.to)
    }

    fn resolves(&self) -> bool {
        is_alerting(&self.from) && !is_alerting(&self.to)
    }
}

fn is_alerting(state: &str) -> bool {
    state == "firing" || state == "recovering"
}

/// Whether the state machine of alerts contains this transition.
fn is_allowed(from: &str, to: &str) -> bool {
    match from {
        "normal" | "no_data" | "error" => ["normal", "no_data", "error", "pending", "firing"].contains(&to),
        "pending" => ["normal", "no_data", "error", "firing"].contains(&to),
        "firing" => ["normal", "no_data", "recovering"].contains(&to),
        "recovering" => ["normal", "no_data", "firing"].contains(&to),
        _ => false,
    }
}

/// How many transitions, alerts and notifications were checked.
#[derive(Debug)]
pub struct Seen {
    pub transitions: usize,
    pub alerts: usize,
    pub notifications: usize,
}

/// The rules of a run, and the receiver of their alerts.
pub struct Alerts {
    hook: Hook,
    rules: BTreeSet<i64>,
}

impl Alerts {
    /// Creates the rules, the receiver and the route through the API.
    pub async fn start(front: &Process) -> Self {
        front.ready().await;
        let hook = Hook::start().await;
        let channel = json!({"kind": "webhook", "url": hook.url()});
        add(front, "receivers", &json!({"name": "chaos", "channel": channel})).await;
        let route = json!({
            "name": "chaos", "receiver": "chaos", "group_by": ["alertname", "source"], "group_wait": "0s",
            "group_interval": "1s", "matchers": [{"label": "alertname", "op": "=~", "value": "burst|mood"}],
        });
        add(front, "routes", &route).await;
        // The first rule needs one evaluation to fire or to resolve. The second rule passes through every state.
        let common = json!({"group_by": "source", "window": "1min", "interval": "0s", "delay": "0s", "min_posts": 1});
        let own = [
            json!({"name": "burst", "kind": "volume", "of": "sentiment:negative", "threshold": 3}),
            json!({"name": "mood", "kind": "share", "threshold": 0.2, "for": "2s", "keep_firing_for": "3s"}),
        ];
        let mut rules = BTreeSet::new();
        for mut rule in own {
            rule.as_object_mut().expect("a rule").extend(common.as_object().expect("a rule").clone());
            rules.insert(add(front, "rules", &rule).await);
        }
        Self { hook, rules }
    }

    /// Waits until no alert of the rules is open, because their windows no longer contain posts.
    pub async fn resolve_themselves(&self, setup: &impl Setup) {
        within("all alerts resolve themselves", async || {
            self.open(&setup.transitions().await).is_empty().then_some(())
        })
        .await;
    }

    /// Sends negative posts until an alert of their source is open and its notification was received.
    pub async fn fires(&self, setup: &impl Setup, sent: &mut Sent) {
        let scope = format!("source:{BURST}");
        let mut last_burst = None::<Instant>;
        let fired = async || {
            // On a busy machine, the window may end before the posts are stored.
            if last_burst.is_none_or(|at| at.elapsed() > BURST_INTERVAL) {
                sent.send_burst(setup.front()).await;
                last_burst = Some(Instant::now());
            }
            let changes = setup.transitions().await;
            let open = self.open(&changes).into_iter().find(|series| series.scope == scope)?;
            Some(open.fingerprint.clone())
        };
        let fingerprint = within("an alert fires", fired).await;
        let is_notified = async || {
            let statuses = self.notified().remove(&fingerprint)?;
            statuses.last().is_some_and(|last| last == "firing").then_some(())
        };
        within("the receiver is notified", is_notified).await;
    }

    /// Deletes the rules, which resolves their alerts, and checks all transitions and notifications.
    pub async fn finish(self, setup: &impl Setup) -> Seen {
        let front = setup.front();
        for rule in &self.rules {
            let request = crate::web::client().delete(format!("{}/api/alerts/rules/{rule}", front.url));
            let answer = request.header("if-match", "\"1\"").send().await.expect("the API answers");
            assert_eq!(answer.status(), 204, "{}", answer.text().await.unwrap_or_default());
        }
        let none_open = async || {
            let changes = setup.transitions().await;
            let is_over = self.open(&changes).is_empty();
            is_over.then_some(changes)
        };
        let changes = within("the alerts of deleted rules are resolved", none_open).await;
        let alerts = follow(&changes, setup.clock_jumps());
        let notified = async || {
            let notified = self.notified();
            notified.values().all(|statuses| statuses.last().is_some_and(|last| last == "resolved")).then_some(notified)
        };
        let notified = within("the last notification of each alert says that it is resolved", notified).await;
        let notifications = notified.values().map(Vec::len).sum();
        compare(&notified, &changes);
        assert!(alerts > 0 && notifications > 0, "{alerts} alerts, {notifications} notifications");
        Seen { transitions: changes.len(), alerts, notifications }
    }

    /// The last transition of each series with an open alert.
    fn open<'a>(&self, changes: &'a [Change]) -> Vec<&'a Change> {
        let own = changes.iter().filter(|change| self.rules.contains(&change.rule));
        let last: BTreeMap<_, _> = own.map(|change| ((change.rule, &change.scope), change)).collect();
        last.into_values().filter(|change| is_alerting(&change.to)).collect()
    }

    /// The statuses (`firing` or `resolved`) in the received notifications, by the fingerprint of the series, in the
    /// order in which the notifications were created. A repeated delivery counts once.
    fn notified(&self) -> BTreeMap<String, Vec<String>> {
        let requests = self.hook.requests();
        let sent: BTreeMap<i64, Value> = requests
            .iter()
            .map(|request| (request.header("x-sentistream-delivery").parse().expect("an id"), request.json()))
            .collect();
        let mut notified = BTreeMap::<String, Vec<String>>::new();
        for alert in sent.values().flat_map(|message| message["alerts"].as_array().expect("alerts")) {
            let text = |field: &str| alert[field].as_str().expect("a text").to_owned();
            notified.entry(text("fingerprint")).or_default().push(text("status"));
        }
        notified
    }
}

/// Checks the transitions of each series, and returns the number of alerts. Each transition starts in the state in
/// which the previous transition ended, and the state machine allows it. Each alert opens once and resolves once. A
/// transition has an earlier time than the previous transition only if a fault changed a clock.
fn follow(changes: &[Change], clock_jumps: usize) -> usize {
    let mut series: BTreeMap<(i64, &str), &Change> = BTreeMap::new();
    let (mut opened, mut resolved) = (BTreeSet::new(), BTreeSet::new());
    let mut decreases = BTreeMap::<(i64, &str), usize>::new();
    for change in changes {
        let key = (change.rule, change.scope.as_str());
        let before = series.insert(key, change);
        let state = before.map_or("normal", |before| before.to.as_str());
        assert_eq!(change.from, state, "a transition is missing or repeated: {before:?}, then {change:?}");
        assert!(
            change.from != change.to && is_allowed(&change.from, &change.to),
            "the state machine does not allow this transition: {change:?}"
        );
        if before.is_some_and(|before| change.at < before.at) {
            *decreases.entry(key).or_default() += 1;
        }
        if change.fires() {
            assert!(opened.insert(change.alert.expect("an alert")), "the alert opens again: {change:?}");
        } else if change.resolves() {
            let before = before.and_then(|before| before.alert);
            assert_eq!(change.alert, before, "the resolved alert is not the open alert: {change:?}");
            assert!(resolved.insert(change.alert), "the alert resolves again: {change:?}");
        }
    }
    let most = decreases.values().max().copied().unwrap_or_default();
    assert!(
        most <= clock_jumps,
        "{most} transitions are earlier than their predecessors, but only {clock_jumps} faults changed a clock"
    );
    opened.len()
}

/// Checks that the notifications about a series are `firing` and `resolved` in turn, and at most two per alert.
fn compare(notified: &BTreeMap<String, Vec<String>>, changes: &[Change]) {
    for (fingerprint, statuses) in notified {
        for (index, status) in statuses.iter().enumerate() {
            let expected = if index % 2 == 0 { "firing" } else { "resolved" };
            assert_eq!(status, expected, "notification {index} about {fingerprint}: {statuses:?}");
        }
        let fired = changes.iter().filter(|change| change.fingerprint == *fingerprint && change.fires()).count();
        assert!(statuses.len() <= 2 * fired, "{} notifications, {fired} alerts of {fingerprint}", statuses.len());
    }
}

/// Adds an object through the API, and returns its id.
async fn add(front: &Process, kind: &str, body: &Value) -> i64 {
    let request = crate::web::client().post(format!("{}/api/alerts/{kind}", front.url)).json(body);
    let answer = request.send().await.expect("the API answers");
    let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
    assert_eq!(status, 201, "{kind}: {text}");
    let added: Value = serde_json::from_str(&text).expect("JSON");
    added["id"].as_i64().expect("an id")
}
