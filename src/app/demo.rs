//! The demonstration: fills an empty database with generated posts of the past week, and removes them on request.
//!
//! The posts pass through the stream and the model like any other post. A database row records the progress, so that
//! the work continues after a restart and any instance can request the removal. One instance, the holder of the lease,
//! does the work.

mod content;

use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::{Config, Demo, SourceConfig};
use crate::domain::{Op, Post, Timestamp};
use crate::lease::LeaseManager;
use crate::lifecycle::{BackendWait, Shutdown};
use crate::sources::SourceState;
use crate::sources::states::SourceActivity;
use crate::sources::synthetic::past::Past;
use crate::store::demonstration::{DemoState, Demonstration};
use crate::store::feeds::{FeedRow, Paused};
use crate::store::{Store, StoreError};
use crate::stream::{Stream, StreamError};
use crate::topics::Topics;

use super::Services;

const LEASE: &str = "demo";
const LEASE_TTL: Duration = Duration::from_secs(30);
/// The interval between two reads of the demonstration's row.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// The number of posts per append.
const BATCH: usize = 250;
/// Appends wait while more entries than this are pending, so that new posts of other sources are analysed soon.
const MAX_PENDING: u64 = 1_500;
/// The interval between two reads of the stream's depth.
const DEPTH_INTERVAL: Duration = Duration::from_millis(50);
/// A source that has not reported its state for this long counts as stopped.
const SILENCE: Duration = Duration::from_secs(30);

/// Creates and removes the demonstration.
pub struct DemoTask {
    store: Store,
    stream: Stream,
    topics: Topics,
    clock: Clock,
    leases: LeaseManager,
    /// Whether to create a demonstration in an empty database.
    is_wanted: bool,
    /// The approximate number of posts.
    posts: u32,
    /// The configured sources of kind `synthetic`.
    sources: Vec<String>,
    /// Whether the task has decided whether to create the demonstration.
    has_decided: watch::Sender<bool>,
    shutdown: Shutdown,
}

#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl DemoError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Stream(error) => error.is_transient(),
        }
    }
}

impl DemoTask {
    /// The task of a process with the ingester role.
    pub fn new(config: &Config, services: &Services, shutdown: Shutdown) -> Self {
        let is_synthetic = |name: &&String| matches!(config.sources.get(*name), Some(SourceConfig::Synthetic(_)));
        Self {
            store: services.store.clone(),
            stream: services.stream.clone(),
            topics: services.topics.clone(),
            clock: services.clock.clone(),
            leases: LeaseManager::new(services.store.clone(), super::options::ingester(config).holder, LEASE_TTL),
            is_wanted: config.ingester.demo == Demo::On,
            posts: config.ingester.demo_posts,
            sources: config.ingester.sources.iter().filter(is_synthetic).cloned().collect(),
            has_decided: watch::Sender::new(config.ingester.demo != Demo::On),
            shutdown,
        }
    }

    /// Becomes `true` when the task has decided whether to create a demonstration. The sources start afterwards,
    /// because the database must be empty until then.
    pub fn decision(&self) -> watch::Receiver<bool> {
        self.has_decided.subscribe()
    }

