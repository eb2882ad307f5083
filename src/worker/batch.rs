//! One batch: parse, analyse, commit, tell, acknowledge.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinHandle;

use super::Worker;
use super::fate::{Fate, fates, matched, settlements};
use super::languages;
use super::traces::Traces;
use crate::domain::{Analysis, EntryKey, LiveEvent, Op, Outcome, PostEvent, PostId, RawFields};
use crate::inference::InferenceError;
use crate::lifecycle::{BackendWait, Shutdown};
use crate::store::settle::{Change, Matched, Settled, Settlement, Stored};
use crate::stream::{Consumer, DeadLetterRequest, Entry, Release};
use crate::topics::Tracked;

/// Works on claimed entries until each is settled, in the dead letter, or given back.
pub async fn work(worker: &Worker, consumer: &Consumer, entries: Vec<Entry>, shutdown: &Shutdown) {
    let mut batch = Batch { worker, consumer, shutdown };
    let (mut valid, invalid) = batch.parse(entries);
    languages::detect(&worker.options.languages, &mut valid).await;
    for (entry, error) in invalid {
        batch.dead_letter(entry, "invalid", error).await;
    }
    batch.analyse_and_settle(valid).await;
}

/// A valid entry and what it asks for.
#[derive(Clone)]
pub struct Task {
    pub entry: Entry,
    pub op: Op,
}

/// A batch that is committed.
#[derive(Clone, Copy)]
struct Done<'a> {
    tasks: &'a [Task],
    settlements: &'a [Settlement],
    settled: &'a [Settled],
    fates: &'a [Fate],
    tracked: &'a Tracked,
    traces: &'a Traces,
}

struct Batch<'a> {
    worker: &'a Worker,
    consumer: &'a Consumer,
    shutdown: &'a Shutdown,
}

/// Why a group of tasks was not settled.
enum Trouble {
    /// Something in these entries; alone they tell which.
    Entries { reason: &'static str, error: String },
    /// The process is ending and the backend is away.
    Abandoned,
}

impl Batch<'_> {
    fn parse(&self, entries: Vec<Entry>) -> (Vec<Task>, Vec<(Entry, String)>) {
        let now = self.worker.clock.now();
        let mut valid = Vec::with_capacity(entries.len());
        let mut invalid = Vec::new();
        for entry in entries {
            // A missing time means when the entry came, so that a redelivery reads the same post.
            let arrived = entry.key.id.appended_at().min(now);
            match Op::parse(&entry.fields, arrived) {
                Ok(op) => valid.push(Task { entry, op }),
                Err(rejection) => invalid.push((entry, rejection.0)),
            }
        }
        (valid, invalid)
    }

    async fn analyse_and_settle(&mut self, tasks: Vec<Task>) {
        if tasks.is_empty() {
            return;
        }
        match self.settle(&tasks).await {
            Ok(()) => {}
            Err(Trouble::Abandoned) => self.release(&tasks, Release::Untried).await,
            Err(Trouble::Entries { reason, error }) if tasks.len() == 1 => {
                self.failed_alone(tasks, reason, error).await;
            }
            Err(Trouble::Entries { error, .. }) => {
                tracing::warn!(entries = tasks.len(), %error, "a batch failed; its entries are tried one by one");
                for task in tasks {
                    Box::pin(self.analyse_and_settle(vec![task])).await;
                }
            }
        }
    }

    async fn failed_alone(&mut self, tasks: Vec<Task>, reason: &'static str, error: String) {
        for task in tasks {
            if task.entry.deliveries >= self.worker.options.max_deliveries {
                self.dead_letter(task.entry, reason, error.clone()).await;
            } else {
                tracing::warn!(entry = %task.entry.key.id, deliveries = task.entry.deliveries, %error, "an entry failed and will be delivered again");
                self.release(&[task], Release::Failed).await;
            }
        }
    }

    async fn settle(&mut self, tasks: &[Task]) -> Result<(), Trouble> {
        let traces = Traces::begin(tasks.iter().map(|task| &task.entry));
        let known = self.known_posts(tasks).await?;
        loop {
            let topics = self.topics().await?;
            let fates = fates(tasks, &known, &topics, &self.worker.options);
            let started = Instant::now();
            let analyses = self.analyse(tasks, &fates).await?;
            traces.stage("inference", started.elapsed());

            let started = Instant::now();
            let matched = matched(tasks, &fates, &topics);
            let settlements = settlements(tasks, &fates, analyses);
            let settled = self.commit(&settlements, &matched).await?;
            traces.stage("commit", started.elapsed());
            // The topics changed meanwhile: nothing was written, and the posts are matched again.
            let Some(settled) = settled else {
                self.refresh_topics().await?;
                continue;
            };
            languages::count_others(tasks, &settled, &self.worker.options.languages);
            let started = Instant::now();
            let done = Done {
                tasks,
                settlements: &settlements,
                settled: &settled,
                fates: &fates,
                tracked: &topics,
                traces: &traces,
            };
            self.tell(&done).await?;
            traces.stage("publish", started.elapsed());
            return self.acknowledge(tasks).await;
        }
    }

