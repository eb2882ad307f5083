//! The live bus: events of newly stored posts, alerts and deletions, within and between processes.
//!
//! The bus stores no events. A subscriber that was slow or disconnected gets a message about the gap, and reads the
//! missed posts through the API.

pub mod local;
pub mod redis;

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::broadcast;

use crate::domain::LiveEvent;

pub use local::LocalBus;
pub use redis::{Channels, RedisBus};

/// A message on the bus.
#[derive(Clone, Debug)]
pub enum LiveMessage {
    /// An event that was published on the bus.
    Event {
        /// The event.
        event: Arc<LiveEvent>,
        /// The JSON of the event (`{type, data}`, as the WebSocket sends it), serialised once for all subscribers.
        json: Arc<str>,
    },
    /// An unknown number of events was lost, because the subscription of the process was interrupted, or the process
    /// did not read its messages fast enough.
    Interrupted,
}

/// Why an event could not be published.
#[derive(Debug, thiserror::Error)]
#[error("the live bus is not available: {0}")]
pub struct LiveError(pub String);

/// The number of events that are buffered for a subscriber. A subscriber that lags behind by more events loses the
/// oldest ones.
pub const SUBSCRIBER_BUFFER: usize = 1_024;

/// A message, or a report that messages were lost.
#[derive(Clone, Debug)]
pub enum Received {
    /// A message of the bus: an event, or a report that the process lost events.
    Message(LiveMessage),
    /// The subscriber was too slow and lost this many events.
    Lagged(u64),
}

/// A subscription to the bus. Drop it to unsubscribe.
pub struct Subscription(broadcast::Receiver<LiveMessage>);

impl Subscription {
    /// The next message; `None` if the bus was closed.
    pub async fn recv(&mut self) -> Option<Received> {
        match self.0.recv().await {
            Ok(message) => Some(Received::Message(message)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Received::Lagged(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The next message, if one has already arrived. Does not wait.
    pub fn try_recv(&mut self) -> Option<Received> {
        match self.0.try_recv() {
            Ok(message) => Some(Received::Message(message)),
            Err(broadcast::error::TryRecvError::Lagged(missed)) => Some(Received::Lagged(missed)),
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => None,
        }
    }
}

/// The live bus, in memory or over Redis. Clones share it.
#[derive(Clone)]
pub enum LiveBus {
    /// A bus within this process.
    Local(LocalBus),
    /// A bus between processes.
    Redis(RedisBus),
}

impl LiveBus {
    /// Publishes events in order to the subscribers of all processes.
    ///
    /// # Errors
    /// When the bus is unavailable. Some or all of the events are then lost, but their contents are in the store.
    pub async fn publish(&self, events: Vec<LiveEvent>) -> Result<(), LiveError> {
        match self {
            Self::Local(bus) => {
                bus.publish(events);
                Ok(())
            }
            Self::Redis(bus) => bus.publish(events).await,
        }
    }

    /// Subscribes to all events. With Redis, the first call also subscribes the process, so call it before clients are
    /// served.
    pub fn subscribe(&self) -> Subscription {
        match self {
            Self::Local(bus) => bus.subscribe(),
            Self::Redis(bus) => bus.subscribe(),
        }
    }
}

/// The WebSocket frame of an event, which is also the payload of the channel `sentiment_events`.
fn frame(event: &LiveEvent) -> Arc<str> {
    let json = match event {
        LiveEvent::Post(post) => to_frame("post", post),
        LiveEvent::Alert(alert) => to_frame("alert", alert),
        LiveEvent::AlertState(transition) => to_frame("alert_state", transition),
        LiveEvent::PostDeleted(post_id) => to_frame("post_deleted", &serde_json::json!({ "post_id": post_id })),
    };
    json.into()
}

fn to_frame<T: Serialize>(kind: &'static str, data: &T) -> String {
    #[derive(Serialize)]
    struct Frame<'a, T> {
        r#type: &'static str,
        data: &'a T,
    }
    // Serialisation fails only for maps whose keys are not text, and events contain no such maps.
    serde_json::to_string(&Frame { r#type: kind, data }).unwrap_or_default()
}
