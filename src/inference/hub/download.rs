//! Downloading a model into the cache.
//!
//! The client waits without a limit, so it has a thread of its own, and whoever waits for the model
//! gives up when that thread has been silent for too long.

mod client;

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use hf_hub::api::Progress;

use super::progress::Meter;
use super::{HubError, HubModel, HubOptions, Snapshot};

/// Events that wait to be shown.
const EVENTS: usize = 64;

/// What the thread tells.
enum Event {
    /// A file begins.
    File { name: String, size: u64 },
    /// So many bytes came.
    Bytes(u64),
    /// It is busy with something else.
    Alive,
    /// It is over.
    Done(Result<Snapshot, HubError>),
}

/// Downloads what the cache lacks of `model`.
///
/// # Errors
/// Why it cannot be had.
pub fn run(model: &HubModel, options: &HubOptions) -> Result<Snapshot, HubError> {
    let (sender, events) = mpsc::sync_channel(EVENTS);
    let mut job = client::Job { model: model.clone(), options: options.clone(), told: Teller { sender, pending: 0 } };
    let thread = std::thread::Builder::new().name("hub-download".to_owned());
    let spawned = thread.spawn(move || {
        let outcome = job.run();
        // Whoever asked may have given up.
        let _ = job.told.sender.send(Event::Done(outcome));
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
                let reason = "the client broke off".to_owned();
                return Err(HubError::Unreachable { endpoint: options.endpoint.clone(), reason });
            }
        }
    }
}

/// The thread's end of the line.
#[derive(Clone)]
struct Teller {
    sender: SyncSender<Event>,
    /// Bytes that are not told yet.
    pending: u64,
}

impl Teller {
    fn alive(&self) {
        // When the line is full there is news enough; when it is cut, nobody listens.
        let _ = self.sender.try_send(Event::Alive);
    }

    /// Waits, but not in silence for longer than a moment.
    fn pause(&self, pause: Duration) {
        self.alive();
        std::thread::sleep(pause);
    }
}

impl Progress for Teller {
    fn init(&mut self, size: usize, name: &str) {
        self.pending = 0;
        let _ = self.sender.send(Event::File { name: name.to_owned(), size: size as u64 });
    }

    fn update(&mut self, size: usize) {
        self.pending += size as u64;
        if self.sender.try_send(Event::Bytes(self.pending)).is_ok() {
            self.pending = 0;
        }
    }

    fn finish(&mut self) {}
}
