//! Posts that are piped in: NDJSON lines, or CSV.
//!
//! A thread of its own reads, since nothing can end a read that waits; it ends with the process. What a source
//! has given is kept until it is asked for more, which says that it is in the stream: a source that is paused
//! gives it again when it is resumed. The end of the input ends the source.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::file::{Chunk, FieldMap, PostReader, ReadOptions};
use super::{Batch, Source, SourceError, SourceSpec};
use crate::clock::Clock;
use crate::domain::Op;

/// Records that are read at once.
const CHUNK: usize = 500;

type Reading = Result<Chunk, String>;

/// What was read and is not in the stream yet; outlives each opening of the source.
struct Pipe {
    chunks: tokio::sync::Mutex<mpsc::Receiver<Reading>>,
    given: Mutex<Option<Given>>,
}

#[derive(Clone)]
struct Given {
    ops: Vec<Op>,
    finished: bool,
}

/// The source of what is piped in.
struct Stdin {
    pipe: Arc<Pipe>,
    /// Whether this opening has given what `pipe.given` holds.
    gave: bool,
}

/// The source `name`, reading the standard input. Each instance has its own.
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
        Arc::new(Pipe { chunks: tokio::sync::Mutex::new(chunks), given: Mutex::new(None) })
    };
    let spec =
        SourceSpec::new("stdin", name, move |_| Box::new(Stdin { pipe: pipe.get_or_init(&open).clone(), gave: false }));
    spec.of_each_instance()
}

fn read(input: Box<dyn Read + Send>, map: FieldMap, clock: &Clock, send: &mpsc::Sender<Reading>) {
    let mut reader = match PostReader::new(input, &ReadOptions { format: None, map }) {
        Ok(reader) => reader,
        Err(error) => {
            // Nobody listens only when the process ends.
            let _ = send.blocking_send(Err(error.to_string()));
            return;
        }
    };
    loop {
        let chunk = reader.chunk(CHUNK, clock).map_err(|error| error.to_string());
        let ends = chunk.as_ref().map_or(true, |chunk| chunk.finished);
        if send.blocking_send(chunk).is_err() || ends {
            return;
        }
    }
}

impl Stdin {
    async fn batch(&mut self) -> Result<Batch, SourceError> {
        let again = {
            let mut given = self.pipe.given.lock().unwrap_or_else(PoisonError::into_inner);
            if self.gave {
                *given = None;
            }
            given.clone()
        };
        self.gave = true;
        if let Some(Given { ops, finished }) = again {
            return Ok(Batch { ops, finished, ..Batch::default() });
        }
        let reading = self.pipe.chunks.lock().await.recv().await;
        let Some(reading) = reading else { return Ok(Batch { finished: true, ..Batch::default() }) };
        let chunk = reading.map_err(|error| SourceError::Permanent(format!("the standard input: {error}")))?;
        let ops: Vec<_> = chunk.posts.into_iter().map(|(post, _)| Op::Post(post)).collect();
        let given = Given { ops: ops.clone(), finished: chunk.finished };
        *self.pipe.given.lock().unwrap_or_else(PoisonError::into_inner) = Some(given);
        let rejected = chunk.rejected.iter().map(|error| format!("the standard input, {error}")).collect();
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
    use crate::sources::Opening;

    #[tokio::test]
    async fn what_was_given_and_not_taken_is_given_again_and_the_end_ends_it() {
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
