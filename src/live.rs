//! The live bus: events of newly stored posts, alerts and deletions, within and between processes.
//!
//! Events notify, they are no record: a subscriber that is slow or cut off is told so and reads
//! what it missed through the API.

use std::sync::Arc;

use crate::domain::LiveEvent;

/// What a subscriber receives.
#[derive(Clone, Debug)]
pub enum LiveMessage {
    /// An event and its JSON (`{type, data}`, as the WebSocket sends it), serialised once for all subscribers.
    Event { event: Arc<LiveEvent>, json: Arc<str> },
    /// The process lost its own subscription and has it again: an unknown number of events is missing.
    Interrupted,
}

/// Why an event could not be published.
#[derive(Debug, thiserror::Error)]
#[error("the live bus is not available: {0}")]
pub struct LiveError(pub String);

/// A subscription; dropping it ends it.
pub struct Subscription {}

/// How many events a subscriber may lag behind before it loses the oldest.
pub const SUBSCRIBER_BUFFER: usize = 1_024;

/// What a subscription yields.
#[derive(Clone, Debug)]
pub enum Received {
    Message(LiveMessage),
    /// The subscriber was too slow and lost this many events.
    Lagged(u64),
}

/// The live bus. Clones share it.
#[derive(Clone)]
pub struct LiveBus {}

#[expect(clippy::todo, clippy::unused_async, clippy::needless_pass_by_value, reason = "signatures first")]
impl LiveBus {
    /// Tells every subscriber of every process, in order.
    ///
    /// # Errors
    /// When the bus is away. Events are lost then; the store has the record.
    pub async fn publish(&self, _events: Vec<LiveEvent>) -> Result<(), LiveError> {
        todo!()
    }

    /// Begins a subscription of this process.
    pub fn subscribe(&self) -> Subscription {
        todo!()
    }
}

#[expect(clippy::todo, clippy::unused_async, reason = "signatures first")]
impl Subscription {
    /// The next message; `None` when the bus has closed.
    pub async fn recv(&mut self) -> Option<Received> {
        todo!()
    }
}
