//! Sources for tests.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::domain::{Op, PostDraft, Timestamp};
use crate::sources::{Batch, Source, SourceError, SourceSpec};

/// A source that follows a script, then waits forever. A reopened source continues with the script.
pub(super) struct Scripted {
    pub(super) name: &'static str,
    pub(super) script: Arc<Mutex<Script>>,
}

pub(super) struct Script {
    pub(super) steps: VecDeque<Result<usize, SourceError>>,
    pub(super) given: usize,
}

impl Scripted {
    pub(super) fn spec(name: &'static str, steps: Vec<Result<usize, SourceError>>) -> SourceSpec {
        let script = Arc::new(Mutex::new(Script { steps: steps.into(), given: 0 }));
        SourceSpec::new("scripted", name, move |_| Box::new(Self { name, script: script.clone() }))
    }

    pub(super) fn step(&self, max: usize) -> Option<Result<Batch, SourceError>> {
        let mut script = self.script.lock().unwrap();
        let count = match script.steps.pop_front()? {
            Ok(count) => count,
            Err(error) => return Some(Err(error)),
        };
        assert!(count <= max);
        let ops = (script.given..script.given + count).map(|id| op(self.name, id)).collect();
        script.given += count;
        Some(Ok(Batch { ops, cursor: Some(script.given.to_string()), ..Batch::default() }))
    }
}

impl Source for Scripted {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(async move {
            match self.step(max) {
                Some(step) => step,
                None => std::future::pending().await,
            }
        })
    }
}

/// A source that panics at first and then yields a post.
pub(super) struct Panicking(pub(super) Arc<AtomicUsize>);

impl Source for Panicking {
    fn next(&mut self, _max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(async move {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => panic!("an odd item"),
                1 => Ok(Batch { ops: vec![op("odd", 1)], cursor: Some("1".to_owned()), ..Batch::default() }),
                _ => std::future::pending().await,
            }
        })
    }
}

/// A source that yields consecutive numbers from its cursor, one post at a time, so that repeated and missing posts are
/// visible.
pub(super) struct Counting {
    name: &'static str,
    next: usize,
    readers: Arc<Mutex<Vec<&'static str>>>,
    instance: &'static str,
}

impl Counting {
    pub(super) fn spec(instance: &'static str, readers: &Arc<Mutex<Vec<&'static str>>>) -> SourceSpec {
        let readers = readers.clone();
        SourceSpec::new("counting", "count", move |opening| {
            let next = opening.cursor.map_or(0, |cursor| cursor.parse().unwrap());
            Box::new(Self { name: "count", next, readers: readers.clone(), instance })
        })
    }
}

impl Source for Counting {
    fn next(&mut self, _max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(async move {
            self.readers.lock().unwrap().push(self.instance);
            let ops = vec![op(self.name, self.next)];
            self.next += 1;
            let wait = Duration::from_millis(5);
            Ok(Batch { ops, cursor: Some(self.next.to_string()), wait, ..Batch::default() })
        })
    }
}

/// A source that yields one batch of operations and then waits.
pub(super) struct Once(pub(super) Option<Vec<Op>>);

impl Source for Once {
    fn next(&mut self, _max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(async move {
            match self.0.take() {
                Some(ops) => Ok(Batch { ops, ..Batch::default() }),
                None => std::future::pending().await,
            }
        })
    }
}

pub(super) fn op(name: &str, id: usize) -> Op {
    let draft = PostDraft {
        post_id: Some(format!("{name}-{id}")),
        source: Some("x".to_owned()),
        content: Some("text".to_owned()),
        ..PostDraft::default()
    };
    Op::Post(draft.validate(Timestamp::EPOCH).unwrap())
}
