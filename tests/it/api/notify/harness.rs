//! The API with a running notifier. The test itself fires and resolves alerts.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::Method;
use sentistream::alerts::{AlertsOptions, AlertsServices, Memory, tick};
use sentistream::domain::TimeRange;
use sentistream::domain::alert::{Instance, InstanceState, Labels, Severity, fingerprint};
use sentistream::lifecycle::Shutdown;
use sentistream::notify::retry::RetryOptions;
use sentistream::notify::{self, NotifyOptions, NotifyServices};
use sentistream::outbound::{Outbound, OutboundOptions};
use sentistream::store::Lease;
use sentistream::store::alerts::{AlertUpdate, NewAlert, Step};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::super::test_app::{Answer, Setup, TestApp};
use super::fakes::{Hook, Request};

/// The time to live of a notifier's lease.
pub const LEASE: Duration = Duration::from_secs(600);

/// A running notifier.
struct Running {
    holder: String,
    task: JoinHandle<anyhow::Result<()>>,
}

pub struct Harness {
    pub app: TestApp,
    pub hook: Hook,
    pub options: NotifyOptions,
    /// The timeout of outgoing requests. A change applies to notifiers that are started later.
    pub timeout: Duration,
    running: Mutex<Option<Running>>,
    alerts: Mutex<BTreeMap<(String, String), i64>>,
    /// The details of alerts. A change applies to alerts that fire later.
    details: Mutex<Value>,
    /// Additional labels of alerts. A change applies to alerts that fire or resolve later.
    labels: Mutex<Labels>,
}

impl Harness {
    /// Starts a harness with a webhook, but without receivers and routes.
    pub async fn start(setup: Setup) -> Self {
        Self::with(setup, |_| {}).await
    }

    pub async fn with(setup: Setup, change: impl FnOnce(&mut NotifyOptions)) -> Self {
        let mut options = NotifyOptions {
            interval: Duration::from_millis(20),
            holder: "first".to_owned(),
            lease_ttl: LEASE,
            external_url: "https://senti.example.org".to_owned(),
            receivers: Vec::new(),
            routes: Vec::new(),
            mute_timings: Vec::new(),
            inhibit_rules: Vec::new(),
            smtp: None,
            allow_commands: false,
            retry: RetryOptions::default(),
        };
        change(&mut options);
        let (app, hook) = (TestApp::start(setup).await, Hook::start().await);
        let timeout = Duration::from_secs(60);
        let harness = Self {
            app,
            hook,
            options,
            timeout,
            running: Mutex::default(),
            alerts: Mutex::default(),
            details: Mutex::new(json!({})),
            labels: Mutex::default(),
        };
        harness.notifier("first");
        harness
    }

