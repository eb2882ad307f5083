//! One batch: parse, analyse, commit, publish, acknowledge.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::try_join_all;

use super::context::Worker;
use super::counters::{count_by_model, count_others, count_parts};
use super::disposition::{PlanContext, Work, divide, matched, plan};
use super::languages;
use super::publish::{Context, Published, count};
use super::task::{Parsed, Task, keys};
use super::towards::divides;
use super::traces::Traces;
use crate::domain::{Analysis, DeadLetterReason, Op, Outcome, PostId};
use crate::inference::InferenceError;
use crate::lifecycle::{BackendWait, GaveUp, Shutdown, retry};
use crate::store::StoreError;
use crate::store::settle::{Matched, Settled, Settlement};
use crate::stream::{Consumer, DeadLetterRequest, Entry, Release, StreamError};
use crate::topics::Tracked;

/// Processes claimed entries until each of them is settled (its outcome is stored and it is acknowledged), a dead
/// letter, or released.
pub async fn process(worker: &Worker, consumer: &Consumer, entries: Vec<Entry>, shutdown: &Shutdown) {
    let batch = Batch { worker, consumer, shutdown };
    let limit = worker.options.max_crashes.max(worker.options.max_deliveries);
    let (entries, crashed): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.deliveries <= limit);
    for entry in crashed {
        batch.dead_letter(entry, DeadLetterReason::Crashed, crash_message(limit)).await;
    }
    let Parsed { mut tasks, invalid } = Parsed::read(entries, &worker.clock);
    languages::detect(&worker.options.languages, &mut tasks).await;
    for rejected in invalid {
        batch.dead_letter(rejected.entry, DeadLetterReason::Invalid, rejected.error).await;
    }
    batch.analyse_and_settle(tasks).await;
}

struct Batch<'a> {
    worker: &'a Worker,
    consumer: &'a Consumer,
    shutdown: &'a Shutdown,
}

/// Why a group of tasks was not settled.
enum Failure {
    /// One of the entries caused the failure. Processing each entry alone shows which one.
    Entries { reason: DeadLetterReason, error: String },
    /// The process is stopping, and a backend is unavailable or the analysis takes longer than the grace period.
    Abandoned,
}

