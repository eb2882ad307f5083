//! Reads posts from the standard input: NDJSON, a JSON array or CSV.
//!
//! A separate thread reads, because a blocking read cannot be cancelled. The thread ends with the process. The source
//! keeps a batch until the ingester requests the next one, because this request shows that the batch was appended to
//! the stream. If the source is opened again before this request, it returns the batch again. The source ends at the
//! end of the input.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::file::{Chunk, FieldMap, PostReader, ReadError, ReadOptions};
use super::{Batch, Source, SourceError, SourceSpec};
use sentistream_core::clock::Clock;
use sentistream_core::domain::Op;

/// The maximum number of records per batch.
const CHUNK: usize = 500;

type Reading = Result<Chunk, ReadError>;

/// Input that was read but is not in the stream yet. It is kept when the source is opened again.
struct Pipe {
    chunks: tokio::sync::Mutex<mpsc::Receiver<Reading>>,
    returned: Mutex<Option<Returned>>,
}

#[derive(Clone)]
struct Returned {
    ops: Vec<Op>,
    finished: bool,
}

/// The source of the standard input.
struct Stdin {
    pipe: Arc<Pipe>,
    /// Whether `pipe.returned` was returned since the source was last opened.
    has_returned: bool,
}

/// Creates the source `name`. Every instance reads its own standard input.
pub fn spec(name: &str, map: FieldMap, clock: Clock) -> SourceSpec {
    of_input(name, Box::new(std::io::stdin()), map, clock)
}

fn of_input(name: &str, input: Box<dyn Read + Send>, map: FieldMap, clock: Clock) -> SourceSpec {
    let input = Mutex::new(Some((input, map, clock)));
    let pipe: std::sync::OnceLock<Arc<Pipe>> = std::sync::OnceLock::new();
    let open = move || {
        let (send, chunks) = mpsc::channel(1);
        if let Some((input, map, clock)) = input.lock().unwrap_or_else(PoisonError::into_inner).take() {
            std::thread::spawn(move || read(input, map, &clock, &send));
        }
        Arc::new(Pipe { chunks: tokio::sync::Mutex::new(chunks), returned: Mutex::new(None) })
    };
    let spec = SourceSpec::new("stdin", name, move |_| {
        Box::new(Stdin { pipe: pipe.get_or_init(&open).clone(), has_returned: false })
    });
    spec.of_each_instance()
}

fn read(input: Box<dyn Read + Send>, map: FieldMap, clock: &Clock, send: &mpsc::Sender<Reading>) {
    let mut reader = match PostReader::new(input, &ReadOptions { map, ..ReadOptions::default() }) {
        Ok(reader) => reader,
        Err(error) => {
            // The receiver is dropped only when the process ends.
            let _ = send.blocking_send(Err(error));
            return;
        }
    };
    loop {
        let chunk = reader.chunk(CHUNK, clock).map_err(ReadError::from);
        let ends = chunk.as_ref().map_or(true, |chunk| chunk.finished);
        if send.blocking_send(chunk).is_err() || ends {
            return;
        }
    }
}

impl Stdin {
    async fn batch(&mut self) -> Result<Batch, SourceError> {
        let again = {
            let mut returned = self.pipe.returned.lock().unwrap_or_else(PoisonError::into_inner);
            if self.has_returned {
                *returned = None;
            }
            returned.clone()
        };
        self.has_returned = true;
        if let Some(Returned { ops, finished }) = again {
            return Ok(Batch { ops, finished, ..Batch::default() });
        }
        let reading = self.pipe.chunks.lock().await.recv().await;
        let Some(reading) = reading else { return Ok(Batch { finished: true, ..Batch::default() }) };
        let chunk = reading.map_err(|error| SourceError::Permanent(format!("standard input: {error}")))?;
        let ops: Vec<_> = chunk.posts.into_iter().map(|(post, _)| Op::Post(post)).collect();
        let returned = Returned { ops: ops.clone(), finished: chunk.finished };
        *self.pipe.returned.lock().unwrap_or_else(PoisonError::into_inner) = Some(returned);
        let rejected = chunk.rejected.iter().map(|error| format!("standard input, {error}")).collect();
        Ok(Batch { ops, rejected, finished: chunk.finished, ..Batch::default() })
    }
}

impl Source for Stdin {
    fn next(&mut self, _max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.batch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Opening;

    #[tokio::test]
    async fn unacknowledged_batch_is_returned_again_after_reopening() {
        let line = |id: usize| format!("{{\"post_id\": \"{id}\", \"source\": \"x\", \"content\": \"text\"}}\n");
        let text: String = (0..CHUNK + 10).map(line).collect::<String>() + "nonsense\n";
        let input = Box::new(std::io::Cursor::new(text.into_bytes()));
        let spec = of_input("stdin", input, FieldMap::default(), Clock::system());
        let first = spec.open(Opening::default()).next(1_000).await.unwrap();
        let mut source = spec.open(Opening::default());
        let again = source.next(1_000).await.unwrap();
        assert_eq!((first.ops.len(), &first.ops), (CHUNK, &again.ops));
        let second = source.next(1_000).await.unwrap();
        assert_eq!((second.ops.len(), second.rejected.len()), (10, 1));
        let end = source.next(1_000).await.unwrap();
        assert!(end.ops.is_empty() && end.finished);
    }
}
