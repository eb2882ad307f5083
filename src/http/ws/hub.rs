//! The live clients of this process. One subscription to the bus fans out to their queues.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::domain::LiveEvent;
use crate::lifecycle::Shutdown;
use crate::live::{LiveMessage, Received, Subscription};
use crate::telemetry::trace::{Span, Traceparent};

use super::super::options::LiveOptions;
use super::client::Client;
use super::frame::{self, Frame};

/// The live clients.
#[derive(Default)]
pub struct Hub {
    clients: RwLock<HashMap<u64, Registered>>,
    next_id: AtomicU64,
    closing: CancellationToken,
}

struct Registered {
    client: Arc<Client>,
    address: Option<IpAddr>,
}

/// A client's registration in the hub; dropping it removes the client.
pub struct Membership {
    hub: Arc<Hub>,
    id: u64,
    client: Arc<Client>,
}

impl std::ops::Deref for Membership {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.hub.clients.write().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        metrics::gauge!("sentistream_live_clients").decrement(1);
    }
}

impl Hub {
    /// Registers a client from `address`, unless the limit of all clients or of this address is reached.
    pub fn join(
        self: &Arc<Self>,
        options: &LiveOptions,
        address: Option<IpAddr>,
    ) -> Option<(Membership, mpsc::Receiver<Frame>)> {
        let (client, queue) = Client::new(options.buffer, options.slow_limit);
        let client = Arc::new(client);
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        // Clients connect rarely, so that a scan of all clients is acceptable.
        let same_address = clients.values().filter(|registered| registered.address == address).count();
        if clients.len() >= options.max_clients || same_address >= options.max_per_client {
            return None;
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        clients.insert(id, Registered { client: client.clone(), address });
        metrics::gauge!("sentistream_live_clients").increment(1);
        Some((Membership { hub: self.clone(), id, client }, queue))
    }

    /// Number of clients.
    pub fn clients(&self) -> usize {
        self.clients.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether the hub is disconnecting its clients.
    pub fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Completes when clients must be disconnected.
    pub async fn closing(&self) {
        self.closing.cancelled().await;
    }

    /// Disconnects every client.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Queues a frame for every client.
    pub fn broadcast(&self, frame: &Frame) {
        self.each(|client| client.push(frame.clone()));
    }

    fn each(&self, notify: impl Fn(&Client)) {
        // Queueing never waits, so that a slow client does not hold the lock.
        for registered in self.clients.read().unwrap_or_else(PoisonError::into_inner).values() {
            notify(&registered.client);
        }
    }

    /// Forwards the events of the bus until it closes or the process stops.
    pub async fn run(self: Arc<Self>, mut subscription: Subscription, shutdown: Shutdown) {
        while let Some(Some(received)) = shutdown.unless_stopping(subscription.recv()).await {
            match received {
                Received::Message(LiveMessage::Event { event, json }) => self.deliver(&event, json),
                Received::Message(LiveMessage::Interrupted) => self.each(|client| client.missed(None)),
                Received::Lagged(count) => self.each(|client| client.missed(Some(count))),
            }
        }
        self.close();
    }

    fn deliver(&self, event: &LiveEvent, json: Arc<str>) {
        let frame = frame::shared(json);
        match event {
            LiveEvent::Post(post) => {
                let span = Traceparent::read(post.traceparent.as_deref().map(str::as_bytes))
                    .and_then(|context| Span::below(&context, "deliver"));
                let receivers = Cell::new(0);
                self.each(|client| {
                    if client.filters().match_post(post) {
                        client.push(frame.clone());
                        receivers.set(receivers.get() + 1);
                    }
                });
                if let Some(span) = span {
                    span.set("sentistream.clients", receivers.get());
                }
            }
            LiveEvent::Alert(_) | LiveEvent::AlertState(_) | LiveEvent::PostDeleted(_) => self.broadcast(&frame),
        }
    }
}
