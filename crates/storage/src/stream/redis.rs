//! The stream in Redis Streams, which any number of processes share as one consumer group.
//!
//! Atomic operations are Lua scripts; the others are plain commands. Redis may lose the stream, its group or its
//! counters at any time (`FLUSHALL`, a deletion, a failover): a call that finds one of them missing creates it and
//! continues. If only the group is lost, the epoch stays the same: the group reads the entries again, and the store
//! recognises settled entries by their ids. A missing stream, missing counters, or a stream with fewer added entries
//! than were seen before start a new epoch with new counts. Other programs may append entries, and may delete or trim
//! settled entries. If another program deletes a claimed entry, the entry no longer counts as appended. If another
//! program deletes an unread entry, the outcomes no longer add up to the number of appended entries.
//!
//! In a Redis Cluster the stream and the dead letter must share a hash tag, for example
//! `{posts}social_posts_stream` and `{posts}social_posts_dead_letter`.

mod books;
mod claims;
mod dead_letters;
mod forget;
mod processed;
mod reply;
mod scripts;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::{ClientLike, LuaInterface};
use fred::types::{CustomCommand, Value};

use crate::redis::{Line, Redis, RedisError};
use sentistream_core::domain::{EntryId, EntryKey, PostId, RawFields, Timestamp};

use super::{
    Consumer, ConsumerInfo, DeadLetter, DeadLetterRequest, DeadLetterSelection, Depth, Entry, Memory, Release,
    StreamError, StreamOptions,
};
use scripts::Script;

/// Redis Streams. Clones share it.
#[derive(Clone)]
pub struct RedisStream(Arc<Inner>);

struct Inner {
    redis: Redis,
    options: StreamOptions,
    keys: Keys,
    known_epoch: Mutex<Option<KnownEpoch>>,
    /// Idle connections for blocking reads. Each concurrent read uses a separate connection.
    readers: Mutex<Vec<Line<Client>>>,
    held: Mutex<HashMap<Consumer, Held>>,
    /// The last count of unread entries, which is used when Redis does not know this number.
    counted: Mutex<Option<books::Counted>>,
}

/// The names of the keys that scripts use.
struct Keys {
    stream: String,
    books: String,
    done: String,
    dead_letter: String,
    /// The index of the dead letters by post.
    dead_index: String,
    /// The index of the processed stream by post. In a cluster it may be on a different node than the other keys.
    processed_index: String,
}

impl Keys {
    fn new(options: &StreamOptions) -> Self {
        let own = beside(&options.name);
        Self {
            stream: options.name.clone(),
            books: format!("{own}:{}:books", options.group),
            done: format!("{own}:{}:dead_lettered", options.group),
            dead_letter: options.dead_letter.clone(),
            dead_index: format!("{}:posts", beside(&options.dead_letter)),
            processed_index: format!("{}:posts", beside(&options.processed)),
        }
    }

    fn all(&self) -> Vec<&str> {
        vec![&self.stream, &self.books, &self.done, &self.dead_letter, &self.dead_index]
    }

    fn slot(&self) -> u16 {
        fred::util::redis_keyslot(self.stream.as_bytes())
    }
}

/// The first part of a key that is in the same hash slot as `name`: `name` itself if it contains a hash tag, otherwise
/// `name` as a hash tag.
fn beside(name: &str) -> String {
    let tagged = name.split_once('{').is_some_and(|(_, rest)| rest.find('}').is_some_and(|end| end > 0));
    if tagged { name.to_owned() } else { format!("{{{name}}}") }
}

/// The current epoch of the stream, as far as this process knows.
#[derive(Clone)]
struct KnownEpoch {
    epoch: Arc<str>,
    /// The highest number of added entries that this process has read from Redis.
    added: u64,
}

/// The entries that a consumer of this process holds.
#[derive(Default)]
struct Held {
    ids: HashSet<EntryId>,
    /// Whether an answer of Redis was lost. If so, Redis may have assigned entries that the consumer did not receive.
    answer_lost: bool,
}

