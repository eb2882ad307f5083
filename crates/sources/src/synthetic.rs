//! Generates posts at an exact rate.
//!
//! The same options with the same seed produce the same texts, authors and topics in the same order. Only the ids
//! differ, because they contain the id of the run.

mod grammar;
mod incident;
pub mod name;
pub mod past;
mod style;
mod writer;
mod writing_style;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use rand::Rng;
use tokio::time::Instant;

use self::incident::Calendar;
use self::writer::Writer;
use super::pace::Pace;
use super::{Batch, Source, SourceError};
use sentistream_core::clock::Clock;
use sentistream_core::domain::{Op, Post, PostId, made_up};

/// Options of the generator.
#[derive(Clone, Debug)]
pub struct SyntheticOptions {
    /// Posts per second, above 0.
    pub rate: f64,
    /// The seed of the sequence. `None`: a new seed at each start.
    pub seed: Option<u64>,
    /// The number of posts of a run after which the source ends. `None`: the source does not end.
    pub limit: Option<u64>,
    /// The time between two incidents. The first incident starts after half of this time. During an incident most posts
    /// about one topic are negative, for up to four minutes. An incident affects one source, which also gets more
    /// posts. Every third incident affects all sources.
    pub incident_every: Option<Duration>,
}

/// The maximum age of a post, in microseconds.
const AGE_MICROS: u64 = 1_500_000;

/// The source of generated posts.
pub struct Synthetic {
    rate: f64,
    limit: u64,
    /// The pace of this run. `None` until the first call.
    pace: Option<Pace>,
    writer: Writer,
    clock: Clock,
    /// The prefix of the ids of this run.
    run: String,
    written: u64,
    /// The last post of each source that is not a reply. Replies refer to this post.
    recent: BTreeMap<sentistream_core::domain::Source, PostId>,
}

impl Synthetic {
    /// Starts a new run.
    pub fn new(options: &SyntheticOptions, clock: Clock) -> Self {
        let seed = options.seed.unwrap_or_else(|| rand::rng().random());
        let calendar = Calendar::new(options.incident_every.map(|every| every.as_secs_f64()));
        Self {
            rate: options.rate,
            limit: options.limit.unwrap_or(u64::MAX),
            pace: None,
            writer: Writer::new(seed, calendar),
            clock,
            run: uuid::Uuid::new_v4().simple().to_string(),
            written: 0,
            recent: BTreeMap::new(),
        }
    }

    fn batch(&mut self, count: usize) -> Batch {
        let ops = (0..count).filter_map(|_| self.post()).map(Op::Post).collect();
        Batch { ops, finished: self.written >= self.limit, ..Batch::default() }
    }

    fn post(&mut self) -> Option<Post> {
        let index = self.written;
        self.written += 1;
        // The planned time is used instead of the clock, so that the sequence does not depend on delays of this run.
        let written = self.writer.write(index, index as f64 / self.rate);
        let post_id = PostId::parse(&made_up::post_id(&self.run, index)).ok()?;
        // The age is not drawn from the writer's random generator, because this generator determines the texts.
        let age = Duration::from_micros(index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % AGE_MICROS);
        let reply_to = if written.is_reply {
            self.recent.get(&written.source).map(|id| id.as_str().to_owned())
        } else {
            self.recent.insert(written.source.clone(), post_id.clone());
            None
        };
        Some(Post {
            post_id,
            source: written.source,
            content: written.content,
            author: Some(written.author),
            created_at: self.clock.now() - age,
            lang: Some(written.lang.to_owned()),
            url: written.url,
            reply_to,
        })
    }
}

impl Source for Synthetic {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(async move {
            let left = usize::try_from(self.limit - self.written).unwrap_or(usize::MAX).min(max);
            if left == 0 {
                return Ok(Batch { finished: true, ..Batch::default() });
            }
            let rate = self.rate;
            let pace = self.pace.get_or_insert_with(|| Pace::new(rate, Instant::now()));
            let count = pace.wait(left).await;
            Ok(self.batch(count))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use sentistream_core::domain::Timestamp;

    fn options(rate: f64, limit: u64) -> SyntheticOptions {
        SyntheticOptions { rate, seed: Some(1), limit: Some(limit), incident_every: None }
    }

    async fn all(options: &SyntheticOptions) -> Vec<Post> {
        let mut source = Synthetic::new(options, Clock::fixed(Timestamp::from_unix(1_767_225_600).unwrap()));
        let mut posts = Vec::new();
        loop {
            let batch = source.next(500).await.unwrap();
            posts.extend(batch.ops.into_iter().map(|op| match op {
                Op::Post(post) => post,
                other => panic!("not a post: {other:?}"),
            }));
            if batch.finished {
                return posts;
            }
        }
    }

    #[tokio::test]
    async fn runs_with_the_same_seed_differ_only_in_ids() {
        let (first, second) = (all(&options(1e6, 2_000)).await, all(&options(1e6, 2_000)).await);
        let texts = |posts: &[Post]| posts.iter().map(|post| post.content.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&first), texts(&second));
        let ids: HashSet<_> = first.iter().chain(&second).map(|post| post.post_id.as_str()).collect();
        assert_eq!(ids.len(), 4_000);
        let now = Timestamp::from_unix(1_767_225_600).unwrap();
        assert!(first.iter().all(|post| post.created_at <= now && now.since(post.created_at).as_secs() < 2));
    }

    #[tokio::test]
    async fn posts_do_not_exceed_the_rate() {
        let start = Instant::now();
        let posts = all(&options(5_000.0, 5_000)).await;
        let elapsed = start.elapsed();
        assert_eq!(posts.len(), 5_000);
        assert!(elapsed >= Duration::from_millis(999), "{elapsed:?}");
        // The limit is high, because the machine may be busy.
        assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
    }
}
