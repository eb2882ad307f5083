//! Measures the speed of an engine over about the last five minutes.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The width of a bucket.
const BUCKET: Duration = Duration::from_secs(10);
/// The number of buckets, which cover the last five minutes.
const BUCKETS: u32 = 30;

/// The recent speed of a model.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct Speed {
    /// The length of the measured time in seconds: the last 290 to 300 seconds, or the time since the model was loaded
    /// if this is shorter.
    pub window_seconds: f64,
    /// The number of texts classified per second, including those whose analysis was cached.
    pub posts_per_second: f64,
    /// The number of tokens computed per second.
    pub tokens_per_second: f64,
    /// The mean time of a batch, in milliseconds; `null` without batches.
    pub batch_ms: Option<f64>,
    /// The mean number of layers of a computed text; `null` without computed texts.
    pub mean_layers: Option<f64>,
    /// The share of texts whose analysis was cached, in [0, 1].
    pub cached: f64,
    /// The share of the threads' time that is spent on batches, in [0, 1]. At 1, inference is the bottleneck.
    pub utilisation: f64,
}

/// The measurements of one batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch {
    /// The number of posts that got an analysis.
    pub posts: usize,
    /// The number of distinct texts that were computed.
    pub texts: usize,
    /// The sum of the layers that were computed for these texts.
    pub layers: u64,
    /// The sum of the tokens of these texts.
    pub tokens: usize,
    /// How long the thread computed the batch.
    pub took: Duration,
}

/// Collects the measurements of all threads.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    threads: usize,
    buckets: Mutex<VecDeque<Bucket>>,
}

#[derive(Debug, Default)]
struct Bucket {
    /// The number of the bucket, counted from the start of the meter.
    number: u32,
    batches: u64,
    posts: u64,
    /// The number of posts with a cached analysis.
    cached: u64,
    texts: u64,
    layers: u64,
    tokens: u64,
    took: Duration,
}

impl Meter {
    /// Creates a meter that starts now, for an engine with this number of threads.
    pub fn new(threads: usize) -> Self {
        Self { started: Instant::now(), threads, buckets: Mutex::default() }
    }

    /// Adds a batch that ended now.
    pub fn record(&self, batch: Batch) {
        self.record_at(self.started.elapsed(), batch);
    }

    /// Adds a post whose analysis was cached.
    pub fn record_cached(&self) {
        self.in_bucket_at(self.started.elapsed(), |bucket| {
            bucket.posts += 1;
            bucket.cached += 1;
        });
    }

    /// The speed over the last five minutes.
    pub fn speed(&self) -> Speed {
        self.speed_at(self.started.elapsed())
    }

    fn record_at(&self, at: Duration, batch: Batch) {
        self.in_bucket_at(at, |bucket| {
            bucket.batches += 1;
            bucket.posts += batch.posts as u64;
            bucket.texts += batch.texts as u64;
            bucket.layers += batch.layers;
            bucket.tokens += batch.tokens as u64;
            bucket.took += batch.took;
        });
    }

    fn in_bucket_at(&self, at: Duration, change: impl FnOnce(&mut Bucket)) {
        let number = bucket_number(at);
        // After a panic while the lock was held, at most one batch is missing, which is negligible.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        forget(&mut buckets, number);
        if buckets.back().is_none_or(|last| last.number < number) {
            buckets.push_back(Bucket { number, ..Bucket::default() });
        }
        if let Some(bucket) = buckets.back_mut() {
            change(bucket);
        }
    }

    fn speed_at(&self, at: Duration) -> Speed {
        let number = bucket_number(at);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        forget(&mut buckets, number);
        let mut sum = Bucket::default();
        for bucket in buckets.iter() {
            sum.batches += bucket.batches;
            sum.posts += bucket.posts;
            sum.cached += bucket.cached;
            sum.texts += bucket.texts;
            sum.layers += bucket.layers;
            sum.tokens += bucket.tokens;
            sum.took += bucket.took;
        }
        let first = BUCKET * (number + 1).saturating_sub(BUCKETS);
        let window = at.saturating_sub(first).as_secs_f64().max(1e-3);
        let rounded = |number: f64| (number * 1e3).round() / 1e3;
        Speed {
            window_seconds: rounded(window),
            posts_per_second: rounded(sum.posts as f64 / window),
            tokens_per_second: rounded(sum.tokens as f64 / window),
            batch_ms: (sum.batches > 0).then(|| rounded(sum.took.as_secs_f64() * 1e3 / sum.batches as f64)),
            mean_layers: (sum.texts > 0).then(|| rounded(sum.layers as f64 / sum.texts as f64)),
            cached: rounded(sum.cached as f64 / sum.posts.max(1) as f64),
            utilisation: rounded(sum.took.as_secs_f64() / window / self.threads.max(1) as f64).min(1.0),
        }
    }
}

fn bucket_number(at: Duration) -> u32 {
    u32::try_from(at.as_secs() / BUCKET.as_secs()).unwrap_or(u32::MAX)
}

fn forget(buckets: &mut VecDeque<Bucket>, now: u32) {
    while buckets.front().is_some_and(|first| first.number + BUCKETS <= now) {
        buckets.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meter_counts_only_the_last_five_minutes() {
        let meter = Meter::new(2);
        let secs = Duration::from_secs;
        assert_eq!(meter.speed_at(secs(10)).batch_ms, None);
        for second in 0..1_000 {
            // The engine is slow at first. Then each second one of two threads computes 4 posts of 10 tokens in half a
            // second.
            let posts = if second < 600 { 1 } else { 4 };
            meter.record_at(
                secs(second),
                Batch { posts, texts: 1, layers: 3, tokens: posts * 10, took: Duration::from_millis(500) },
            );
        }
        let speed = meter.speed_at(secs(1_000));
        assert_eq!(speed.batch_ms, Some(500.0));
        assert!((speed.posts_per_second - 4.0).abs() < 0.1, "{speed:?}");
        assert!((speed.tokens_per_second - 40.0).abs() < 1.0, "{speed:?}");
        assert_eq!(speed.mean_layers, Some(3.0));
        assert!((speed.utilisation - 0.25).abs() < 0.01, "{speed:?}");
        let idle = meter.speed_at(secs(2_000));
        assert_eq!((idle.posts_per_second, idle.batch_ms), (0.0, None));
    }
}
