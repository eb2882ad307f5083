//! The worker role: a pool of consumers that classify posts and store the results.
//!
//! For every batch the order is: commit, processed entry, live event, acknowledgement. A crash
//! between any two of them repeats the batch, and the store answers a repeated entry with
//! "settled before". Claims are renewed for as long as a batch is worked on, however long a
//! backend is away; an entry that was delivered before runs alone, so that it cannot take its
//! neighbours with it.

mod batch;
mod fate;
mod languages;
mod maintenance;
mod second_opinion;
mod topics;
mod traces;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::inference::SharedClassifier;
use crate::language::LanguagePolicy;
use crate::lifecycle::{BackendWait, Shutdown};
use crate::live::LiveBus;
use crate::store::Store;
use crate::stream::{Consumer, Stream, StreamError};
use crate::telemetry::metrics::{Kind, describe};
use crate::topics::Topics;

pub use second_opinion::SecondOpinion;

/// How the pool works.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Names this instance among the consumers of the group; different for each process.
    pub instance: String,
    /// Consumers that work at once.
    pub tasks: usize,
    /// Most entries a consumer claims at once.
    pub batch_size: usize,
    /// A claim not renewed for this long may be rescued by another consumer.
    pub claim_idle: Duration,
    /// An entry whose analysis failed in this many deliveries goes to the dead letter.
    pub max_deliveries: u32,
    /// Which posts are kept.
    pub store: StoredPosts,
    /// How languages are handled.
    pub languages: LanguagePolicy,
}

/// Which posts are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoredPosts {
    /// All of them.
    #[default]
    All,
    /// Those that a topic matches; the others are skipped without being judged.
    Matching,
}

/// The longest a consumer waits for new entries before it looks after idle claims.
const CLAIM_WAIT: Duration = Duration::from_secs(1);

/// What a worker joins.
#[derive(Clone)]
pub struct Worker {
    pub stream: Stream,
    pub store: Store,
    pub live: LiveBus,
    pub cache: Cache,
    pub classifier: SharedClassifier,
    pub topics: Topics,
    /// Whom to ask about posts that `classifier` is unsure of.
    pub second_opinion: Option<SecondOpinion>,
    pub clock: Clock,
    pub options: WorkerOptions,
}

/// Works until a stop is asked for and what was claimed is settled or handed back.
///
/// # Errors
/// When a consumer panics: the process should end, others take over its claims.
pub async fn run(worker: Worker, shutdown: Shutdown) -> anyhow::Result<()> {
    describe_metrics();
    let mut consumers = JoinSet::new();
    for number in 0..worker.options.tasks.max(1) {
        let consumer = Consumer(Arc::from(format!("{}-{number}", worker.options.instance)));
        consumers.spawn(consume(worker.clone(), consumer, shutdown.clone()));
    }
    if let Some(second) = &worker.second_opinion {
        consumers.spawn(second_opinion::run(worker.clone(), second.clone(), shutdown.clone()));
    }
    consumers.spawn(maintenance::run(worker.clone(), shutdown.clone()));
    consumers.spawn(topics::run(worker, shutdown.clone()));
    while let Some(ended) = consumers.join_next().await {
        ended.context("a consumer of the worker pool ended unexpectedly")?;
    }
    Ok(())
}

fn describe_metrics() {
    describe(&[
        ("sentistream_entries_total", Kind::Counter, "Entries that this process settled, by how they ended."),
        ("sentistream_dead_letters_total", Kind::Counter, "Entries moved to the dead letter, by reason."),
        (
            "sentistream_truncated_total",
            Kind::Counter,
            "Posts longer than all windows of the model: it did not read their end.",
        ),
        ("sentistream_languages_total", Kind::Counter, "Stored posts by language; `unknown` where none showed."),
        (
            "sentistream_other_languages_total",
            Kind::Counter,
            "Posts in other languages than the known ones, by handling.",
        ),
        ("sentistream_second_opinions_total", Kind::Counter, "Doubtful posts that another model was asked about."),
        ("sentistream_llm_requests_total", Kind::Counter, "Requests to the language model, by result."),
        ("sentistream_llm_texts_failed_total", Kind::Counter, "Texts that a working language model did not judge."),
        ("sentistream_topic_backfill_posts_total", Kind::Counter, "Stored posts that were matched with new topics."),
        ("sentistream_live_publish_failures_total", Kind::Counter, "Batches whose live events were lost."),
        (
            "sentistream_stage_duration_seconds",
            Kind::Timing,
            "Time of a batch in each stage: inference, commit, publish.",
        ),
        ("sentistream_batch_posts", Kind::Size, "Posts that were analysed together."),
        ("sentistream_batch_tokens", Kind::Size, "Tokens that were analysed together."),
        ("sentistream_tokens_total", Kind::Counter, "Tokens that the model has read."),
        ("sentistream_append_to_commit_seconds", Kind::Timing, "Time of a post from its append to its commit."),
    ]);
}

async fn consume(worker: Worker, consumer: Consumer, shutdown: Shutdown) {
    let mut patience = BackendWait::new("stream");
    let mut rescued_at: Option<tokio::time::Instant> = None;
    while !shutdown.is_stopping() {
        let rescue_due = rescued_at.is_none_or(|at| at.elapsed() >= worker.options.claim_idle / 4);
        let claimed = if rescue_due {
            rescued_at = Some(tokio::time::Instant::now());
            rescue(&worker, &consumer, &shutdown).await
        } else {
            claim(&worker, &consumer, &shutdown).await
        };
        match claimed {
            Ok(rescued_more) => {
                patience.succeeded();
                if rescued_more {
                    rescued_at = None;
                }
            }
            Err(error) => patience.wait(&error, &shutdown).await,
        }
    }
}

/// Takes over idle claims and works on each entry alone; whether there may be more.
async fn rescue(worker: &Worker, consumer: &Consumer, shutdown: &Shutdown) -> Result<bool, StreamError> {
    let entries = worker.stream.rescue(consumer, worker.options.batch_size).await?;
    let found = !entries.is_empty();
    let renewal = batch::Renewal::start(worker, consumer, &entries);
    for entry in entries {
        batch::work(worker, consumer, vec![entry], shutdown).await;
    }
    drop(renewal);
    Ok(found)
}

async fn claim(worker: &Worker, consumer: &Consumer, shutdown: &Shutdown) -> Result<bool, StreamError> {
    let wait = CLAIM_WAIT.min(worker.options.claim_idle / 4);
    // A claim must not be dropped half-way: what it took would be idle until it is rescued.
    let entries = worker.stream.claim(consumer, worker.options.batch_size, wait).await?;
    if !entries.is_empty() {
        let _renewal = batch::Renewal::start(worker, consumer, &entries);
        batch::work(worker, consumer, entries, shutdown).await;
    }
    Ok(false)
}