impl Batch<'_> {
    async fn analyse_and_settle(&self, tasks: Vec<Task>) {
        if tasks.is_empty() {
            return;
        }
        match self.settle(&tasks).await {
            Ok(()) => {}
            Err(Failure::Abandoned) => self.release(&tasks, Release::Untried).await,
            Err(Failure::Entries { reason, error }) if tasks.len() == 1 => {
                self.failed_alone(tasks, reason, error).await;
            }
            Err(Failure::Entries { error, .. }) => {
                tracing::warn!(entries = tasks.len(), %error, "batch failed, processing its entries one by one");
                for task in tasks {
                    Box::pin(self.analyse_and_settle(vec![task])).await;
                }
            }
        }
    }

    async fn failed_alone(&self, tasks: Vec<Task>, reason: DeadLetterReason, error: String) {
        for task in tasks {
            let deliveries = task.entry.deliveries;
            if deliveries >= self.worker.options.max_deliveries {
                self.dead_letter(task.entry, reason, error.clone()).await;
            } else {
                tracing::warn!(entry = %task.entry.key.id, deliveries, %error, "entry failed, will be redelivered");
                self.release(&[task], Release::Failed).await;
            }
        }
    }

    async fn settle(&self, tasks: &[Task]) -> Result<(), Failure> {
        let traces = Traces::begin(tasks.iter().map(|task| &task.entry));
        let known = self.known_posts(tasks).await?;
        loop {
            let topics = self.topics().await?;
            let classifier = self.worker.classifier.current();
            let options = &self.worker.options;
            let languages = options.languages.supported(&classifier.info().languages);
            let routes = &self.worker.routes;
            let context = PlanContext { topics: &topics, storage: options.storage, languages, routes };
            let mut works = plan(tasks, &known, context);
            if divides(classifier.info()) {
                divide(&mut works, topics.clone()).await;
            }
            let started = Instant::now();
            self.analyse(&mut works).await?;
            traces.stage("inference", started.elapsed());

            let started = Instant::now();
            let settled = self.commit(&works, matched(&works, &topics)).await?;
            traces.stage("commit", started.elapsed());
            // The topics have changed since they were read. Nothing was written, and the posts are matched again.
            let Some(settled) = settled else {
                self.refresh_topics().await?;
                continue;
            };
            count_others(&works, &settled, languages);
            self.note_unscored(&works);
            let started = Instant::now();
            self.publish(Published::of(self.worker, &works, settled, Context { tracked: &topics, traces: &traces }))
                .await?;
            traces.stage("publish", started.elapsed());
            return self.acknowledge(tasks).await;
        }
    }

    async fn topics(&self) -> Result<Arc<Tracked>, Failure> {
        self.retried("database", |_| true, || self.worker.topics.loaded()).await
    }

    async fn refresh_topics(&self) -> Result<(), Failure> {
        self.retried("database", |_| true, || self.worker.topics.refresh()).await.map(drop)
    }

    /// The ids of the posts of `tasks` that are already stored. They are looked up before the analysis, which is
    /// expensive and not needed for the repeated entry of a stored post.
    async fn known_posts(&self, tasks: &[Task]) -> Result<HashSet<PostId>, Failure> {
        let id = |task: &Task| match &task.op {
            Op::Post(post) | Op::Replace { post, .. } => Some(post.post_id.clone()),
            Op::Delete { .. } | Op::DeleteAuthor { .. } => None,
        };
        let ids: Vec<PostId> = tasks.iter().filter_map(id).collect();
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        self.retried("database", StoreError::is_transient, || self.worker.store.known_posts(&ids)).await
    }

    /// Adds an analysis to each of `works` that needs one. The models of different routes run concurrently.
    async fn analyse(&self, works: &mut [Work<'_>]) -> Result<(), Failure> {
        let mut groups: BTreeMap<Option<usize>, Vec<&mut Work<'_>>> = BTreeMap::new();
        for work in works.iter_mut().filter(|work| work.is_analysed()) {
            groups.entry(work.route).or_default().push(work);
        }
        let analysed = groups.into_iter().map(|(route, works)| self.analyse_with(route, works));
        try_join_all(analysed).await.map(drop)
    }

    /// Adds the analyses of one model. `route` is the number of a route, which is a model for certain languages; `None`
    /// is the main model. If the model of a route is not available, the posts are stored unscored.
    async fn analyse_with(&self, route: Option<usize>, mut works: Vec<&mut Work<'_>>) -> Result<(), Failure> {
        let mut analyses = self.analyses(route, &works).await;
        let is_divided = works.iter().any(|work| work.parts() > 0);
        if matches!(analyses, Err(Failure::Entries { .. })) && works.len() == 1 && is_divided {
            // The post is classified again without its parts, because a part may have caused the failure.
            works.iter_mut().for_each(|work| work.leave_whole());
            analyses = self.analyses(route, &works).await;
        }
        let Some(analyses) = analyses? else {
            works.into_iter().for_each(Work::leave_unscored);
            return Ok(());
        };
        record_batch(&works, &analyses);
        let mut analyses = analyses.into_iter();
        for work in works {
            work.decide(&mut analyses);
        }
        Ok(())
    }

    /// The analyses of the texts of `works`. `None`: the model of the route is not available.
    async fn analyses(&self, route: Option<usize>, works: &[&mut Work<'_>]) -> Result<Option<Vec<Analysis>>, Failure> {
        let texts: Vec<String> = works.iter().flat_map(|work| work.texts()).collect();
        let classified = async {
            match route.and_then(|number| self.worker.routes.all().get(number)) {
                Some(route) => route.classify(texts).await.map_err(|error| GaveUp::Failed(error).into()),
                None => self.classify(texts).await.map(Some),
            }
        };
        tokio::select! {
            biased;
            // The wait ends shortly before the grace period of the shutdown ends, because the analysis may take longer.
            () = self.shutdown.abandoned() => Err(Failure::Abandoned),
            analyses = classified => analyses,
        }
    }

    /// The analyses of the main model, which is retried until it is available.
    async fn classify(&self, texts: Vec<String>) -> Result<Vec<Analysis>, Failure> {
        let is_transient =
            |error: &InferenceError| !matches!(error, InferenceError::Failed(_) | InferenceError::TooSlow(_));
        let analyse = self.retried("model", is_transient, || {
            let (classifier, texts) = (self.worker.classifier.current(), texts.clone());
            async move { classifier.classify(texts).await }
        });
        analyse.await
    }

    /// Records each route whose posts were stored without a sentiment, so that the model of the route analyses them
    /// later.
    fn note_unscored(&self, works: &[Work<'_>]) {
        let unscored = works.iter().filter(|work| work.is_unscored()).filter_map(|work| work.route);
        for route in unscored.collect::<BTreeSet<_>>() {
            if let Some(route) = self.worker.routes.all().get(route) {
                route.left_unscored();
            }
        }
    }

    async fn commit(&self, works: &[Work<'_>], matched: Matched) -> Result<Option<Vec<Settled>>, Failure> {
        let settlements: Vec<Settlement> = works.iter().map(Work::settlement).collect();
        let commit = || self.worker.store.settle_matched(settlements.clone(), matched.clone());
        self.retried("database", StoreError::is_transient, commit).await
    }

    /// Publishes the changes of the commit to other consumers and live clients.
    async fn publish(&self, published: Published) -> Result<(), Failure> {
        let Published { processed, events, removed, unpublished } = published;
        let stream = &self.worker.stream;
        if !processed.is_empty() {
            let publish = || stream.publish_processed(processed.clone());
            self.retried("stream", always::<StreamError>, publish).await?;
        }
        if !events.is_empty()
            && let Err(error) = self.worker.live.publish(events).await
        {
            metrics::counter!("sentistream_live_publish_failures_total").increment(1);
            tracing::debug!(%error, "live events lost; clients read them from the API");
        }
        if !unpublished.is_empty() {
            self.worker.cache.clear().await;
        }
        if !removed.is_empty() {
            self.retried("stream", always::<StreamError>, || stream.forget_posts(&removed, &unpublished)).await?;
        }
        Ok(())
    }

    async fn acknowledge(&self, tasks: &[Task]) -> Result<(), Failure> {
        let keys = keys(tasks);
        let ack = || self.worker.stream.ack(self.consumer, &keys);
        self.retried("stream", always::<StreamError>, ack).await
    }

    async fn dead_letter(&self, entry: Entry, reason: DeadLetterReason, error: String) {
        let request = DeadLetterRequest { entry, reason, error };
        let add = || self.worker.stream.dead_letter(request.clone(), self.worker.clock.now());
        // If the process stops before the entry is a dead letter, the entry stays claimed, and another consumer takes
        // it over later.
        if let Ok(true) = self.retried("stream", always::<StreamError>, add).await {
            count(Some(Outcome::DeadLettered));
            metrics::counter!("sentistream_dead_letters_total", "reason" => reason.as_str()).increment(1);
        }
    }

    async fn release(&self, tasks: &[Task], how: Release) {
        if let Err(error) = self.worker.stream.release(self.consumer, &keys(tasks), how).await {
            tracing::warn!(
                %error,
                entries = tasks.len(),
                "entries not released: other consumers take them over when their claims expire"
            );
        }
    }

    /// Retries `attempt` while the backend is unavailable.
    async fn retried<T, E: Display, F: Future<Output = Result<T, E>>>(
        &self,
        backend: &'static str,
        is_transient: impl Fn(&E) -> bool,
        attempt: impl FnMut() -> F,
    ) -> Result<T, Failure>
    where
        Failure: From<GaveUp<E>>,
    {
        Ok(retry(BackendWait::new(backend), self.shutdown, is_transient, attempt).await?)
    }
}

fn crash_message(limit: u32) -> String {
    format!("the entry was delivered {limit} times without a result and may crash the process (worker.max_crashes)")
}

fn always<E>(_: &E) -> bool {
    true
}

impl From<GaveUp<StoreError>> for Failure {
    fn from(error: GaveUp<StoreError>) -> Self {
        match error {
            GaveUp::Stopping => Self::Abandoned,
            GaveUp::Failed(error) => Self::Entries { reason: DeadLetterReason::StoreFailed, error: error.to_string() },
        }
    }
}

impl From<GaveUp<InferenceError>> for Failure {
    fn from(error: GaveUp<InferenceError>) -> Self {
        match error {
            GaveUp::Failed(InferenceError::Failed(error)) => {
                Self::Entries { reason: DeadLetterReason::AnalysisFailed, error }
            }
            GaveUp::Failed(error @ InferenceError::TooSlow(_)) => {
                Self::Entries { reason: DeadLetterReason::AnalysisFailed, error: error.to_string() }
            }
            GaveUp::Failed(_) | GaveUp::Stopping => Self::Abandoned,
        }
    }
}

/// A failure of the stream is never caused by an entry, so it is retried until the process stops.
impl From<GaveUp<StreamError>> for Failure {
    fn from(_: GaveUp<StreamError>) -> Self {
        Self::Abandoned
    }
}

/// Counts the posts of a batch and their texts. The first text of each post is the whole post; the others are parts of
/// it.
fn record_batch(works: &[&mut Work<'_>], analyses: &[Analysis]) {
    let tokens: u64 = analyses.iter().map(|analysis| u64::from(analysis.tokens)).sum();
    metrics::histogram!("sentistream_batch_posts").record(works.len() as f64);
    metrics::histogram!("sentistream_batch_tokens").record(tokens as f64);
    metrics::counter!("sentistream_tokens_total").increment(tokens);
    count_parts(analyses.len().saturating_sub(works.len()));
    let starts = works.iter().scan(0, |next, work| Some(std::mem::replace(next, *next + 1 + work.parts())));
    count_by_model(starts.filter_map(|start| analyses.get(start)));
}
