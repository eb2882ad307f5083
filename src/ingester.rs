//! The ingester role: reads sources and appends their posts to the stream.
//!
//! Each source has its own task, so that a slow or broken source does not delay the others. With a shared database,
//! only one instance at a time reads a source, under a lease. Sources with [`Readers::Each`](crate::sources::Readers)
//! are an exception: every instance reads them. When the instance that reads a source crashes or hangs, another
//! instance takes over the source. The ingester first appends a batch and then stores the cursor of the source. After a
//! crash between these two steps, some posts are appended again, and workers drop these duplicates by `post_id`. No
//! post is lost. While the stream is full or unavailable, sources are not read. The posts from before a source was
//! added (its history) are read by a separate task with its own lease and cursor.

mod cursors;
mod feed;
mod inlet;
mod leases;
pub mod managed;
mod passed;
mod report;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::feed::{Common, Feed};
use self::leases::Coordinator;
use crate::clock::Clock;
use crate::lifecycle::Shutdown;
use crate::sources::{SourceSpec, SourceStates};
use crate::store::Store;
use crate::stream::Stream;

/// The parts of the application that the ingester uses.
#[derive(Clone)]
pub struct IngesterServices {
    /// The stream that posts are appended to.
    pub stream: Stream,
    /// Stores the cursors, leases and states of the sources, and the sources that users added. Also used to check
    /// which posts are stored.
    pub store: Store,
    /// The states of the sources, which the ingester updates.
    pub states: SourceStates,
    /// The clock for the reports, and for the filter of deletions.
    pub clock: Clock,
}

/// Options of the ingester.
#[derive(Clone, Debug)]
pub struct IngesterOptions {
    /// The maximum number of posts and deletions that a source is asked for at once. A batch is appended as a whole,
    /// even if a source returns more.
    pub batch_size: usize,
    /// The maximum number of posts and deletions per second from all sources together. `None`: no limit.
    pub rate: Option<f64>,
    /// The longest delay between two attempts to reach a backend, or a source after a temporary error. A server that
    /// refuses requests or asks for a pause may cause a longer delay.
    pub max_backoff: Duration,
    /// The unique name of this instance.
    pub holder: String,
    /// The time after which another instance takes over the sources of an instance that stopped renewing its leases.
    pub lease_ttl: Duration,
}

impl Default for IngesterOptions {
    fn default() -> Self {
        Self {
            batch_size: 500,
            rate: None,
            max_backoff: Duration::from_secs(30),
            holder: "ingester".to_owned(),
            lease_ttl: Duration::from_secs(10),
        }
    }
}

/// The rate limit of all sources together.
type Limiter = Arc<DefaultDirectRateLimiter>;

/// The options, and the limiter for the rate that they specify. Clones share the limiter.
#[derive(Clone)]
pub struct Limited {
    options: IngesterOptions,
    limiter: Option<Limiter>,
}

impl From<IngesterOptions> for Limited {
    fn from(options: IngesterOptions) -> Self {
        let (limiter, options) = limit(options);
        Self { options, limiter }
    }
}

/// Appends the posts of `sources` to the stream. Returns at a shutdown, and not before, even if all sources have ended.
///
/// # Errors
/// When the stream or the store fails permanently, or the task of a source panics.
pub async fn run(
    sources: Vec<SourceSpec>,
    services: IngesterServices,
    options: impl Into<Limited>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let Limited { options, limiter } = options.into();
    let sources: Vec<SourceSpec> =
        sources.into_iter().flat_map(|spec| [spec.history().cloned(), Some(spec)]).flatten().collect();
    let (coordinator, leases) = Coordinator::new(&sources, services.clone(), &options);
    let done = CancellationToken::new();
    let mut coordinating = tokio::spawn(coordinator.run(done.clone()));
    // This guard stops the coordinator when the function returns.
    let _done = done.clone().drop_guard();
    let mut feeds = JoinSet::new();
    for (spec, lease) in sources.into_iter().zip(leases) {
        let (services, options) = (services.clone(), options.clone());
        let common = Common { services, options, limiter: limiter.clone(), shutdown: shutdown.clone() };
        feeds.spawn(async move {
            let name = spec.name().to_owned();
            let fed = Feed::new(spec, lease, common).run().await;
            fed.with_context(|| format!("source {name}"))
        });
    }
    loop {
        tokio::select! {
            // The first error ends the role. The other feeds end when `feeds` is dropped.
            Some(ended) = feeds.join_next() => ended.context("a source's task panicked")??,
            ended = &mut coordinating => return Ok(ended.context("the coordinator of sources panicked")??),
            () = shutdown.stopping(), if feeds.is_empty() => break,
        }
    }
    done.cancel();
    Ok(coordinating.await.context("the coordinator of sources panicked")??)
}

/// Creates the rate limiter, and reduces the batch size to the number of posts of one second, so that the rate is even.
fn limit(mut options: IngesterOptions) -> (Option<Limiter>, IngesterOptions) {
    options.batch_size = options.batch_size.max(1);
    let Some(rate) = options.rate.filter(|rate| *rate > 0.0) else { return (None, options) };
    options.batch_size = options.batch_size.min(rate.ceil() as usize);
    let burst = u32::try_from(options.batch_size).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(Duration::from_secs_f64(1.0 / rate)).map(|quota| quota.allow_burst(burst));
    (quota.map(|quota| Arc::new(RateLimiter::direct(quota))), options)
}
