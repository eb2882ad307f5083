//! The demonstration: fills an empty database with a made-up past, and removes it again.
//!
//! Its posts take the way of all posts: through the stream and the model. The row of the demonstration says how far it is,
//! so that a restart continues it, and any instance may ask for its removal. One instance works on it.

mod content;

use std::time::Duration;

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

use super::Rooms;

const LEASE: &str = "demo";
const LEASE_TTL: Duration = Duration::from_secs(30);
/// Between two looks at the row.
const LOOK: Duration = Duration::from_secs(2);
/// Posts per append.
const BATCH: usize = 250;
/// Appends wait while more entries than this are pending, so that new posts do not wait long.
const MOST_PENDING: u64 = 1_500;
/// Between two looks at the stream.
const WAIT: Duration = Duration::from_millis(50);
/// A feed without a report for this long does not run any more.
const SILENCE: Duration = Duration::from_secs(30);

/// Works on the demonstration of a database.
pub struct DemoTask {
    store: Store,
    stream: Stream,
    topics: Topics,
    clock: Clock,
    leases: LeaseManager,
    /// Whether an empty database gets one.
    wanted: bool,
    /// About how many posts it gets.
    posts: u32,
    /// The sources of made-up posts.
    sources: Vec<String>,
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
    pub fn new(config: &Config, rooms: &Rooms, shutdown: Shutdown) -> Self {
        let is_synthetic = |name: &&String| matches!(config.sources.get(*name), Some(SourceConfig::Synthetic(_)));
        Self {
            store: rooms.store.clone(),
            stream: rooms.stream.clone(),
            topics: rooms.topics.clone(),
            clock: rooms.clock.clone(),
            leases: LeaseManager::new(rooms.store.clone(), super::options::ingester(config).holder, LEASE_TTL),
            wanted: config.ingester.demo == Demo::On,
            posts: config.ingester.demo_posts,
            sources: config.ingester.sources.iter().filter(is_synthetic).cloned().collect(),
            shutdown,
        }
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
                    self.shutdown.sleep(LOOK).await;
                }
                Err(error) if error.is_transient() => wait.wait(&error, &self.shutdown).await,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Does what the row asks for.
    async fn round(&mut self) -> Result<(), DemoError> {
        let demo = self.store.demonstration().await?;
        if demo.is_none() && !self.wanted {
            return Ok(());
        }
        let state = demo.as_ref().map_or(DemoState::Filling, |demo| demo.state);
        if !matches!(state, DemoState::Filling | DemoState::Removing) || !self.leads().await? {
            return Ok(());
        }
        match demo {
            None => self.begin().await,
            Some(demo) if demo.state == DemoState::Filling => self.fill(demo).await,
            Some(demo) => self.remove(demo).await,
        }
    }

    async fn leads(&self) -> Result<bool, DemoError> {
        Ok(self.leases.acquire(LEASE).await?.is_some())
    }

    async fn begin(&mut self) -> Result<(), DemoError> {
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
        // Only the database of the first start is empty.
        self.wanted = false;
        if begun { self.fill(demo).await } else { Ok(()) }
    }

    /// Appends what is left of the past, the newest posts first, and waits until they are analysed.
    async fn fill(&self, mut demo: Demonstration) -> Result<(), DemoError> {
        let (run, end, posts) = (demo.run.clone(), demo.began_at, self.posts);
        // It takes seconds in a debug build.
        let Ok(past) = tokio::task::spawn_blocking(move || Past::new(&run, end, posts)).await else { return Ok(()) };
        demo.planned = past.posts.len() as i64;
        if demo.rules.is_empty() {
            self.furnish(&mut demo, &past).await?;
        }
        tracing::info!(posts = demo.planned, appended = demo.appended, "demonstration fills the database");
        let done = usize::try_from(demo.appended).unwrap_or(usize::MAX).min(past.posts.len());
        let left: Vec<Post> = past.posts.into_iter().rev().skip(done).collect();
        for batch in left.chunks(BATCH) {
            let goes_on = self.settle(MOST_PENDING).await? && self.leads().await?;
            if !goes_on {
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

    /// Makes the topics and the rules.
    async fn furnish(&self, demo: &mut Demonstration, past: &Past) -> Result<(), DemoError> {
        for topic in content::topics(past) {
            let name = topic.name.clone();
            let made = match self.store.create_topic(topic).await? {
                Some(made) => Some(made),
                // Of an attempt that was interrupted.
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

    /// Waits until at most `most` entries are pending; `false` when a shutdown or a removal comes first.
    async fn settle(&self, most: u64) -> Result<bool, DemoError> {
        while self.stream.depth().await?.pending() > most {
            if !self.shutdown.sleep(WAIT).await || !self.leads().await? {
                return Ok(false);
            }
        }
        Ok(!self.shutdown.is_stopping())
    }

    /// Waits until no entry from before `at` is pending; `false` when a shutdown comes first.
    async fn settled(&self, at: Timestamp) -> Result<bool, DemoError> {
        while self.stream.depth().await?.oldest_unsettled.is_some_and(|oldest| oldest <= at) {
            if !self.shutdown.sleep(WAIT).await || !self.leads().await? {
                return Ok(false);
            }
        }
        Ok(!self.shutdown.is_stopping())
    }

    /// Removes all of it: no more made-up posts, then rules, topics, alerts and posts.
    async fn remove(&self, demo: Demonstration) -> Result<(), DemoError> {
        while !self.pause().await? {
            if !self.shutdown.sleep(WAIT * 4).await || !self.leads().await? {
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
            if self.shutdown.is_stopping() || !self.leads().await? {
                return Ok(());
            }
        }
        while self.store.remove_empty_counts().await? > 0 {}
        // The leader of the alerts role may have been in the middle of an evaluation.
        self.store.remove_demonstration_alerts(&demo.rules).await?;
        let removed = Demonstration { state: DemoState::Removed, topics: Vec::new(), rules: Vec::new(), ..demo };
        self.store.advance_demonstration(&removed, DemoState::Removing).await?;
        tracing::info!(posts, "demonstration removed");
        Ok(())
    }

    /// Pauses the sources of made-up posts; whether no instance reads them any more.
    async fn pause(&self) -> Result<bool, DemoError> {
        for name in &self.sources {
            self.store.set_feed_paused(name, Paused::Yes).await?;
        }
        let now = self.clock.now();
        let rows = self.store.feeds(now - SILENCE).await?;
        let is_still = |row: &FeedRow| {
            let state: SourceState = serde_json::from_str(&row.report).unwrap_or_default();
            let rests = [SourceActivity::Paused, SourceActivity::Failed, SourceActivity::Finished];
            rests.contains(&state.state) || now.since(row.reported_at) >= SILENCE
        };
        // A source without a row has not reported yet.
        let stopped = |name: &String| rows.iter().any(|row| row.name == *name && is_still(row));
        Ok(self.sources.iter().all(stopped))
    }
}
