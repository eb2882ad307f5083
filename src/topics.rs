//! Tracked topics: queries that every post is matched against before it is stored.
//!
//! [`Query`] is a parsed query, and [`Matcher`] matches posts against all queries in one pass. [`Topics`] holds this
//! process's copy of the topics. The copy may be outdated for a short time. A transaction that stores posts therefore
//! names the version of the topics that the posts were matched against, and the store rejects an outdated version.
//!
//! New and changed topics get a separate small matcher immediately, until the matcher of all topics is rebuilt in the
//! background.

mod matcher;
mod mentions;
mod node;
mod parse;
mod query;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::domain::{Subject, Topic, TopicId, TopicName};
use crate::lifecycle::{BackendWait, Shutdown};
use crate::store::{Store, StoreError};

pub use matcher::{Matcher, Scratch, TooManyTerms, TopicMatch};
pub use mentions::Words;
pub use query::{Query, QueryError, QueryNote};

/// The interval at which this process checks whether another process has changed topics.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// This process's copy of the tracked topics. Clones share it.
#[derive(Clone)]
pub struct Topics {
    store: Store,
    current: Arc<ArcSwap<Tracked>>,
    /// Locked while topics are read, so that an older copy never replaces a newer copy.
    refreshing: Arc<tokio::sync::Mutex<()>>,
    /// Whether the matcher of all topics is being built.
    building: Arc<AtomicBool>,
}

/// The topics at one version.
pub struct Tracked {
    version: i64,
    topics: Vec<Topic>,
    by_id: HashMap<TopicId, usize>,
    /// The matcher of all topics that existed when it was built. Topics that have changed since then are excluded.
    all: Part,
    /// The matcher of the topics that were added or changed since `all` was built.
    changed: Part,
}

/// A matcher of some of the topics, and the current query of each of them.
#[derive(Clone, Default)]
struct Part {
    matcher: Arc<Matcher>,
    queries: HashMap<TopicId, String>,
    /// The parsed queries of the topics in the matcher.
    parsed: Arc<HashMap<TopicId, Query>>,
    /// The topics in the matcher that were changed or deleted since it was built. Their matches are ignored.
    gone: HashSet<TopicId>,
}

impl Topics {
    /// Creates an empty copy. Topics are read from the store by [`Self::loaded`] or [`Self::refresh`].
    pub fn new(store: Store) -> Self {
        let current = Arc::new(ArcSwap::from_pointee(Tracked::nothing()));
        Self { store, current, refreshing: Arc::default(), building: Arc::default() }
    }

    /// The topics as they were last loaded.
    pub fn current(&self) -> Arc<Tracked> {
        self.current.load_full()
    }

    /// The topics. Loads them from the store if they have not been loaded yet.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn loaded(&self) -> Result<Arc<Tracked>, StoreError> {
        let current = self.current();
        if current.version == 0 { self.refresh().await } else { Ok(current) }
    }

    /// Loads the current topics from the store. Their version is lower than before if the database was restored, or if
    /// a replica without the last changes has taken over.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn refresh(&self) -> Result<Arc<Tracked>, StoreError> {
        let _refreshing = self.refreshing.lock().await;
        let version = self.store.topics_version().await?;
        let current = self.current();
        if current.version == version {
            return Ok(current);
        }
        // The version is read before the topics. If the topics change between these two reads, the version is outdated,
        // the store rejects it, and the topics are read again.
        let topics = self.store.topics().await?;
        // The matcher of many topics takes seconds to build.
        let tracked = match tokio::task::spawn_blocking(move || Tracked::after(&current, version, topics)).await {
            Ok(built) => Arc::new(built),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // If the task did not panic, it fails only because the runtime is shutting down.
            Err(_) => return Ok(self.current()),
        };
        let fragmented = tracked.is_fragmented();
        self.current.store(tracked.clone());
        if fragmented {
            self.rebuild(tracked);
        }
        Ok(self.current())
    }

    /// Builds the matcher of all topics on a blocking thread, so that posts can be matched during the build. Only one
    /// build runs at a time. The build is repeated if topics have changed since it started.
    fn rebuild(&self, mut tracked: Arc<Tracked>) {
        let (current, building) = (self.current.clone(), self.building.clone());
        if building.swap(true, Ordering::AcqRel) {
            return;
        }
        tokio::task::spawn_blocking(move || {
            loop {
                let whole = Arc::new(Tracked::new(tracked.version, tracked.topics.clone()));
                current.rcu(|now| {
                    if now.version == whole.version {
                        whole.clone()
                    } else {
                        Arc::new(Tracked::after(&whole, now.version, now.topics.clone()))
                    }
                });
                building.store(false, Ordering::Release);
                tracked = current.load_full();
                if !tracked.is_fragmented() || building.swap(true, Ordering::AcqRel) {
                    return;
                }
            }
        });
    }

    /// Reads changes that other processes make, until a shutdown.
    pub async fn follow(self, shutdown: Shutdown) {
        let mut backoff = BackendWait::new("topics");
        loop {
            match self.refresh().await {
                Ok(_) => backoff.succeeded(),
                Err(error) => backoff.wait(&error, &shutdown).await,
            }
            if !shutdown.sleep(CHECK_INTERVAL).await {
                return;
            }
        }
    }
}

