//! What every task of the worker shares.

use std::time::Duration;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::inference::ActiveClassifier;
use crate::language::LanguagePolicy;
use crate::live::LiveBus;
use crate::store::Store;
use crate::stream::Stream;
use crate::topics::Topics;

use super::second_opinion::SecondOpinion;

/// Settings of the worker pool.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Identifies this process among the consumers of the group; different for each process.
    pub instance: String,
    /// Consumers that work at the same time.
    pub tasks: usize,
    /// Most entries a consumer claims at once.
    pub batch_size: usize,
    /// A claim that is not renewed for this long may be rescued by another consumer.
    pub claim_idle: Duration,
    /// An entry whose analysis failed in this many deliveries goes to the dead letter.
    pub max_deliveries: u32,
    /// An entry that was delivered more often than this, and than `max_deliveries`, without an outcome goes to the
    /// dead letter without another attempt: it ended the process each time.
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
    /// Posts that match a topic; others are skipped without an analysis.
    Matching,
}

/// The rooms and settings that the worker uses. Clones share them.
#[derive(Clone)]
pub struct Worker {
    pub stream: Stream,
    pub store: Store,
    pub live: LiveBus,
    pub cache: Cache,
    pub classifier: ActiveClassifier,
    pub topics: Topics,
    /// The model that is asked about posts that `classifier` is unsure of.
    pub second_opinion: Option<SecondOpinion>,
    pub clock: Clock,
    pub options: WorkerOptions,
}
