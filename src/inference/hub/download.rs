//! Downloading a model into the cache.
//!
//! Requests block, so a download has a thread of its own. The caller gives up when that thread has sent no event
//! for too long.

mod client;

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use super::progress::Meter;
use super::{HubError, HubModel, HubOptions, Snapshot};

/// Events that wait for the progress display.
const EVENTS: usize = 64;

/// What the thread reports.
enum Event {
    /// A file begins.
    File { name: String, size: u64 },
    /// Bytes that were received since the last event.
    Bytes(u64),
    /// It is checking a file, or pausing before a retry.
    Alive,
    /// The download has ended.
    Done(Result<Snapshot, HubError>),
}

/// Downloads the files of `model` that the cache lacks.
///
/// # Errors
/// Why it is not available.
pub fn run(model: &HubModel, options: &HubOptions) -> Result<Snapshot, HubError> {
    let (sender, events) = mpsc::sync_channel(EVENTS);
    let mut job = client::Job { model: model.clone(), options: options.clone(), events: Teller { sender, pending: 0 } };
    let thread = std::thread::Builder::new().name("hub-download".to_owned());
    let spawned = thread.spawn(move || {
        let outcome = job.run();
        // Whoever asked may have given up.
        let _ = job.events.sender.send(Event::Done(outcome));
    });
    if let Err(e) = spawned {
        return Err(HubError::Unreachable { endpoint: options.endpoint.clone(), reason: e.to_string() });
    }
    watch(&events, options)
}

fn watch(events: &Receiver<Event>, options: &HubOptions) -> Result<Snapshot, HubError> {
    let mut meter = Meter::new();
    loop {
        match events.recv_timeout(options.silence_limit) {
            Ok(Event::File { name, size }) => meter.file(name, size),
            Ok(Event::Bytes(bytes)) => meter.add(bytes),
            Ok(Event::Alive) => {}
            Ok(Event::Done(outcome)) => return outcome,
            Err(RecvTimeoutError::Timeout) => {
                return Err(HubError::Silent { seconds: options.silence_limit.as_secs() });
            }
            Err(RecvTimeoutError::Disconnected) => {
                let reason = "the download ended without a result".to_owned();
                return Err(HubError::Unreachable { endpoint: options.endpoint.clone(), reason });
            }
        }
    }
}

/// The thread's end of the channel of events.
#[derive(Clone)]
struct Teller {
    sender: SyncSender<Event>,
    /// Bytes that are not reported yet.
    pending: u64,
}

impl Teller {
    fn alive(&self) {
        // A full channel has events enough, and without a receiver none is needed.
        let _ = self.sender.try_send(Event::Alive);
    }

    /// Waits. `pause` is shorter than the time without events that the caller accepts.
    fn pause(&self, pause: Duration) {
        self.alive();
        std::thread::sleep(pause);
    }

    /// A file of `size` bytes begins.
    fn file(&mut self, name: &str, size: u64) {
        self.pending = 0;
        // Whoever asked may have given up.
        let _ = self.sender.send(Event::File { name: name.to_owned(), size });
    }

    /// So many bytes more.
    fn received(&mut self, bytes: u64) {
        self.pending += bytes;
        if self.sender.try_send(Event::Bytes(self.pending)).is_ok() {
            self.pending = 0;
        }
    }
}
