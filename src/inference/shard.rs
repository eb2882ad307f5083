//! What one thread of the engine does.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crate::domain::Analysis;

use super::InferenceError;
use super::meter::{Batch, Meter};
use super::network::Scratch;
use super::panel::{Encoded, Judge};
use super::queue::{Job, Queue, Ready, Task};

/// Works until the queue is closed.
pub fn run(queue: &Queue, judge: &dyn Judge, meter: &Meter) {
    let mut shard = Shard { judge, meter, scratch: Scratch::default() };
    while let Some(task) = queue.next() {
        match task {
            Task::Tokenise(jobs) => {
                let ready: Vec<Ready> = jobs.into_iter().filter_map(|job| shard.tokenise(job)).collect();
                if !ready.is_empty() {
                    queue.push_ready(ready);
                }
            }
            Task::Judge(batch) => shard.settle(batch),
        }
    }
}

struct Shard<'a> {
    judge: &'a dyn Judge,
    meter: &'a Meter,
    scratch: Scratch,
}

impl Shard<'_> {
    fn tokenise(&self, job: Job) -> Option<Ready> {
        let Job { text, place } = job;
        if place.request.is_over() {
            return None;
        }
        match catch_unwind(AssertUnwindSafe(|| self.judge.encode(&text))).unwrap_or_else(|panic| Err(said(&*panic))) {
            Ok(encoded) => Some(Ready { encoded, place }),
            Err(reason) => {
                place.request.fail(InferenceError::Failed(reason));
                None
            }
        }
    }

    /// Judges a batch. When it fails, its requests are judged apart, so that a text that breaks
    /// the model fails no request but its own.
    fn settle(&mut self, mut batch: Vec<Ready>) {
        batch.retain(|ready| !ready.place.request.is_over());
        let Err(reason) = self.judge_batch(&batch) else { return };
        let mut requests: Vec<Vec<Ready>> = Vec::new();
        for ready in batch {
            match requests.iter_mut().find(|group| Arc::ptr_eq(&group[0].place.request, &ready.place.request)) {
                Some(group) => group.push(ready),
                None => requests.push(vec![ready]),
            }
        }
        if let [alone] = requests.as_slice() {
            return alone[0].place.request.fail(InferenceError::Failed(reason));
        }
        for request in requests {
            if let Err(reason) = self.judge_batch(&request) {
                request[0].place.request.fail(InferenceError::Failed(reason));
            }
        }
    }

    /// Judges texts once each, however often they stand in the batch, and files the analyses.
    fn judge_batch(&mut self, batch: &[Ready]) -> Result<(), String> {
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
        let analyses = self.judge_texts(&texts)?;
        let tokens = texts.iter().map(|text| text.cost()).sum();
        self.meter.record(Batch { posts: batch.len(), tokens, took: started.elapsed() });
        for (ready, index) in batch.iter().zip(uses) {
            ready.place.fill(analyses[index].clone());
        }
        Ok(())
    }

    fn judge_texts(&mut self, texts: &[&Encoded]) -> Result<Vec<Analysis>, String> {
        let Self { judge, scratch, .. } = self;
        let outcome = catch_unwind(AssertUnwindSafe(|| judge.judge(texts, scratch)));
        outcome.unwrap_or_else(|panic| {
            // What the broken run left behind is not trusted.
            self.scratch = Scratch::default();
            Err(said(&*panic))
        })
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the model broke off: {}", words.unwrap_or("no reason given"))
}