impl RedisStream {
    /// The stream on the server `redis`. The stream is created when it is first needed.
    ///
    /// # Errors
    /// In a cluster, when the names do not share a hash tag.
    pub fn connect(redis: Redis, options: StreamOptions) -> Result<Self, StreamError> {
        let keys = Keys::new(&options);
        if redis.is_cluster() && keys.all().iter().any(|key| fred::util::redis_keyslot(key.as_bytes()) != keys.slot()) {
            return Err(StreamError::Failed(format!(
                "in a Redis Cluster the names {:?} and {:?} must share a hash tag, for example {{posts}}{} and {{posts}}{}",
                options.name, options.dead_letter, options.name, options.dead_letter
            )));
        }
        Ok(Self(Arc::new(Inner {
            redis,
            options,
            keys,
            known_epoch: Mutex::default(),
            readers: Mutex::default(),
            held: Mutex::default(),
            counted: Mutex::default(),
        })))
    }

    pub(super) async fn append(&self, entries: Vec<RawFields>) -> Result<Vec<EntryId>, StreamError> {
        books::append(self, &entries).await
    }

    pub(super) async fn claim(
        &self,
        consumer: &Consumer,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Entry>, StreamError> {
        claims::claim(self, consumer, max, wait).await
    }

    pub(super) async fn rescue(&self, consumer: &Consumer, max: usize) -> Result<Vec<Entry>, StreamError> {
        claims::rescue(self, consumer, max).await
    }

    pub(super) async fn renew(&self, consumer: &Consumer, keys: &[EntryKey]) -> Result<(), StreamError> {
        claims::renew(self, consumer, keys).await
    }

    pub(super) async fn ack(&self, consumer: &Consumer, keys: &[EntryKey]) -> Result<(), StreamError> {
        claims::ack(self, consumer, keys).await
    }

    pub(super) async fn release(
        &self,
        consumer: &Consumer,
        keys: &[EntryKey],
        how: Release,
    ) -> Result<(), StreamError> {
        claims::release(self, consumer, keys, how).await
    }

    pub(super) async fn dead_letter(&self, request: DeadLetterRequest, now: Timestamp) -> Result<bool, StreamError> {
        dead_letters::add(self, &request, now).await
    }

    pub(super) async fn depth(&self) -> Result<Depth, StreamError> {
        books::depth(self).await
    }

    pub(super) async fn consumers(&self) -> Result<Vec<ConsumerInfo>, StreamError> {
        claims::consumers(self).await
    }

    pub(super) async fn forget_consumers(&self, idle: Duration) -> Result<u64, StreamError> {
        claims::forget_consumers(self, idle).await
    }

    pub(super) async fn dead_letters(
        &self,
        limit: usize,
        before: Option<EntryId>,
    ) -> Result<Vec<DeadLetter>, StreamError> {
        dead_letters::page(self, limit, before).await
    }

    pub(super) async fn get_dead_letter(&self, id: EntryId) -> Result<Option<DeadLetter>, StreamError> {
        dead_letters::get(self, id).await
    }

    pub(super) async fn replay_dead_letters(&self, selection: &DeadLetterSelection) -> Result<u64, StreamError> {
        dead_letters::replay(self, selection).await
    }

    pub(super) async fn purge_dead_letters(&self, selection: &DeadLetterSelection) -> Result<u64, StreamError> {
        dead_letters::purge(self, selection).await
    }

    pub(super) async fn publish_processed(&self, entries: Vec<RawFields>) -> Result<(), StreamError> {
        processed::publish(self, &entries).await
    }

    pub(super) async fn forget_posts(&self, posts: &[PostId], stored: &[PostId]) -> Result<(), StreamError> {
        forget::forget(self, posts, stored).await
    }

    pub(super) async fn trim(&self) -> Result<EntryKey, StreamError> {
        books::trim(self).await
    }

    pub(super) async fn ping(&self) -> Result<(), StreamError> {
        self.0.redis.run(|client| async move { client.ping::<()>(None).await }).await.map_err(StreamError::from)
    }

    /// Runs a script. If the stream, its group or its counters are missing, creates them and runs the script again.
    async fn eval(&self, script: Script, args: &[Value]) -> Result<Value, StreamError> {
        match self.eval_once(script, args).await {
            Err(error) if is_lost(&error) => {
                self.begin().await?;
                self.eval_once(script, args).await.map_err(StreamError::from)
            }
            result => result.map_err(StreamError::from),
        }
    }

    async fn eval_once(&self, script: Script, args: &[Value]) -> Result<Value, RedisError> {
        let known_epoch = self.known_epoch().clone();
        let (epoch, added) =
            known_epoch.map_or((String::new(), 0), |known_epoch| (known_epoch.epoch.to_string(), known_epoch.added));
        let mut argv: Vec<Value> = vec![self.0.options.group.as_str().into(), epoch.into(), added.to_string().into()];
        argv.extend_from_slice(args);
        let keys = self.0.keys.all();
        self.0.redis.run(|client| async move { client.eval(script.0, keys, argv).await }).await
    }

    /// Runs one plain command on the node of the stream.
    async fn command(&self, name: &'static str, args: Vec<Value>) -> Result<Value, RedisError> {
        let command = CustomCommand::new_static(name, self.0.keys.slot(), false);
        self.0.redis.run(|client| async move { client.custom(command, args).await }).await
    }

    /// Creates missing parts of the stream, its group and its counters. Returns the epoch.
    async fn begin(&self) -> Result<Arc<str>, StreamError> {
        let new = uuid::Uuid::new_v4().to_string();
        let reply = self.eval_once(scripts::BEGIN, &[new.into()]).await?;
        let mut reply = reply::list(reply);
        let epoch = reply::text(reply.next())?;
        if reply::text(reply.next())? == "group" {
            tracing::warn!(group = self.0.options.group, "consumer group created, reading from the first entry");
        }
        Ok(self.epoch(&epoch))
    }

    /// Returns a shared string for the epoch that Redis returned, and logs a new epoch once.
    fn epoch(&self, epoch: &str) -> Arc<str> {
        let mut known_epoch = self.known_epoch();
        match &*known_epoch {
            Some(known) if *known.epoch == *epoch => return known.epoch.clone(),
            Some(known) => {
                tracing::warn!(epoch, before = %known.epoch, "stream lost or replaced, new epoch started");
            }
            None => tracing::debug!(epoch, "stream epoch found"),
        }
        let new: Arc<str> = epoch.into();
        *known_epoch = Some(KnownEpoch { epoch: new.clone(), added: 0 });
        new
    }

    /// Stores the number of added entries that Redis returned for an epoch.
    fn record_added(&self, epoch: &str, added: u64) {
        if let Some(known_epoch) = &mut *self.known_epoch()
            && *known_epoch.epoch == *epoch
        {
            known_epoch.added = known_epoch.added.max(added);
        }
    }

    fn known_epoch(&self) -> MutexGuard<'_, Option<KnownEpoch>> {
        self.0.known_epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Consumer, Held>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an error means that the stream, its group or its counters are missing.
fn is_lost(error: &RedisError) -> bool {
    let signs = ["NOGROUP", "no such key", "no longer exists"];
    matches!(error, RedisError::Refused(message) if signs.iter().any(|sign| message.contains(sign)))
}

impl From<RedisError> for StreamError {
    fn from(error: RedisError) -> Self {
        match error {
            // The missing part was lost again immediately after it was created. A retry may succeed.
            RedisError::Refused(message) if is_lost(&error) => Self::Unavailable(message),
            RedisError::Unavailable(message) => Self::Unavailable(message),
            RedisError::Config(message) | RedisError::Refused(message) => Self::Failed(message),
        }
    }
}
