//! The worker role: a pool of consumers that classify posts and store the results.
//!
//! For each batch the order is: commit, processed entries, live events, acknowledgement. A crash between two of these
//! steps repeats the batch, and the store reports repeated entries as already settled. Claims are renewed while a batch
//! is processed, even if a backend is unavailable for a long time. An entry that was delivered before is processed
//! alone, so that a failure is attributed only to this entry.

mod batch;
mod context;
mod counters;
mod disposition;
mod languages;
mod maintenance;
mod publish;
mod renewal;
mod review_queue;
mod reviews;
mod second_opinion;
mod task;
mod topic_doubts;
mod topics;
mod towards;
mod traces;
mod unscored;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;

use crate::lifecycle::{BackendWait, Shutdown};
use crate::stream::{Consumer, StreamError};
use crate::telemetry::metrics::{Kind, describe};
use renewal::Renewal;

pub use context::{StoragePolicy, Worker, WorkerOptions};
pub use second_opinion::SecondOpinion;
pub use topic_doubts::TopicDoubts;

/// The longest time for which one call waits for new entries. Between two calls, a consumer checks whether the process
/// is stopping and whether it is time to take over idle claims.
const CLAIM_WAIT: Duration = Duration::from_secs(1);

/// Runs the pool until a stop is requested and every claimed entry is settled or released.
///
/// # Errors
/// When a task of the pool panics. The process should exit; other processes take over its claims.
pub async fn run(worker: Worker, shutdown: Shutdown) -> anyhow::Result<()> {
    describe_metrics();
    let mut consumers = JoinSet::new();
    for number in 0..worker.options.tasks.max(1) {
        let consumer = Consumer(Arc::from(format!("{}-{number}", worker.options.instance)));
        consumers.spawn(consume(worker.clone(), consumer, shutdown.clone()));
    }
    if let Some(second) = &worker.second_opinion {
        consumers.spawn(reviews::run(worker.clone(), second.clone(), shutdown.clone()));
    }
    if let Some(doubts) = &worker.topic_doubts {
        consumers.spawn(reviews::run(worker.clone(), doubts.clone(), shutdown.clone()));
    }
    consumers.spawn(maintenance::run(worker.clone(), shutdown.clone()));
    consumers.spawn(unscored::run(worker.clone(), shutdown.clone()));
    consumers.spawn(topics::run(worker, shutdown.clone()));
    while let Some(ended) = consumers.join_next().await {
        ended.context("a task of the worker pool panicked")?;
    }
    Ok(())
}

fn describe_metrics() {
    describe(&[
        ("sentistream_entries_total", Kind::Counter, "Entries that this process settled, by outcome."),
        ("sentistream_dead_letters_total", Kind::Counter, "Entries moved to the dead letters, by reason."),
        (
            "sentistream_dead_letters_dropped_total",
            Kind::Counter,
            "Dead letters that were deleted to keep their size within the limit.",
        ),
        (
            "sentistream_truncated_total",
            Kind::Counter,
            "Posts that were too long for the model, so that their end was not read.",
        ),
        ("sentistream_languages_total", Kind::Counter, "Stored posts by language; `unknown` without a language."),
        (
            "sentistream_other_languages_total",
            Kind::Counter,
            "Posts in languages that the model does not support, by how they were handled.",
        ),
        ("sentistream_second_opinions_total", Kind::Counter, "Second opinions on posts of low confidence, by result."),
        (
            "sentistream_topic_opinions_total",
            Kind::Counter,
            "Second opinions on uncertain sentiments towards topics, by result.",
        ),
        ("sentistream_llm_requests_total", Kind::Counter, "Requests to the language model, by result."),
        (
            "sentistream_llm_texts_failed_total",
            Kind::Counter,
            "Texts for which the language model gave no valid answer.",
        ),
        (
            "sentistream_topic_backfill_posts_total",
            Kind::Counter,
            "Stored posts that were matched against new and changed topics.",
        ),
        ("sentistream_live_publish_failures_total", Kind::Counter, "Batches whose live events could not be published."),
        (
            "sentistream_stage_duration_seconds",
            Kind::Timing,
            "Time of a batch in each stage (inference, commit, publish).",
        ),
        ("sentistream_inference_layers", Kind::Size, "Layers of the model that were computed for a text."),
        ("sentistream_answer_cache_total", Kind::Counter, "Look-ups in the cache of analyses, by result."),
        ("sentistream_batch_posts", Kind::Size, "Posts that were analysed together."),
        ("sentistream_batch_tokens", Kind::Size, "Tokens that were analysed together."),
        ("sentistream_tokens_total", Kind::Counter, "Tokens that the model read."),
        ("sentistream_model_posts_total", Kind::Counter, "Analyses of posts, by model."),
        (
            "sentistream_topic_parts_total",
            Kind::Counter,
            "Parts of posts that were analysed for the sentiment towards topics.",
        ),
        ("sentistream_model_loads_total", Kind::Counter, "Attempts to load the model of a route, by model and result."),
        ("sentistream_model_loaded", Kind::Gauge, "1 if the model of a route is in memory, otherwise 0."),
        ("sentistream_unscored_judged_total", Kind::Counter, "Unscored posts that were analysed later, by result."),
        ("sentistream_append_to_commit_seconds", Kind::Timing, "Time from the append of a post to its commit."),
    ]);
}

async fn consume(worker: Worker, consumer: Consumer, shutdown: Shutdown) {
    let mut backoff = BackendWait::new("stream");
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
                backoff.succeeded();
                if rescued_more {
                    rescued_at = None;
                }
            }
            Err(error) => backoff.wait(&error, &shutdown).await,
        }
    }
}

/// Takes over idle claims and processes each of their entries alone. Returns whether there may be more idle claims.
async fn rescue(worker: &Worker, consumer: &Consumer, shutdown: &Shutdown) -> Result<bool, StreamError> {
    let entries = worker.stream.rescue(consumer, worker.options.batch_size).await?;
    let found = !entries.is_empty();
    let renewal = Renewal::start(worker, consumer, &entries);
    for entry in entries {
        batch::process(worker, consumer, vec![entry], shutdown).await;
    }
    drop(renewal);
    Ok(found)
}

async fn claim(worker: &Worker, consumer: &Consumer, shutdown: &Shutdown) -> Result<bool, StreamError> {
    let wait = CLAIM_WAIT.min(worker.options.claim_idle / 4);
    // The future must not be dropped: entries that it has already claimed would stay unprocessed until another consumer
    // takes them over.
    let entries = worker.stream.claim(consumer, worker.options.batch_size, wait).await?;
    if !entries.is_empty() {
        let _renewal = Renewal::start(worker, consumer, &entries);
        batch::process(worker, consumer, entries, shutdown).await;
    }
    Ok(false)
}
