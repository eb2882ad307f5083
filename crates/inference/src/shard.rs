//! The loop that each thread of an engine runs.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use sentistream_core::domain::Analysis;

use super::answers::Answers;
use super::cores::CoreShare;
use super::error::ClassifyError;
use super::meter::{Batch, Meter};
use super::network::Scratch;
use super::panel::{BatchClassifier, Encoded};
use super::queue::{Job, Queue, Ready, Task};

/// Runs tasks until the queue is closed.
pub fn run(queue: &Queue, shared: &Shared) {
    let mut shard = Shard { shared, scratch: Scratch::default() };
    match &shared.cores {
        None => loop {
            let task = queue.poll().or_else(|| {
                shard.scratch.shrink();
                queue.next()
            });
            let Some(task) = task else { return };
            shard.execute(task, queue);
        },
        Some(cores) => loop {
            if !queue.has_work() {
                shard.scratch.shrink();
            }
            if !queue.wait() {
                return;
            }
            // The thread waits for a core before it takes a task. During this wait another thread can take the task, or
            // the caller can cancel it.
            let _turn = cores.turn();
            if let Some(task) = queue.poll() {
                shard.execute(task, queue);
            }
        },
    }
}

/// The state that the threads of an engine share in addition to the queue.
pub struct Shared {
    /// The classifier of batches.
    pub classifier: Arc<dyn BatchClassifier>,
    /// The measurement of the speed of all threads.
    pub meter: Meter,
    /// The cache of analyses.
    pub answers: Answers,
    /// Access to the cores that the engine shares with other engines; `None` if it never waits for a core.
    pub cores: Option<CoreShare>,
}

struct Shard<'a> {
    shared: &'a Shared,
    scratch: Scratch,
}

impl Shard<'_> {
    fn execute(&mut self, task: Task, queue: &Queue) {
        match task {
            Task::Tokenise(jobs) => {
                let ready: Vec<Ready> = jobs.into_iter().filter_map(|job| self.tokenise(job)).collect();
                if !ready.is_empty() {
                    queue.push_ready(ready);
                }
            }
            Task::Classify(batch) => self.settle(batch),
        }
    }

    fn tokenise(&self, job: Job) -> Option<Ready> {
        let Job { text, slot } = job;
        if slot.request.is_over() {
            return None;
        }
        let encoded = catch_unwind(AssertUnwindSafe(|| self.shared.classifier.encode(&text)));
        match encoded.unwrap_or_else(|panic| Err(panicked(&*panic))) {
            Ok(encoded) => {
                let encoded = Encoded { depth: slot.request.depth(), ..encoded };
                let Some(analysis) = self.shared.answers.get(&encoded) else { return Some(Ready { encoded, slot }) };
                self.shared.meter.record_cached();
                slot.fill_cached(analysis);
                None
            }
            Err(error) => {
                slot.request.fail(error.into());
                None
            }
        }
    }

    /// Classifies a batch. If that fails, each request is classified separately, so that a text that makes the model
    /// fail affects only its own request.
    fn settle(&mut self, mut batch: Vec<Ready>) {
        batch.retain(|ready| !ready.slot.request.is_over());
        let Err(error) = self.classify_batch(&batch) else { return };
        let mut requests: Vec<Vec<Ready>> = Vec::new();
        for ready in batch {
            match requests.iter_mut().find(|group| Arc::ptr_eq(&group[0].slot.request, &ready.slot.request)) {
                Some(group) => group.push(ready),
                None => requests.push(vec![ready]),
            }
        }
        if let [alone] = requests.as_slice() {
            return alone[0].slot.request.fail(error.into());
        }
        for request in requests {
            if let Err(error) = self.classify_batch(&request) {
                request[0].slot.request.fail(error.into());
            }
        }
    }

    /// Classifies each distinct text of the batch once and stores the analyses.
    fn classify_batch(&mut self, batch: &[Ready]) -> Result<(), ClassifyError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut places: HashMap<&Encoded, usize> = HashMap::with_capacity(batch.len());
        let mut texts: Vec<&Encoded> = Vec::with_capacity(batch.len());
        let uses: Vec<usize> = batch
            .iter()
            .map(|ready| {
                *places.entry(&ready.encoded).or_insert_with(|| {
                    texts.push(&ready.encoded);
                    texts.len() - 1
                })
            })
            .collect();
        let started = Instant::now();
        let analyses = self.classify_texts(&texts)?;
        let tokens = texts.iter().map(|text| text.cost()).sum();
        let layers = analyses.iter().filter_map(|analysis| analysis.layers).map(u64::from).sum();
        self.shared.meter.record(Batch {
            posts: batch.len(),
            texts: texts.len(),
            layers,
            tokens,
            took: started.elapsed(),
        });
        for (text, analysis) in texts.iter().zip(&analyses) {
            self.shared.answers.insert(text, analysis);
            if let Some(layers) = analysis.layers {
                metrics::histogram!("sentistream_inference_layers").record(layers);
            }
        }
        for (ready, index) in batch.iter().zip(uses) {
            ready.slot.fill(analyses[index].clone());
        }
        Ok(())
    }

    fn classify_texts(&mut self, texts: &[&Encoded]) -> Result<Vec<Analysis>, ClassifyError> {
        let Self { shared, scratch } = self;
        let outcome = catch_unwind(AssertUnwindSafe(|| shared.classifier.classify(texts, scratch)));
        outcome.unwrap_or_else(|panic| {
            // A panic may leave inconsistent buffers, so they are discarded.
            self.scratch = Scratch::default();
            Err(panicked(&*panic))
        })
    }
}

fn panicked(panic: &(dyn Any + Send)) -> ClassifyError {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    ClassifyError::Panicked(words.unwrap_or("no message").to_owned())
}
