//! The live bus over Redis Pub/Sub, for any number of processes.
//!
//! Posts are published on their own channel as plain JSON, for other programs. All other events are published on the
//! events channel, as `{type, data}`. The first subscriber of a process opens its subscription to Redis, which all
//! subscribers of the process share. Redis stores nothing for an interrupted subscription, so after each interruption
//! subscribers are notified that an unknown number of events was lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fred::clients::SubscriberClient;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::{Message, Value};
use serde::Deserialize;
use tokio::sync::broadcast::{self, Receiver, error::RecvError};
use tokio::task::JoinHandle;

use crate::domain::{LiveEvent, PostId};
use crate::redis::{Line, Redis, RedisError};

use super::{LiveError, LiveMessage, SUBSCRIBER_BUFFER, Subscription, frame};

/// The interval of the pings that detect a broken subscription.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// The pause before a failed subscription is retried.
const RETRY: Duration = Duration::from_millis(500);
/// The maximum number of events per pipeline.
const CHUNK: usize = 500;

/// The names of the channels.
#[derive(Clone, Debug)]
pub struct Channels {
    /// Posts that were stored, replaced or analysed again (`sentiment_updates`).
    pub updates: String,
    /// All other events (`sentiment_events`).
    pub events: String,
}

/// A bus over Redis. Clones share it.
#[derive(Clone)]
pub struct RedisBus(Arc<Inner>);

struct Inner {
    redis: Redis,
    channels: Channels,
    fan_out: broadcast::Sender<LiveMessage>,
    subscription: Mutex<Option<JoinHandle<()>>>,
}

impl RedisBus {
    /// Creates a bus at `redis`. Redis may be unreachable at this time.
    pub fn new(redis: Redis, channels: Channels) -> Self {
        let fan_out = broadcast::Sender::new(SUBSCRIBER_BUFFER);
        Self(Arc::new(Inner { redis, channels, fan_out, subscription: Mutex::default() }))
    }

    pub(super) async fn publish(&self, events: Vec<LiveEvent>) -> Result<(), LiveError> {
        for chunk in events.chunks(CHUNK) {
            let messages: Vec<(&str, String)> = chunk.iter().map(|event| self.message(event)).collect();
            let publish = self.0.redis.run(|client| async move {
                let pipeline = client.pipeline();
                for (channel, message) in messages {
                    pipeline.publish::<(), _, _>(channel, message).await?;
                }
                pipeline.all::<Value>().await
            });
            publish.await.map_err(|error| LiveError(error.to_string()))?;
        }
        Ok(())
    }

    fn message(&self, event: &LiveEvent) -> (&str, String) {
        match event {
            // A post event holds only strings and finite numbers, which always serialise.
            LiveEvent::Post(post) => (&self.0.channels.updates, serde_json::to_string(post).unwrap_or_default()),
            other => (&self.0.channels.events, frame(other).to_string()),
        }
    }

    pub(super) fn subscribe(&self) -> Subscription {
        let receiver = self.0.fan_out.subscribe();
        let mut subscription = self.0.subscription.lock().unwrap_or_else(PoisonError::into_inner);
        if subscription.is_none() {
            let (redis, channels) = (self.0.redis.clone(), self.0.channels.clone());
            // The task holds the sender instead of the bus, so that dropping the last clone of the bus aborts the task.
            let fan_out = self.0.fan_out.clone();
            *subscription = Some(self.0.redis.runtime().spawn(forward(redis, channels, fan_out)));
        }
        Subscription(receiver)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let subscription = self.subscription.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = subscription {
            task.abort();
        }
    }
}

/// Maintains one subscription until the task is aborted, and replaces a connection that breaks.
async fn forward(redis: Redis, channels: Channels, fan_out: broadcast::Sender<LiveMessage>) {
    let mut is_first = true;
    loop {
        let line = redis.open_subscriber();
        let mut messages = line.client.message_rx();
        if line.unless_ended(subscribe(&redis, &line, &channels)).await.is_some_and(|result| result.is_ok()) {
            if !is_first {
                // Sending fails only if there are no subscribers, also in the functions below.
                let _ = fan_out.send(LiveMessage::Interrupted);
            }
            line.unless_ended(async {
                tokio::select! {
                    () = fan(&mut messages, &channels, &fan_out) => {}
                    () = watch(&redis, &line) => {}
                }
            })
            .await;
        }
        is_first = false;
        drop(line);
        tokio::time::sleep(RETRY).await;
    }
}

async fn subscribe(redis: &Redis, line: &Line<SubscriberClient>, channels: &Channels) -> Result<(), RedisError> {
    let names = vec![channels.updates.clone(), channels.events.clone()];
    redis.run_on(line, Duration::ZERO, Box::pin(line.client.subscribe(names))).await
}

/// Pings the connection, and returns when it no longer responds.
async fn watch(redis: &Redis, line: &Line<SubscriberClient>) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        if redis.run_on(line, Duration::ZERO, Box::pin(line.client.ping::<()>(None))).await.is_err() {
            return;
        }
    }
}

/// Forwards messages until the connection ends.
async fn fan(messages: &mut Receiver<Message>, channels: &Channels, fan_out: &broadcast::Sender<LiveMessage>) {
    loop {
        let message = match messages.recv().await {
            Ok(message) => read(&message, channels),
            Err(RecvError::Lagged(_)) => Some(LiveMessage::Interrupted),
            Err(RecvError::Closed) => return,
        };
        if let Some(message) = message {
            let _ = fan_out.send(message);
        }
    }
}

/// Parses a message; `None` if another program or version published an event that is not known here.
fn read(message: &Message, channels: &Channels) -> Option<LiveMessage> {
    let payload = message.value.as_str()?;
    let event = if *message.channel == *channels.updates {
        serde_json::from_str(&payload).map(|post| Some((LiveEvent::Post(post), wrap("post", &payload))))
    } else {
        read_frame(&payload).map(|event| event.map(|event| (event, payload.into_owned())))
    };
    match event {
        Ok(Some((event, json))) => Some(LiveMessage::Event { event: Arc::new(event), json: json.into() }),
        Ok(None) => {
            tracing::debug!(channel = %message.channel, "ignoring an event of an unknown type");
            None
        }
        Err(error) => {
            tracing::debug!(channel = %message.channel, %error, "ignoring a message that is not an event");
            None
        }
    }
}

fn wrap(kind: &str, data: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"data\":{data}}}")
}

/// Parses `{type, data}`; `None` if the type is unknown.
fn read_frame(payload: &str) -> serde_json::Result<Option<LiveEvent>> {
    #[derive(Deserialize)]
    struct Frame<'a> {
        r#type: String,
        #[serde(borrow)]
        data: &'a serde_json::value::RawValue,
    }
    #[derive(Deserialize)]
    struct Deleted {
        post_id: String,
    }
    let frame: Frame<'_> = serde_json::from_str(payload)?;
    let data = frame.data.get();
    Ok(match frame.r#type.as_str() {
        "alert" => Some(LiveEvent::Alert(serde_json::from_str(data)?)),
        "alert_state" => Some(LiveEvent::AlertState(serde_json::from_str(data)?)),
        "post_deleted" => {
            let deleted: Deleted = serde_json::from_str(data)?;
            PostId::parse(&deleted.post_id).ok().map(LiveEvent::PostDeleted)
        }
        _ => None,
    })
}
