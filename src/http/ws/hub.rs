//! The live clients of this process. One subscription to the bus fans out to their queues.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::domain::LiveEvent;
use crate::lifecycle::Shutdown;
use crate::live::{LiveMessage, Received, Subscription};
use crate::telemetry::trace::{Span, Traceparent};

use super::super::options::LiveOptions;
use super::client::Client;
use super::frame::{self, Frame};

/// The maximum number of events that clients get together (a round): a quarter of the default queue of a client.
const ROUND: usize = 64;
/// The number of clients that get the events of a round in one step. With at most this many clients, one step is
/// enough, so that no client waits.
const STEP: usize = 64;
/// The time between two steps: a round takes about 300 ms for 5,000 clients.
const STEP_TIME: Duration = Duration::from_millis(3);
/// The maximum number of steps of a round, which bounds its time. With more clients, each step has more clients.
const MOST_STEPS: usize = 160;

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

/// The registration of a client. Dropping it removes the client from the hub.
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
    /// Registers a client from `address`; `None` if the limit of all clients or of this address is reached.
    pub fn join(
        self: &Arc<Self>,
        options: &LiveOptions,
        address: Option<IpAddr>,
    ) -> Option<(Membership, mpsc::Receiver<Frame>)> {
        let (client, queue) = Client::new(options.buffer, options.slow_limit);
        let client = Arc::new(client);
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        // All clients are scanned. That is cheap enough, because clients connect rarely.
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
        for client in self.snapshot() {
            client.push(frame.clone());
        }
    }

    /// Forwards the events of the bus until it closes or the process stops.
    pub async fn run(self: Arc<Self>, mut subscription: Subscription, shutdown: Shutdown) {
        while let Some(Some(first)) = shutdown.unless_stopping(subscription.recv()).await {
            let mut round = vec![Delivery::new(first)];
            while round.len() < ROUND
                && let Some(next) = subscription.try_recv()
            {
                round.push(Delivery::new(next));
            }
            if shutdown.unless_stopping(self.deliver(&round)).await.is_none() {
                break;
            }
        }
        self.close();
    }

    /// Queues the events of `round` for all clients, in steps with some of the clients. Each client gets its frames
    /// together, so that its connection writes them together. With thousands of clients, the threads that write can
    /// serve requests between the steps.
    async fn deliver(&self, round: &[Delivery]) {
        let clients = self.snapshot();
        let step = STEP.max(clients.len().div_ceil(MOST_STEPS));
        for (number, some) in clients.chunks(step).enumerate() {
            if number > 0 {
                tokio::time::sleep(STEP_TIME).await;
            }
            for client in some {
                for delivery in round {
                    delivery.queue(client);
                }
            }
        }
    }

    fn snapshot(&self) -> Vec<Arc<Client>> {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        clients.values().map(|registered| registered.client.clone()).collect()
    }
}

/// A message of the bus for the clients.
struct Delivery {
    message: Message,
    span: Option<Span>,
    receivers: AtomicI64,
}

enum Message {
    Event {
        event: Arc<LiveEvent>,
        frame: Frame,
    },
    /// The clients missed events; `None` for an unknown number.
    Missed(Option<u64>),
}

impl Delivery {
    fn new(received: Received) -> Self {
        let message = match received {
            Received::Message(LiveMessage::Event { event, json }) => {
                Message::Event { event, frame: frame::shared(json) }
            }
            Received::Message(LiveMessage::Interrupted) => Message::Missed(None),
            Received::Lagged(count) => Message::Missed(Some(count)),
        };
        let span = match &message {
            Message::Event { event, .. } => match &**event {
                LiveEvent::Post(post) => Traceparent::read(post.traceparent.as_deref().map(str::as_bytes))
                    .and_then(|context| Span::below(&context, "deliver")),
                _ => None,
            },
            Message::Missed(_) => None,
        };
        Self { message, span, receivers: AtomicI64::new(0) }
    }

    /// Queues the message for a client whose filters match.
    fn queue(&self, client: &Client) {
        match &self.message {
            Message::Missed(count) => client.missed(*count),
            Message::Event { event, frame } => {
                let is_wanted = match &**event {
                    LiveEvent::Post(post) => client.filters().match_post(post),
                    LiveEvent::Alert(_) | LiveEvent::AlertState(_) | LiveEvent::PostDeleted(_) => true,
                };
                if is_wanted {
                    client.push(frame.clone());
                    self.receivers.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(span) = &self.span {
            span.set("sentistream.clients", self.receivers.load(Ordering::Relaxed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::options::HttpOptions;
    use super::*;
    use crate::domain::PostId;
    use crate::live::LiveBus;

    fn deleted(id: &str) -> LiveEvent {
        LiveEvent::PostDeleted(PostId::parse(id).unwrap())
    }

    /// A hub with this number of clients.
    fn hub(clients: usize) -> (Arc<Hub>, Vec<(Membership, mpsc::Receiver<Frame>)>) {
        let hub = Arc::new(Hub::default());
        let options = HttpOptions::default().live;
        let members = (0..clients).map(|_| hub.join(&options, None).unwrap()).collect();
        (hub, members)
    }

    #[tokio::test(start_paused = true)]
    async fn many_clients_get_all_events_in_order_within_a_second() {
        let (hub, mut members) = hub(900);
        let bus = LiveBus::Local(Default::default());
        tokio::spawn(hub.run(bus.subscribe(), Shutdown::default()));
        let start = tokio::time::Instant::now();
        bus.publish(vec![deleted("a"), deleted("b")]).await.unwrap();
        tokio::task::yield_now().await;
        bus.publish(vec![deleted("c")]).await.unwrap();
        for (_, queue) in &mut members {
            for id in ["a", "b", "c"] {
                let frame = queue.recv().await.unwrap();
                assert!(frame.contains(&format!("\"{id}\"")), "{frame}");
            }
        }
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn few_clients_get_an_event_without_delay() {
        let (hub, mut members) = hub(STEP);
        let bus = LiveBus::Local(Default::default());
        tokio::spawn(hub.run(bus.subscribe(), Shutdown::default()));
        let start = tokio::time::Instant::now();
        bus.publish(vec![deleted("a")]).await.unwrap();
        for (_, queue) in &mut members {
            queue.recv().await.unwrap();
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