impl Part {
    /// Builds a matcher of those `topics` whose queries are valid.
    fn new<'t>(topics: impl IntoIterator<Item = &'t Topic>) -> Self {
        let mut read: Vec<(TopicId, Query)> = Vec::new();
        let mut queries = HashMap::new();
        for topic in topics {
            queries.insert(topic.id, topic.query.clone());
            match Query::parse(&topic.query) {
                Ok(query) => read.push((topic.id, query)),
                Err(error) => {
                    tracing::error!(topic = %topic.name, %error, "stored query is invalid: the topic matches no posts; edit or delete it");
                }
            }
        }
        let matcher = Matcher::new(read.iter().map(|(id, query)| (*id, query))).unwrap_or_else(|error| {
            tracing::error!(%error, topics = read.len(), "topic matcher not built, so its topics match no posts");
            Matcher::default()
        });
        let parsed = Arc::new(read.into_iter().collect());
        Self { matcher: Arc::new(matcher), queries, parsed, gone: HashSet::new() }
    }

    /// The current topics of this part that a post is about.
    fn matches(&self, subject: &Subject<'_>, scratch: &mut Scratch) -> Vec<TopicMatch> {
        let mut found = self.matcher.matches(subject, scratch);
        if !self.gone.is_empty() {
            found.retain(|found| !self.gone.contains(&found.topic));
        }
        found
    }
}

impl Tracked {
    fn nothing() -> Self {
        Self::new(0, Vec::new())
    }

    fn new(version: i64, topics: Vec<Topic>) -> Self {
        let all = Part::new(&topics);
        Self::of_parts(version, topics, all, Part::default())
    }

    /// The state for `topics`. Reuses the matchers of `before` for topics that have not changed.
    fn after(before: &Self, version: i64, topics: Vec<Topic>) -> Self {
        if before.topics.is_empty() {
            return Self::new(version, topics);
        }
        let is_same = |part: &Part, topic: &Topic| part.queries.get(&topic.id) == Some(&topic.query);
        let kept = topics.iter().filter(|topic| is_same(&before.all, topic));
        let queries: HashMap<TopicId, String> = kept.map(|topic| (topic.id, topic.query.clone())).collect();
        let matcher = before.all.matcher.clone();
        let gone = matcher.topics().iter().copied().filter(|id| !queries.contains_key(id)).collect();
        let all = Part { matcher, queries, parsed: before.all.parsed.clone(), gone };
        let changed: Vec<&Topic> = topics.iter().filter(|topic| !all.queries.contains_key(&topic.id)).collect();
        let same_as_before = changed.len() == before.changed.queries.len()
            && changed.iter().all(|topic| is_same(&before.changed, topic));
        let changed = if same_as_before { before.changed.clone() } else { Part::new(changed) };
        Self::of_parts(version, topics, all, changed)
    }

