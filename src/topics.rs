//! Tracked topics: queries that every post is asked on its way into the store.
//!
//! [`Query`] reads a query, [`Matcher`] asks all of them of a post in one pass. [`Topics`] keeps what this process
//! knows of the topics. It may be behind the store for a moment: whoever settles posts says under which version they
//! were matched, and the store refuses any other, so that a post is never kept with the topics of yesterday.

mod matcher;
mod parse;
mod query;
mod text;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::domain::{Subject, Topic, TopicId, TopicName};
use crate::lifecycle::{BackendWait, Shutdown};
use crate::store::{Store, StoreError};

pub use matcher::{Matcher, Scratch, TooManyTerms};
pub use query::{Query, QueryError};

/// How long a change that another process made stays unseen here, at most.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What this process knows of the tracked topics. Clones share it.
#[derive(Clone)]
pub struct Topics {
    store: Store,
    current: Arc<ArcSwap<Tracked>>,
}

/// The topics at one version.
pub struct Tracked {
    version: i64,
    topics: Vec<Topic>,
    by_id: HashMap<TopicId, usize>,
    matcher: Matcher,
}

impl Topics {
    /// Nothing is known yet.
    pub fn new(store: Store) -> Self {
        Self { store, current: Arc::new(ArcSwap::from_pointee(Tracked::nothing())) }
    }

    /// What was known last.
    pub fn current(&self) -> Arc<Tracked> {
        self.current.load_full()
    }

    /// What is known, asking the store if nothing was asked before.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn loaded(&self) -> Result<Arc<Tracked>, StoreError> {
        let current = self.current();
        if current.version == 0 { self.refresh().await } else { Ok(current) }
    }

    /// What the store holds now.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn refresh(&self) -> Result<Arc<Tracked>, StoreError> {
        let version = self.store.topics_version().await?;
        let current = self.current();
        if current.version == version {
            return Ok(current);
        }
        // Read after the version: topics that are newer than it are refused and read again.
        let tracked = Arc::new(Tracked::new(version, self.store.topics().await?));
        self.current.rcu(|current| if current.version > version { current.clone() } else { tracked.clone() });
        Ok(self.current())
    }

    /// Follows changes that other processes make, until a stop is asked for.
    pub async fn follow(self, shutdown: Shutdown) {
        let mut backoff = BackendWait::new("topics");
        loop {
            match self.refresh().await {
                Ok(_) => backoff.succeeded(),
                Err(error) => backoff.wait(&error, &shutdown).await,
            }
            if !shutdown.sleep(LOOK_EVERY).await {
                return;
            }
        }
    }
}

impl Tracked {
    fn nothing() -> Self {
        Self { version: 0, topics: Vec::new(), by_id: HashMap::new(), matcher: Matcher::default() }
    }

    fn new(version: i64, mut topics: Vec<Topic>) -> Self {
        let read = |topic: &Topic| match Query::parse(&topic.query) {
            Ok(query) => Some((topic.id, query)),
            Err(error) => {
                tracing::error!(topic = %topic.name, %error, "the query of a stored topic cannot be read; it matches nothing");
                None
            }
        };
        let queries: Vec<(TopicId, Query)> = topics.iter().filter_map(read).collect();
        let matcher = Matcher::new(queries.iter().map(|(id, query)| (*id, query))).unwrap_or_else(|error| {
            tracing::error!(%error, "no topic is matched");
            Matcher::default()
        });
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        let by_id = topics.iter().enumerate().map(|(index, topic)| (topic.id, index)).collect();
        Self { version, topics, by_id, matcher }
    }

    /// Which version of the topics this is.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// All topics, by name.
    pub fn all(&self) -> &[Topic] {
        &self.topics
    }

    /// The topic of this name.
    pub fn named(&self, name: &TopicName) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.name == *name)
    }

    /// The topic of this id.
    pub fn get(&self, id: TopicId) -> Option<&Topic> {
        self.by_id.get(&id).and_then(|index| self.topics.get(*index))
    }

    /// The names of these topics.
    pub fn names(&self, ids: &[TopicId]) -> Vec<String> {
        ids.iter().filter_map(|id| self.get(*id)).map(|topic| topic.name.as_str().to_owned()).collect()
    }

    /// The topics that a post is about.
    pub fn matches(&self, subject: &Subject<'_>, scratch: &mut Scratch) -> Vec<TopicId> {
        self.matcher.matches(subject, scratch)
    }
}