    /// Changes the options of notifiers that are started from now on.
    pub fn configured(mut self, change: impl FnOnce(&mut NotifyOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// Starts a notifier as the lease holder `holder`.
    pub fn notifier(&self, holder: &str) {
        let outbound = OutboundOptions {
            allow: vec!["127.0.0.0/8".parse().unwrap()],
            timeout: self.timeout,
            ..OutboundOptions::default()
        };
        let services = NotifyServices {
            store: self.app.services.store.clone(),
            outbound: Outbound::new(outbound).unwrap(),
            clock: self.app.clock.clone(),
        };
        let options = NotifyOptions { holder: holder.to_owned(), ..self.options.clone() };
        let task = tokio::spawn(notify::run(services, options, Shutdown::default()));
        *self.running.lock().unwrap() = Some(Running { holder: holder.to_owned(), task });
    }

    /// Adds labels to alerts that are fired or resolved from now on.
    pub fn label(&self, labels: &Labels) {
        self.labels.lock().unwrap().extend(labels.clone());
    }

    /// Aborts the notifier without releasing its lease, which then expires.
    pub async fn crash(&self) {
        let Running { holder, task } = self.running.lock().unwrap().take().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled(), "the notifier is running");
        // The database measures the lease with its own clock, so the test's clock cannot make it expire.
        self.app.services.store.acquire_lease("notifications", &holder, Duration::ZERO).await.unwrap();
    }

    pub fn advance(&self, time: Duration) {
        self.app.clock.set(self.app.clock.now() + time);
    }

    /// Adds an object through the API and returns its id.
    pub async fn add(&self, path: &str, body: &Value) -> i64 {
        let answer = self.app.post(&format!("/api/alerts/{path}"), body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(answer.header("etag"), "\"1\"");
        answer.json()["id"].as_i64().unwrap()
    }

    pub async fn put(&self, path: &str, tag: &str, body: &Value) -> Answer {
        let request = self.app.request(Method::PUT, &format!("/api/alerts/{path}")).header("if-match", tag).json(body);
        self.app.send(request).await
    }

    pub async fn remove(&self, path: &str, tag: &str) -> Answer {
        let request = self.app.request(Method::DELETE, &format!("/api/alerts/{path}")).header("if-match", tag);
        self.app.send(request).await
    }

    /// Adds a webhook receiver, and a route to it.
    pub async fn route(&self, name: &str, matchers: Value) {
        let channel = json!({"kind": "webhook", "url": self.hook.url()});
        self.add("receivers", &json!({"name": name, "channel": channel})).await;
        self.add("routes", &json!({"name": name, "receiver": name, "matchers": matchers})).await;
    }

    /// Sets the details of alerts that are fired from now on.
    pub fn set_details(&self, details: Value) {
        *self.details.lock().unwrap() = details;
    }

    /// Fires an alert and returns its id.
    pub async fn fire(&self, name: &str, source: &str) -> i64 {
        self.turn((name, source), InstanceState::Firing).await
    }

    /// Resolves an alert.
    pub async fn resolve(&self, name: &str, source: &str) {
        self.turn((name, source), InstanceState::Normal).await;
    }

    async fn turn(&self, (name, source): (&str, &str), to: InstanceState) -> i64 {
        let pairs = [("alertname", name), ("severity", "warning"), ("source", source)];
        let mut labels = self.labels.lock().unwrap().clone();
        labels.extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (now, store) = (self.app.clock.now(), &self.app.services.store);
        let key = (name.to_owned(), source.to_owned());
        let summary = format!("The mood of <{source}> turned & \"fell\"");
        let instance = Instance {
            rule_id: 1,
            scope: format!("{name}:{source}"),
            fingerprint: fingerprint(&labels),
            state: to,
            since: now,
            began: None,
            evaluated_at: now,
            alert_id: self.alerts.lock().unwrap().get(&key).copied(),
            value: Some(0.7),
            threshold: 0.5,
            severity: Severity::Warning,
            labels,
            annotations: [("summary".to_owned(), summary)].into(),
            reason: None,
        };
        let fires = to == InstanceState::Firing;
        let new = NewAlert {
            alert_type: name.to_owned(),
            actual_value: 0.7,
            window_start: now,
            window_end: now,
            post_count: 10,
            details: self.details.lock().unwrap().clone(),
        };
        let from = if fires { InstanceState::Normal } else { InstanceState::Firing };
        let step = Step { from, instance, at: now, opens: fires.then_some(new) };
        let applied = store.apply_alert_steps(&self.engine_lease().await, &[step], &[]).await.unwrap();
        let id = applied[0].transition.alert_id.unwrap();
        self.alerts.lock().unwrap().insert(key, id);
        self.followed().await;
        id
    }

    /// Updates the value and the summary of the open alert `id`, as an evaluation does while the alert fires.
    pub async fn update(&self, id: i64, value: f64, summary: &str) {
        let (now, store) = (self.app.clock.now(), &self.app.services.store);
        let details = json!({"value": value, "peak": value, "counts": {"total": 40, "negative": 36}});
        let update = AlertUpdate {
            id,
            threshold_value: 0.5,
            actual_value: value,
            window: TimeRange::last(Duration::from_secs(300), now),
            post_count: 40,
            annotations: [("summary".to_owned(), summary.to_owned())].into(),
            details: details.as_object().unwrap().clone(),
        };
        let updated = store.update_alerts(&self.engine_lease().await, &[update]).await.unwrap();
        assert_eq!(updated.iter().map(|alert| alert.id).collect::<Vec<_>>(), [id]);
    }

    /// Runs one evaluation of all rules, and of the alerts about failed components.
    pub async fn evaluate(&self) {
        let services = AlertsServices {
            store: self.app.services.store.clone(),
            stream: self.app.services.stream.clone(),
            live: self.app.services.live.clone(),
            clock: self.app.clock.clone(),
        };
        let options = AlertsOptions {
            interval: Duration::from_secs(15),
            max_lateness: Duration::from_secs(600),
            rules: Vec::new().into(),
            holder: "engine".to_owned(),
            lease_ttl: LEASE,
        };
        tick(&services, &options, &self.engine_lease().await, &mut Memory::default()).await.unwrap();
        self.followed().await;
    }

    async fn engine_lease(&self) -> Lease {
        let store = &self.app.services.store;
        store.acquire_lease("alerts", "engine", Duration::from_secs(864_000)).await.unwrap().unwrap()
    }

    /// Waits until the notifier has processed every transition, if it runs.
    pub async fn followed(&self) {
        let store = &self.app.services.store;
        let last = store.last_transition().await.unwrap();
        if self.running.lock().unwrap().is_some() {
            let seen = async || (store.notifier_state().await.unwrap().cursor >= last).then_some(());
            self.app.eventually("the transitions are processed", seen).await;
        }
    }

    /// Waits until the webhook has received `count` requests, and returns them. More requests are an error.
    pub async fn requests(&self, count: usize) -> Vec<Request> {
        let enough = async || Some(self.hook.requests()).filter(|requests| requests.len() >= count);
        let requests = self.app.eventually(&format!("{count} requests arrive"), enough).await;
        let said: Vec<_> = requests.iter().map(|request| request.head.lines().next().unwrap_or_default()).collect();
        assert_eq!(requests.len(), count, "{said:?}");
        requests
    }

    /// Waits until the webhook has received `count` messages, and returns the newest.
    pub async fn message(&self, count: usize) -> Value {
        self.requests(count).await[count - 1].json()
    }

    /// Waits until `done` is true for the newest delivery, and returns the delivery with its attempts.
    pub async fn delivery(&self, what: &str, done: impl Fn(&Value) -> bool) -> Value {
        let newest = async || {
            let page = self.app.get("/api/alerts/deliveries?limit=1").await.ok();
            let id = page["deliveries"][0]["id"].as_i64()?;
            let delivery = self.app.get(&format!("/api/alerts/deliveries/{id}")).await.ok();
            done(&delivery).then_some(delivery)
        };
        self.app.eventually(what, newest).await
    }

    /// Waits until every delivery has a recorded outcome.
    pub async fn settled(&self) {
        let none = async || {
            let page = self.app.get("/api/alerts/deliveries?state=pending").await.ok();
            page["deliveries"].as_array().unwrap().is_empty().then_some(())
        };
        self.app.eventually("deliveries are settled", none).await;
    }
}