    fn of_parts(version: i64, mut topics: Vec<Topic>, all: Part, changed: Part) -> Self {
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        let by_id = topics.iter().enumerate().map(|(index, topic)| (topic.id, index)).collect();
        Self { version, topics, by_id, all, changed }
    }

    /// Whether some topics are not in the matcher of all topics.
    fn is_fragmented(&self) -> bool {
        !self.changed.queries.is_empty()
    }

    /// The version of the topics.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// All topics, sorted by name.
    pub fn all(&self) -> &[Topic] {
        &self.topics
    }

    /// The topic with this name.
    pub fn named(&self, name: &TopicName) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.name == *name)
    }

    /// The topic with this id.
    pub fn get(&self, id: TopicId) -> Option<&Topic> {
        self.by_id.get(&id).and_then(|index| self.topics.get(*index))
    }

    /// The names of the topics with these ids. Unknown ids are left out.
    pub fn names(&self, ids: &[TopicId]) -> Vec<String> {
        ids.iter().filter_map(|id| self.get(*id)).map(|topic| topic.name.as_str().to_owned()).collect()
    }

    /// The topics that a post may be about, each with the analysis results for which it matches, sorted by id.
    pub fn matches(&self, subject: &Subject<'_>, scratch: &mut Scratch) -> Vec<TopicMatch> {
        let mut matched = self.all.matches(subject, scratch);
        if self.is_fragmented() {
            matched.extend(self.changed.matches(subject, scratch));
            matched.sort_unstable_by_key(|found| found.topic);
        }
        matched
    }

    /// The ranges of bytes at which a text contains terms of a topic's query, in the order of the text.
    pub fn mentions(&self, topic: TopicId, text: &Words<'_>) -> Vec<Range<usize>> {
        let of_all = || self.all.parsed.get(&topic).filter(|_| !self.all.gone.contains(&topic));
        let query = self.changed.parsed.get(&topic).or_else(of_all);
        query.map_or_else(Vec::new, |query| text.mentions(query))
    }

    /// Whether any query has conditions on labels, so that the topics of a post may change with its analysis.
    pub fn depend_on_labels(&self) -> bool {
        self.all.matcher.depends_on_labels() || self.changed.matcher.depends_on_labels()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Backfill, Timestamp, TopicOrigin};

    fn topic(id: i64, query: &str) -> Topic {
        Topic {
            id: TopicId(id),
            name: TopicName::parse(&format!("t{id}")).unwrap(),
            query: query.to_owned(),
            description: String::new(),
            origin: TopicOrigin::Api,
            revision: 1,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            backfill: Backfill::default(),
        }
    }

    fn matched(tracked: &Tracked, content: &str) -> Vec<i64> {
        let subject = Subject { content, author: None, source: "web", lang: None, url: None, is_reply: false };
        tracked.matches(&subject, &mut Scratch::default()).into_iter().map(|found| found.topic.0).collect()
    }

    #[test]
    fn changed_topic_matches_before_the_full_matcher_is_rebuilt() {
        let first = Tracked::new(1, vec![topic(1, "acme"), topic(2, "apex"), topic(3, "zeta")]);
        let second = Tracked::after(&first, 2, vec![topic(1, "acme"), topic(2, "phone"), topic(4, "acme phone")]);
        assert!(Arc::ptr_eq(&first.all.matcher, &second.all.matcher) && second.is_fragmented());
        assert_eq!(matched(&second, "acme apex zeta"), [1], "changed and deleted topics no longer match");
        assert_eq!(matched(&second, "my acme phone"), [1, 2, 4]);
        let third = Tracked::after(&second, 3, vec![topic(1, "acme"), topic(2, "phone")]);
        assert_eq!(matched(&third, "my acme phone"), [1, 2]);
        assert_eq!(matched(&Tracked::new(3, third.topics.clone()), "my acme phone"), [1, 2]);
    }
}
