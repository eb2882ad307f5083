//! Downloads a model into the cache.
//!
//! Requests block, so a download runs on a separate thread. The caller stops with an error if the thread sends no event
//! for too long.

mod client;

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use super::progress::Meter;
use super::{HubError, HubModel, HubOptions, Snapshot};

/// The capacity of the channel of events.
const EVENTS: usize = 64;

/// An event that the download thread sends to the caller.
enum Event {
    /// The download of a file starts.
    File { name: String, size: u64 },
    /// The number of bytes received since the last event.
    Bytes(u64),
    /// The thread is checking a file, or waiting before a retry.
    Alive,
    /// The download has ended.
    Done(Result<Snapshot, HubError>),
}

/// Downloads the files of `model` that are not in the cache.
///
/// # Errors
/// Why the model is not available.
pub fn run(model: &HubModel, options: &HubOptions) -> Result<Snapshot, HubError> {
    let (sender, events) = mpsc::sync_channel(EVENTS);
    let mut job =
        client::Job { model: model.clone(), options: options.clone(), events: EventSender { sender, pending: 0 } };
    let thread = std::thread::Builder::new().name("hub-download".to_owned());
    let spawned = thread.spawn(move || {
        let outcome = job.run();
        // Sending fails if the caller has timed out, which needs no handling.
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

/// The sender of events on the download thread.
#[derive(Clone)]
struct EventSender {
    sender: SyncSender<Event>,
    /// The number of received bytes that were not yet reported.
    pending: u64,
}

impl EventSender {
    fn alive(&self) {
        // If the channel is full, other events show that the thread is alive.
        let _ = self.sender.try_send(Event::Alive);
    }

    /// Waits for `pause`, which must be shorter than the timeout of the caller.
    fn pause(&self, pause: Duration) {
        self.alive();
        std::thread::sleep(pause);
    }

    /// Reports the start of a file of `size` bytes.
    fn file(&mut self, name: &str, size: u64) {
        self.pending = 0;
        // Sending fails if the caller has timed out, which needs no handling.
        let _ = self.sender.send(Event::File { name: name.to_owned(), size });
    }

    /// Reports that `bytes` further bytes were received.
    fn received(&mut self, bytes: u64) {
        self.pending += bytes;
        if self.sender.try_send(Event::Bytes(self.pending)).is_ok() {
            self.pending = 0;
        }
    }
}
