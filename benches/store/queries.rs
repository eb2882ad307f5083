//! The queries for the default answers of the API, and some queries with filters.

use std::future::Future;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use sentistream::clock::Clock;
use sentistream::domain::{Author, Emotion, Period, PostId, Sentiment, SentimentOf, Source, TimeRange};
use sentistream::store::Store;
use sentistream::store::aggregate::AggregateQuery;
use sentistream::store::alerts::AlertFilter;
use sentistream::store::posts::{PostFilter, Start};

/// The output marks queries whose 99th percentile is above this.
const LIMIT: Duration = Duration::from_millis(50);

async fn time<T, E: std::fmt::Debug, F: Future<Output = Result<T, E>>>(name: &str, runs: usize, query: impl Fn() -> F) {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        query().await.expect("the query failed");
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let (median, late) = (times[runs / 2], times[(runs * 99 / 100).min(runs - 1)]);
    let verdict = if late > LIMIT { "  over 50 ms" } else { "" };
    println!(
        "  {name:<44} p50 {:8.3} ms   p99 {:8.3} ms{verdict}",
        median.as_secs_f64() * 1e3,
        late.as_secs_f64() * 1e3
    );
}

/// Prints the time that each query takes.
pub async fn measure(store: &Store) {
    println!(" default answers");
    defaults(store).await;
    println!(" filters");
    filters(store).await;
}

async fn defaults(store: &Store) {
    let now = Clock::system().now();
    let (day, none) = (Duration::from_secs(86_400), &PostFilter::default());
    let page = |limit| async move { store.posts(none, Start::Offset(0), limit).await };
    time("posts, first page", 200, || page(50)).await;
    time("posts, total", 200, || store.count_posts(none)).await;
    time("posts, 10 newest", 200, || page(10)).await;
    let newest = page(1).await.expect("the query failed").items.remove(0);
    let id = PostId::parse(&newest.post_id).expect("the id is not valid");
    time("one post", 200, || store.post(&id)).await;
    time("sources", 200, || store.sources()).await;
    for minutes in [1, 5, 60] {
        let since = now - Duration::from_secs(60 * minutes);
        time(&format!("stored in the last {minutes} min"), 100, || store.ingested_since(since)).await;
    }
    for (name, period) in [("minute", Period::Minute), ("hour", Period::Hour), ("day", Period::Day)] {
        let query = aggregate(period, TimeRange::last(day, now));
        time(&format!("aggregate by {name}, 24 h"), 100, || store.aggregate(&query)).await;
    }
    for hours in [1, 24] {
        let range = TimeRange::last(Duration::from_secs(3_600 * hours), now);
        time(&format!("distribution of {hours} h"), 200, || store.window(range, None)).await;
    }
    let window = TimeRange::last(Duration::from_secs(300), now);
    time("alert window by source, 5 min", 200, || store.window_by_source(window, None, SentimentOf::Topic)).await;
    let all = AlertFilter::default();
    time("alerts", 100, || store.alerts(&all, None, 50)).await;
    time("outcomes", 100, || store.outcomes("bench")).await;
}

async fn filters(store: &Store) {
    let now = Clock::system().now();
    let page = |filter: PostFilter, start: Start| async move { store.posts(&filter, start, 50).await };
    let days = |number: u64| Duration::from_secs(86_400 * number);
    let rare = Source::parse("web").ok();
    let negative = Some(Sentiment::Negative.into());
    let cases = [
        ("source", PostFilter { source: rare.clone(), ..PostFilter::default() }),
        ("sentiment", PostFilter { sentiment: negative, ..PostFilter::default() }),
        ("emotion", PostFilter { emotion: Some(Emotion::Disgust), ..PostFilter::default() }),
        (
            "source, sentiment, emotion",
            PostFilter { source: rare, sentiment: negative, emotion: Some(Emotion::Fear), ..PostFilter::default() },
        ),
        ("unknown source", PostFilter { source: Source::parse("none").ok(), ..PostFilter::default() }),
        ("author", PostFilter { author: Author::parse("author4711").ok(), ..PostFilter::default() }),
        ("time range", PostFilter { start: Some(now - days(9)), end: Some(now - days(8)), ..PostFilter::default() }),
        ("confidence", PostFilter { min_confidence: Some(0.95), ..PostFilter::default() }),
        ("common word", PostFilter { words: vec!["café".to_owned()], ..PostFilter::default() }),
        ("ingested after", PostFilter { ingested_after: Some(now - Duration::from_secs(10)), ..PostFilter::default() }),
    ];
    for (name, filter) in cases {
        time(&format!("posts by {name}"), 50, || page(filter.clone(), Start::Offset(0))).await;
        time("  their total", 20, || store.count_posts(&filter)).await;
    }
    for offset in [1_000, 100_000] {
        time(&format!("posts, offset {offset}"), 20, || page(PostFilter::default(), Start::Offset(offset))).await;
    }
    let far = store.posts(&PostFilter::default(), Start::Offset(500_000), 1).await.expect("the query failed").next;
    if let Some(cursor) = far {
        time("posts, cursor in the middle", 100, || page(PostFilter::default(), Start::After(cursor))).await;
    }
    words(store).await;
    time("distribution of 8760 h", 50, || store.window(TimeRange::last(days(365), now), None)).await;
    let mut daily = aggregate(Period::Day, TimeRange::last(days(30), now));
    daily.zone = TimeZone::get("Asia/Kathmandu").expect("the time zone is unknown");
    time("aggregate by day in Kathmandu, 30 days", 50, || store.aggregate(&daily)).await;
    let hourly = aggregate(Period::Hour, TimeRange::last(days(14), now));
    time("aggregate by hour, 14 days", 50, || store.aggregate(&hourly)).await;
}

/// Measures searches for words of every frequency. Searches above [`LIMIT`] are marked, like all queries.
async fn words(store: &Store) {
    let with = |word: &str| PostFilter { words: vec![word.to_owned()], ..PostFilter::default() };
    for (name, word) in [
        ("that half of the posts have", "café"),
        ("of one post", "#123456"),
        ("of a hundred posts", "#1234"),
        ("that no post has", "zeppelin"),
        ("of frequent trigrams that no post has", "datteryin"),
        ("in Chinese that no post has", "東京"),
        ("of two letters that no post has", "qx"),
    ] {
        let filter = with(word);
        time(&format!("posts by a word {name}"), 20, || async { store.posts(&filter, Start::Offset(0), 50).await })
            .await;
        time("  their total", 20, || store.count_posts(&filter)).await;
    }
}

fn aggregate(period: Period, range: TimeRange) -> AggregateQuery {
    AggregateQuery { period, range, filter: PostFilter::default(), zone: TimeZone::UTC }
}