    async fn topics(&self) -> Result<Arc<Tracked>, Trouble> {
        let mut patience = BackendWait::new("database");
        loop {
            match self.worker.topics.loaded().await {
                Ok(topics) => return Ok(topics),
                Err(error) => self.hold_on(&mut patience, &error).await?,
            }
        }
    }

    async fn refresh_topics(&self) -> Result<(), Trouble> {
        let mut patience = BackendWait::new("database");
        while let Err(error) = self.worker.topics.refresh().await {
            self.hold_on(&mut patience, &error).await?;
        }
        Ok(())
    }

    /// Posts that need no analysis because they are stored: looked up before the model runs, since it is the dear part.
    async fn known_posts(&self, tasks: &[Task]) -> Result<HashSet<PostId>, Trouble> {
        let ids: Vec<PostId> = tasks
            .iter()
            .filter_map(|task| match &task.op {
                Op::Post(post) | Op::Replace { post, .. } => Some(post.post_id.clone()),
                Op::Delete { .. } | Op::DeleteAuthor { .. } => None,
            })
            .collect();
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let mut patience = BackendWait::new("database");
        loop {
            match self.worker.store.known_posts(&ids).await {
                Ok(known) => {
                    patience.succeeded();
                    return Ok(known);
                }
                Err(error) if error.is_transient() => self.hold_on(&mut patience, &error).await?,
                Err(error) => return Err(Trouble::Entries { reason: "store_failed", error: error.to_string() }),
            }
        }
    }

    async fn analyse(&self, tasks: &[Task], fates: &[Fate]) -> Result<Vec<Analysis>, Trouble> {
        let texts: Vec<String> = tasks
            .iter()
            .zip(fates)
            .filter(|(_, fate)| matches!(fate, Fate::Analyse(_)))
            .filter_map(|(task, _)| task.op.post())
            .map(|post| post.content.clone())
            .collect();
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let mut patience = BackendWait::new("model");
        loop {
            match self.worker.classifier.classify(texts.clone()).await {
                Ok(analyses) => {
                    patience.succeeded();
                    record_batch(&analyses);
                    return Ok(analyses);
                }
                Err(InferenceError::Failed(error)) => {
                    return Err(Trouble::Entries { reason: "analysis_failed", error });
                }
                Err(error) => self.hold_on(&mut patience, &error).await?,
            }
        }
    }

    async fn commit(&self, settlements: &[Settlement], matched: &Matched) -> Result<Option<Vec<Settled>>, Trouble> {
        let mut patience = BackendWait::new("database");
        loop {
            match self.worker.store.settle_matched(settlements.to_vec(), matched.clone()).await {
                Ok(settled) => {
                    patience.succeeded();
                    return Ok(settled);
                }
                Err(error) if error.is_transient() => self.hold_on(&mut patience, &error).await?,
                Err(error) => return Err(Trouble::Entries { reason: "store_failed", error: error.to_string() }),
            }
        }
    }

    /// Tells other consumers and live clients what the commit changed.
    async fn tell(&self, done: &Done<'_>) -> Result<(), Trouble> {
        let Done { tasks, settlements, settled, fates, tracked, traces } = *done;
        let mut processed = Vec::new();
        let mut events = Vec::new();
        let mut forget = Vec::new();
        for (((task, settlement), settled), fate) in tasks.iter().zip(settlements).zip(settled).zip(fates) {
            count(settled.outcome);
            forget.extend(settled.removed.iter().cloned());
            if let Change::Delete { post_id } = &settlement.change {
                // Also of a post that is not stored: it may stand in the dead letter.
                forget.push(post_id.clone());
            }
            events.extend(settled.removed.iter().cloned().map(LiveEvent::PostDeleted));
            let (Change::Insert { post, analysis } | Change::Replace { post, analysis, .. }, Some(stored)) =
                (&settlement.change, settled.stored)
            else {
                continue;
            };
            let topics = fate.topics().map_or_else(Vec::new, |topics| tracked.names(topics));
            processed.push(enriched(&task.op, (analysis, &topics), stored));
            if settled.outcome.is_some() {
                let mut event = PostEvent::new(post, analysis, stored.ingested_at, stored.analyzed_at);
                event.topics = topics;
                event.traceparent = traces.context(&task.entry.key);
                record(&task.entry.key, analysis, stored);
                languages::count(post);
                if let Some(second) = &self.worker.second_opinion {
                    second.consider(post, analysis, stored);
                }
                events.push(LiveEvent::Post(event));
            }
        }
        let mut patience = BackendWait::new("stream");
        while !processed.is_empty() {
            match self.worker.stream.publish_processed(processed.clone()).await {
                Ok(()) => break,
                Err(error) => self.hold_on(&mut patience, &error).await?,
            }
        }
        if !events.is_empty()
            && let Err(error) = self.worker.live.publish(events).await
        {
            metrics::counter!("sentistream_live_publish_failures_total").increment(1);
            tracing::debug!(%error, "live events were lost; clients read them from the API");
        }
        if !forget.is_empty() {
            self.worker.cache.clear().await;
            while let Err(error) = self.worker.stream.forget_posts(&forget).await {
                self.hold_on(&mut patience, &error).await?;
            }
        }
        Ok(())
    }

