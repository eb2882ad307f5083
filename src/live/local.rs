//! The live bus within one process.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::domain::LiveEvent;

use super::{LiveMessage, SUBSCRIBER_BUFFER, Subscription, frame};

/// A bus within one process. Clones share it.
#[derive(Clone)]
pub struct LocalBus(broadcast::Sender<LiveMessage>);

impl Default for LocalBus {
    fn default() -> Self {
        Self(broadcast::Sender::new(SUBSCRIBER_BUFFER))
    }
}

impl LocalBus {
    pub(super) fn publish(&self, events: Vec<LiveEvent>) {
        if self.0.receiver_count() == 0 {
            return;
        }
        for event in events {
            let json = frame(&event);
            // An error means that there are no subscribers.
            let _ = self.0.send(LiveMessage::Event { event: Arc::new(event), json });
        }
    }

    pub(super) fn subscribe(&self) -> Subscription {
        Subscription(self.0.subscribe())
    }
}
