//! Generates posts and stores them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sentistream::clock::Clock;
use sentistream::domain::{Analysis, Author, EntryId, EntryKey, Op, Post, PostId, Scores, Source, Timestamp};
use sentistream::sqlite::Sqlite;
use sentistream::store::Store;
use sentistream::store::settle::{Change, Settlement};

/// The number of days over which the posts are spread.
pub const DAYS: u64 = 14;

pub const SOURCES: [&str; 5] = ["bluesky", "mastodon", "reddit", "hackernews", "web"];
const WORDS: [&str; 24] = [
    "the",
    "battery",
    "of",
    "my",
    "phone",
    "lasts",
    "a",
    "day",
    "and",
    "café",
    "service",
    "was",
    "slow",
    "but",
    "I",
    "love",
    "this",
    "update",
    "never",
    "again",
    "Größe",
    "really",
    "happy",
    "disappointed",
];

/// The queue that holds the entries until their posts are stored.
#[derive(Clone)]
pub enum Queue {
    /// The embedded queue's tables.
    Sqlite(Sqlite),
    /// No queue: entries only get consecutive numbers.
    None(Arc<AtomicU64>),
}

/// The speed and the cost of an operation.
pub struct Rate {
    posts: u64,
    wall: Duration,
    /// The CPU time of all threads of this process.
    cpu: Duration,
    /// The bytes that this process wrote to the disk.
    written: u64,
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let posts = self.posts as f64;
        let per_second = posts / self.wall.as_secs_f64();
        let cpu = self.cpu.as_secs_f64() * 1e6 / posts;
        let written = self.written as f64 / posts / 1e3;
        write!(f, "{per_second:.0} posts/s, {cpu:.1} µs of CPU time and {written:.1} kB written per post")
    }
}

/// The time, the CPU time and the written bytes at the start of a measurement.
pub struct Watch(Instant, Duration, u64);

impl Watch {
    pub fn start() -> Self {
        Self(Instant::now(), cpu(), written())
    }

    pub fn rate(&self, posts: u64) -> Rate {
        Rate { posts, wall: self.0.elapsed(), cpu: cpu() - self.1, written: written() - self.2 }
    }
}

/// The user and system CPU time of this process, with a resolution of 10 ms.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}

/// The bytes that this process has written to the disk.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).unwrap_or_default()
}

/// Stores posts.
#[derive(Clone)]
pub struct Load {
    pub store: Store,
    pub queue: Queue,
    pub clock: Clock,
    made: Arc<AtomicU64>,
}

impl Load {
    pub fn new(store: Store, queue: Queue) -> Self {
        Self { store, queue, clock: Clock::system(), made: Arc::default() }
    }

    /// Fills the store up to `posts`, spread over the last [`DAYS`]. Returns the speed.
    pub async fn fill(&self, posts: u64, tasks: u64, batch: u64) -> Rate {
        let span = Duration::from_secs(DAYS * 86_400);
        let (watch, now) = (Watch::start(), self.clock.now());
        let there = self.made.load(Ordering::Relaxed);
        let missing = posts.saturating_sub(there);
        let running: Vec<_> = (0..tasks)
            .map(|_| {
                let this = self.clone();
                tokio::spawn(async move {
                    loop {
                        let made = this.made.load(Ordering::Relaxed) - there;
                        if made >= missing {
                            return;
                        }
                        let at = now - span + span.mul_f64(made as f64 / missing as f64);
                        let batch = this.appended(batch, at).await;
                        this.store.settle(batch).await.expect("cannot store the posts");
                    }
                })
            })
            .collect();
        for task in running {
            task.await.expect("a task panicked");
        }
        watch.rate(missing.max(1))
    }

    /// Appends the entries of a batch of posts that were written shortly before `at`.
    pub async fn appended(&self, count: u64, at: Timestamp) -> Vec<Settlement> {
        let first = self.made.fetch_add(count, Ordering::Relaxed);
        let versions: Vec<(Post, Analysis)> = (first..first + count).map(|number| version(number, at)).collect();
        let ms = u64::try_from(self.clock.now().as_millis()).unwrap_or_default();
        let numbers = match &self.queue {
            Queue::Sqlite(sqlite) => append(sqlite, &versions, ms).await,
            Queue::None(next) => {
                let first = next.fetch_add(count, Ordering::Relaxed);
                (first..first + count).collect()
            }
        };
        let epoch: Arc<str> = "bench".into();
        numbers
            .into_iter()
            .zip(versions)
            .map(|(seq, (post, analysis))| Settlement {
                key: EntryKey { epoch: epoch.clone(), id: EntryId { ms, seq } },
                change: Change::Insert { post, analysis: Some(analysis) },
            })
            .collect()
    }
}

async fn append(sqlite: &Sqlite, versions: &[(Post, Analysis)], ms: u64) -> Vec<u64> {
    let entries: Vec<Vec<u8>> = versions.iter().map(|(post, _)| Op::Post(post.clone()).to_fields().encode()).collect();
    let write = sqlite.write(move |connection| {
        let mut numbers = Vec::with_capacity(entries.len());
        // Each statement inserts up to 32 rows. The embedded queue inserts each row with a separate statement.
        for some in entries.chunks(32) {
            let values = vec!["(?, ?)"; some.len()].join(", ");
            let text = format!("INSERT INTO stream_entries (appended_ms, fields) VALUES {values} RETURNING seq");
            let mut query = diesel::sql_query(text).into_boxed();
            for entry in some {
                query = query.bind::<BigInt, _>(ms as i64).bind::<Binary, _>(entry);
            }
            numbers.extend(query.load::<Number>(connection)?.into_iter().map(|row| row.seq as u64));
        }
        Ok(numbers)
    });
    write.await.expect("cannot append entries")
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    seq: i64,
}

/// Post `number`, written within a minute before `at`. Its content is the same in every run.
fn version(number: u64, at: Timestamp) -> (Post, Analysis) {
    let mut random = StdRng::seed_from_u64(number);
    let words: Vec<&str> =
        (0..random.random_range(8..30)).map(|_| WORDS[random.random_range(0..WORDS.len())]).collect();
    // The minimum of two random numbers gives the first sources more posts.
    let source = SOURCES[random.random_range(0..SOURCES.len()).min(random.random_range(0..SOURCES.len()))];
    let post = Post {
        post_id: PostId::parse(&format!("at://did:plc:{:016x}/post/{number:x}", random.random::<u64>()))
            .expect("the id is not valid"),
        source: Source::parse(source).expect("the source is not valid"),
        content: format!("{} #{number}", words.join(" ")),
        author: Author::parse(&format!("author{}", random.random_range(0..50_000))).ok(),
        created_at: at - Duration::from_millis(random.random_range(0..60_000)),
        lang: Some("en".to_owned()),
        url: Some(format!("https://example.com/posts/{number:x}")),
        reply_to: None,
    };
    let scores = Scores { sentiment: random.random(), emotion: random.random() };
    (post, Analysis::from_scores("bench-model".into(), scores, 30, false))
}