    async fn acknowledge(&self, tasks: &[Task]) -> Result<(), Trouble> {
        let keys = keys(tasks);
        let mut patience = BackendWait::new("stream");
        while let Err(error) = self.worker.stream.ack(self.consumer, &keys).await {
            self.hold_on(&mut patience, &error).await?;
        }
        Ok(())
    }

    async fn dead_letter(&self, entry: Entry, reason: &'static str, error: String) {
        let request = DeadLetterRequest { entry, reason, error };
        let mut patience = BackendWait::new("stream");
        loop {
            match self.worker.stream.dead_letter(request.clone(), self.worker.clock.now()).await {
                Ok(moved) => {
                    if moved {
                        count(Some(Outcome::DeadLettered));
                        metrics::counter!("sentistream_dead_letters_total", "reason" => reason).increment(1);
                    }
                    return;
                }
                // Left claimed when the process ends: it will be rescued.
                Err(failure) => {
                    if self.hold_on(&mut patience, &failure).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn release(&self, tasks: &[Task], how: Release) {
        if let Err(error) = self.worker.stream.release(self.consumer, &keys(tasks), how).await {
            tracing::warn!(%error, entries = tasks.len(), "entries could not be given back; they will be rescued when their claims are idle");
        }
    }

    /// Waits before the next try; an error when the process can wait no longer.
    async fn hold_on(&self, patience: &mut BackendWait, error: &impl std::fmt::Display) -> Result<(), Trouble> {
        if self.shutdown.is_stopping() {
            return Err(Trouble::Abandoned);
        }
        patience.wait(error, self.shutdown).await;
        Ok(())
    }
}

/// Keeps the claims on entries for as long as it lives.
pub struct Renewal(JoinHandle<()>);

impl Renewal {
    /// Begins to renew the claims on `entries`.
    pub fn start(worker: &Worker, consumer: &Consumer, entries: &[Entry]) -> Self {
        let stream = worker.stream.clone();
        let consumer = consumer.clone();
        let keys: Vec<EntryKey> = entries.iter().map(|entry| entry.key.clone()).collect();
        let every = worker.options.claim_idle / 3;
        Self(tokio::spawn(async move {
            while !keys.is_empty() {
                tokio::time::sleep(every).await;
                if let Err(error) = stream.renew(&consumer, &keys).await {
                    tracing::debug!(%error, "claims were not renewed");
                }
            }
        }))
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn keys(tasks: &[Task]) -> Vec<EntryKey> {
    tasks.iter().map(|task| task.entry.key.clone()).collect()
}

/// The entry of `processed_posts_stream`: the post's fields and what was found.
fn enriched(op: &Op, (analysis, topics): (&Analysis, &[String]), stored: Stored) -> RawFields {
    let mut fields = op.to_fields();
    fields.push("sentiment_label", analysis.sentiment.as_str());
    fields.push("confidence_score", format!("{:.6}", analysis.confidence));
    fields.push("emotion", analysis.emotion.as_str());
    if !topics.is_empty() {
        fields.push("topics", topics.join(","));
    }
    fields.push("model_name", &*analysis.model_name);
    fields.push("ingested_at", stored.ingested_at.to_string());
    fields.push("analyzed_at", stored.analyzed_at.to_string());
    fields
}

fn count(outcome: Option<Outcome>) {
    let outcome = outcome.map_or("redelivered", Outcome::as_str);
    metrics::counter!("sentistream_entries_total", "outcome" => outcome).increment(1);
}

fn record_batch(analyses: &[Analysis]) {
    let tokens: u64 = analyses.iter().map(|analysis| u64::from(analysis.tokens)).sum();
    metrics::histogram!("sentistream_batch_posts").record(analyses.len() as f64);
    metrics::histogram!("sentistream_batch_tokens").record(tokens as f64);
    metrics::counter!("sentistream_tokens_total").increment(tokens);
}

fn record(key: &EntryKey, analysis: &Analysis, stored: Stored) {
    let latency = stored.analyzed_at.since(key.id.appended_at());
    metrics::histogram!("sentistream_append_to_commit_seconds").record(latency);
    if analysis.truncated {
        metrics::counter!("sentistream_truncated_total").increment(1);
    }
}
