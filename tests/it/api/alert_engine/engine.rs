//! Evaluates rules with a clock that the test sets.

use std::time::Duration;

use sentistream::alerts::{AlertsOptions, AlertsServices, LEASE, Memory, tick};
use sentistream::domain::Timestamp;
use sentistream::domain::alert::{InstanceState, Transition};
use serde_json::{Value, json};

use crate::api::test_app::{START, TestApp};

/// The time `seconds` after the start.
pub fn at(seconds: u64) -> Timestamp {
    START.parse::<Timestamp>().expect("a time") + Duration::from_secs(seconds)
}

/// Evaluates rules. Each evaluation is done by a new instance.
pub struct Engine {
    services: AlertsServices,
    instances: u32,
}

impl Engine {
    pub fn new(app: &TestApp) -> Self {
        let services = AlertsServices {
            store: app.services.store.clone(),
            stream: app.services.stream.clone(),
            live: app.services.live.clone(),
            clock: app.clock.clone(),
        };
        Self { services, instances: 0 }
    }

    /// Evaluates the rules once as a new instance, which has only the stored state.
    pub async fn evaluate(&mut self) {
        self.instances += 1;
        let options = AlertsOptions {
            interval: Duration::from_secs(15),
            max_lateness: Duration::from_secs(600),
            rules: Vec::new().into(),
            holder: format!("instance {}", self.instances),
            lease_ttl: Duration::from_secs(30),
        };
        let lease =
            self.services.store.acquire_lease(LEASE, &options.holder, options.lease_ttl).await.expect("the store");
        let lease = lease.expect("no other instance is active");
        tick(&self.services, &options, &lease, &mut Memory::default()).await.expect("an evaluation");
        self.services.store.release_lease(&lease).await.expect("the store");
    }

    /// Evaluates every minute until `end`.
    pub async fn evaluate_until(&mut self, app: &TestApp, end: Timestamp) {
        while app.clock.now() < end {
            app.clock.set((app.clock.now() + Duration::from_secs(60)).min(end));
            self.evaluate().await;
        }
    }

    pub async fn transitions(&self) -> Vec<Transition> {
        self.services.store.transitions_after(0, 1_000).await.expect("the store")
    }
}

/// Creates `count` posts of `source` at the time `at` that contain `word`.
pub fn posts(prefix: &str, (source, word): (&str, &str), count: usize, at: Timestamp) -> Vec<Value> {
    let one = |n| {
        json!({"post_id": format!("{prefix}-{word}-{n}"), "source": source, "author": format!("author {}", n % 7),
               "content": format!("I {word} this number {n}"), "created_at": at})
    };
    (0..count).map(one).collect()
}

/// Creates a rule and returns its id.
pub async fn rule(app: &TestApp, rule: Value) -> i64 {
    let created = app.post("/api/alerts/rules", &rule).await;
    assert_eq!(created.status, 201, "{}", created.text());
    created.json()["id"].as_i64().expect("an id")
}

/// The states that the series reached, in order.
pub fn states(transitions: &[Transition], scope: &str) -> Vec<InstanceState> {
    transitions.iter().filter(|change| change.scope == scope).map(|change| change.to_state).collect()
}
