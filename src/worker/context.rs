//! The context that all tasks of the worker share.

use std::time::Duration;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::inference::ActiveClassifier;
use crate::inference::routes::Routes;
use crate::language::LanguagePolicy;
use crate::live::LiveBus;
use crate::store::Store;
use crate::stream::Stream;
use crate::topics::Topics;

use super::second_opinion::SecondOpinion;
use super::topic_doubts::TopicDoubts;

/// Settings of the worker pool.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The name of this process among the consumers of the group, which must be unique.
    pub instance: String,
    /// The number of consumers that work at the same time.
    pub tasks: usize,
    /// The maximum number of entries that a consumer claims at once.
    pub batch_size: usize,
    /// The time without a renewal after which another consumer may take over a claim.
    pub claim_idle: Duration,
    /// The number of deliveries after which an entry whose analysis or storage fails becomes a dead letter.
    pub max_deliveries: u32,
    /// An entry is assumed to crash the process if its number of deliveries without an outcome exceeds both this limit
    /// and `max_deliveries`. The entry becomes a dead letter without another attempt.
    pub max_crashes: u32,
    /// Which posts are stored.
    pub storage: StoragePolicy,
    /// How languages are handled.
    pub languages: LanguagePolicy,
}

/// Which posts are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoragePolicy {
    /// All posts.
    #[default]
    All,
    /// Only posts that match a topic, and later versions of stored posts. Other posts are skipped. A post is analysed
    /// before this decision only if its labels decide whether it matches a topic.
    Matching,
}

/// The parts of the application and the settings that the worker uses. Clones share them.
#[derive(Clone)]
pub struct Worker {
    /// The queue that entries are claimed from.
    pub stream: Stream,
    /// The database that posts and analyses are stored in.
    pub store: Store,
    /// Publishes analysed posts to live clients.
    pub live: LiveBus,
    /// The cache of API answers, which is cleared when posts are removed or replaced.
    pub cache: Cache,
    /// The model that classifies posts.
    pub classifier: ActiveClassifier,
    /// The models that classify the posts in certain languages instead of the main model.
    pub routes: Routes,
    /// The tracked topics that posts are matched against.
    pub topics: Topics,
    /// The model that gives a second opinion on posts for which `classifier` has a low confidence.
    pub second_opinion: Option<SecondOpinion>,
    /// The language model that analyses doubtful sentiments towards topics again.
    pub topic_doubts: Option<TopicDoubts>,
    /// The clock for posts without a time and for dead letters.
    pub clock: Clock,
    /// The settings of the pool.
    pub options: WorkerOptions,
}