    /// Runs until a shutdown.
    ///
    /// # Errors
    /// When the database or the stream fails permanently.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut wait = BackendWait::new("demonstration");
        while !self.shutdown.is_stopping() {
            match self.round().await {
                Ok(()) => {
                    wait.succeeded();
                    self.shutdown.sleep(POLL_INTERVAL).await;
                }
                Err(error) if error.is_transient() => wait.wait(&error, &self.shutdown).await,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Does the work that the state of the demonstration requires.
    async fn round(&mut self) -> Result<(), DemoError> {
        let mut demo = self.store.demonstration().await?;
        let has_work =
            demo.as_ref().map_or(self.is_wanted, |demo| matches!(demo.state, DemoState::Filling | DemoState::Removing));
        let holds_lease = has_work && self.holds_lease().await?;
        if demo.is_none() && holds_lease {
            demo = self.begin().await?;
        }
        self.has_decided.send_replace(true);
        match demo.filter(|_| holds_lease) {
            Some(demo) if demo.state == DemoState::Filling => self.fill(demo).await,
            Some(demo) => self.remove(demo).await,
            None => Ok(()),
        }
    }

    async fn holds_lease(&self) -> Result<bool, DemoError> {
        Ok(self.leases.acquire(LEASE).await?.is_some())
    }

    /// Stores a new demonstration; `None` if the database is not empty.
    async fn begin(&mut self) -> Result<Option<Demonstration>, DemoError> {
        let demo = Demonstration {
            run: uuid::Uuid::new_v4().simple().to_string(),
            began_at: self.clock.now(),
            state: DemoState::Filling,
            planned: 0,
            appended: 0,
            topics: Vec::new(),
            rules: Vec::new(),
        };
        let begun = self.store.begin_demonstration(&demo).await?;
        // There is only one attempt, because a database that is not empty now does not become empty later.
        self.is_wanted = false;
        Ok(begun.then_some(demo))
    }

    /// Appends the remaining posts, newest first, and waits until they are analysed.
    async fn fill(&self, mut demo: Demonstration) -> Result<(), DemoError> {
        let (run, end, posts) = (demo.run.clone(), demo.began_at, self.posts);
        // Generating the posts takes seconds in a debug build, so it must not block the runtime.
        let Ok(past) = tokio::task::spawn_blocking(move || Past::new(&run, end, posts)).await else { return Ok(()) };
        demo.planned = past.posts.len() as i64;
        if demo.rules.is_empty() {
            self.create_topics_and_rules(&mut demo, &past).await?;
        }
        tracing::info!(posts = demo.planned, appended = demo.appended, "demonstration started to append posts");
        let done = usize::try_from(demo.appended).unwrap_or(usize::MAX).min(past.posts.len());
        let left: Vec<Post> = past.posts.into_iter().rev().skip(done).collect();
        for batch in left.chunks(BATCH) {
            let may_continue = self.drained_to(MAX_PENDING).await? && self.holds_lease().await?;
            if !may_continue {
                return Ok(());
            }
            self.stream.append(batch.iter().map(|post| Op::Post(post.clone()).to_fields()).collect()).await?;
            demo.appended += batch.len() as i64;
            if !self.store.advance_demonstration(&demo, DemoState::Filling).await? {
                return Ok(());
            }
        }
        let appended_at = self.clock.now();
        if self.settled(appended_at).await? {
            let evaluating = Demonstration { state: DemoState::Evaluating, ..demo };
            self.store.advance_demonstration(&evaluating, DemoState::Filling).await?;
        }
        Ok(())
    }

    /// Creates the topics and the rules.
    async fn create_topics_and_rules(&self, demo: &mut Demonstration, past: &Past) -> Result<(), DemoError> {
        for topic in content::topics(past) {
            let name = topic.name.clone();
            let made = match self.store.create_topic(topic).await? {
                Some(made) => Some(made),
                // An interrupted attempt has already created the topic.
                None => self.store.topic(&name).await?,
            };
            demo.topics.extend(made.map(|topic| topic.id.0));
        }
        self.topics.refresh().await?;
        let known = self.store.alert_rules().await?.rules;
        for rule in content::rules(past) {
            let made = self.store.create_alert_rule(&rule, content::ACTOR).await?.ok().map(|made| made.id);
            let before = known.iter().find(|known| known.spec.name == rule.name && !known.provisioned);
            demo.rules.extend(made.or(before.map(|known| known.id)));
        }
        self.store.advance_demonstration(demo, DemoState::Filling).await?;
        Ok(())
    }

    /// Waits until at most `limit` entries are pending; `false` when a shutdown or the loss of the lease comes first.
    async fn drained_to(&self, limit: u64) -> Result<bool, DemoError> {
        while self.stream.depth().await?.pending() > limit {
            if !self.shutdown.sleep(DEPTH_INTERVAL).await || !self.holds_lease().await? {
                return Ok(false);
            }
        }
        Ok(!self.shutdown.is_stopping())
    }

    /// Waits until no entry from before `at` is pending; `false` when a shutdown or the loss of the lease comes first.
    async fn settled(&self, at: Timestamp) -> Result<bool, DemoError> {
        while self.stream.depth().await?.oldest_unsettled.is_some_and(|oldest| oldest <= at) {
            if !self.shutdown.sleep(DEPTH_INTERVAL).await || !self.holds_lease().await? {
                return Ok(false);
            }
        }
        Ok(!self.shutdown.is_stopping())
    }

    /// Removes the demonstration: pauses its sources, then removes rules, alerts, topics and posts.
    async fn remove(&self, demo: Demonstration) -> Result<(), DemoError> {
        while !self.pause().await? {
            if !self.shutdown.sleep(DEPTH_INTERVAL * 4).await || !self.holds_lease().await? {
                return Ok(());
            }
        }
        if !self.settled(self.clock.now()).await? {
            return Ok(());
        }
        self.store.remove_demonstration_alerts(&demo.rules).await?;
        self.store.remove_demonstration_topics(&demo.topics).await?;
        self.topics.refresh().await?;
        let (mut after, mut posts) = (Some(0), 0);
        while let Some(row) = after {
            let step = self.store.remove_made_up_posts(row).await?;
            (after, posts) = (step.next, posts + step.count);
            if self.shutdown.is_stopping() || !self.holds_lease().await? {
                return Ok(());
            }
        }
        while self.store.remove_empty_counts().await? > 0 {}
        // An evaluation of rules that ran during the first removal may have raised alerts again, so alerts are removed
        // twice.
        self.store.remove_demonstration_alerts(&demo.rules).await?;
        let removed = Demonstration { state: DemoState::Removed, topics: Vec::new(), rules: Vec::new(), ..demo };
        self.store.advance_demonstration(&removed, DemoState::Removing).await?;
        tracing::info!(posts, "demonstration removed");
        Ok(())
    }

    /// Pauses the synthetic sources. Returns `true` when no instance reads them.
    async fn pause(&self) -> Result<bool, DemoError> {
        for name in &self.sources {
            self.store.set_feed_paused(name, Paused::Yes).await?;
        }
        let now = self.clock.now();
        let rows = self.store.feeds(now - SILENCE).await?;
        let has_stopped = |row: &FeedRow| {
            let state: SourceState = serde_json::from_str(&row.report).unwrap_or_default();
            let inactive = [SourceActivity::Paused, SourceActivity::Failed, SourceActivity::Finished];
            inactive.contains(&state.state) || now.since(row.reported_at) >= SILENCE
        };
        // A source without a row may be running without having reported yet, so it does not count as stopped.
        let stopped = |name: &String| rows.iter().any(|row| row.name == *name && has_stopped(row));
        Ok(self.sources.iter().all(stopped))
    }
}
