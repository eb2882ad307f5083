//! Checks that the windows of alert rules equal a recount of the posts.

use std::collections::HashSet;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sentistream::domain::alert::{Class, Scope};
use sentistream::domain::{
    Emotion, PostLabels, PostTopic, Sentiment, TimeRange, Timestamp, TopicId, TopicName, TopicOrigin,
};
use sentistream::rules::View;
use sentistream::rules::load::{QuarterCache, Wanted, history, live};
use sentistream::rules::series::Tally;
use sentistream::store::settle::{Change, Matched, Settlement};
use sentistream::store::topics::{ExistingPosts, NewTopic};

use super::fixture::{Fixture, analysis, at, author, cases, delete, post, seconds, source};

cases!(window_equals_recount_with_late_and_deleted_posts);

const SOURCES: [&str; 3] = ["bluesky", "reddit", "web"];
const AUTHORS: [&str; 2] = ["ann", "bob"];

struct Written {
    id: String,
    at: Timestamp,
    source: &'static str,
    author: &'static str,
    content: &'static str,
    sentiment: Sentiment,
    emotion: Emotion,
}

fn write(rng: &mut StdRng, number: usize, now: Timestamp) -> Written {
    // Posts are up to three hours old, with microseconds. Some are older than the oldest rollup per second.
    let age = Duration::from_micros(rng.random_range(0..3 * 3_600_000_000));
    let age = if rng.random_bool(0.6) { age / 20 } else { age };
    Written {
        id: format!("p{number}"),
        at: now - age,
        source: SOURCES[rng.random_range(0..SOURCES.len())],
        author: AUTHORS[rng.random_range(0..AUTHORS.len())],
        content: ["the train is Late", "late again, that TRAIN", "sunshine"][rng.random_range(0..3)],
        sentiment: Sentiment::ALL[rng.random_range(0..3)],
        emotion: Emotion::ALL[rng.random_range(0..7)],
    }
}

impl Written {
    fn is_of_topic(&self) -> bool {
        self.content.contains("late")
    }

    fn is_of(&self, scope: &Scope) -> bool {
        match scope {
            Scope::All => true,
            Scope::Source(name) => name.as_str() == self.source,
            Scope::Topic(_) => self.is_of_topic(),
            Scope::Author(name) => name.as_str() == self.author,
            Scope::Text(words) => words.split(' ').all(|word| self.content.to_lowercase().contains(word)),
        }
    }
}

fn recount(posts: &[Written], scope: &Scope, range: TimeRange, source: Option<&str>) -> Tally {
    let mut tally = Tally::default();
    for post in posts {
        let inside = post.at >= range.start() && post.at < range.end();
        if inside && post.is_of(scope) && source.is_none_or(|source| source == post.source) {
            tally.add(Some(PostLabels { sentiment: post.sentiment, emotion: post.emotion }), 1);
        }
    }
    tally
}

async fn topic(fixture: &Fixture) -> TopicId {
    let new = NewTopic {
        name: TopicName::parse("delays").expect("a name"),
        query: "late".to_owned(),
        description: String::new(),
        origin: TopicOrigin::Api,
        existing_posts: ExistingPosts::Leave,
    };
    fixture.store.create_topic(new).await.expect("the store answers").expect("a new name").id
}

/// Settles changes. `topics` contains the topics that the post of each change matches.
async fn settle(fixture: &Fixture, changes: Vec<Change>, topics: Vec<Vec<TopicId>>) {
    let keys = fixture.append(changes.len()).await;
    let matched = Matched {
        version: fixture.store.topics_version().await.expect("a version"),
        topics: keys
            .iter()
            .cloned()
            .zip(topics.into_iter().map(|topics| topics.into_iter().map(PostTopic::pending).collect()))
            .collect(),
    };
    let batch = keys.into_iter().zip(changes).map(|(key, change)| Settlement { key, change }).collect();
    fixture.store.settle_matched(batch, matched).await.expect("settled").expect("the version of the topics is current");
}

async fn window_equals_recount_with_late_and_deleted_posts(fixture: Fixture) {
    let mut rng = StdRng::seed_from_u64(7);
    let scopes: Vec<Scope> = ["all", "author:ann", "topic:delays", "text:train late"]
        .iter()
        .map(|text| text.parse().expect("a scope"))
        .collect();
    let delays = topic(&fixture).await;
    let mut posts: Vec<Written> = Vec::new();
    for round in 0..12_usize {
        fixture.pass(Duration::from_millis(rng.random_range(1_000..900_000)));
        let now = fixture.clock.now();
        let new: Vec<Written> = (0..60).map(|number| write(&mut rng, round * 60 + number, now)).collect();
        let inserted = new.iter().map(|written| {
            let mut post = post(&written.id);
            post.created_at = written.at;
            post.source = source(written.source);
            post.author = Some(author(written.author));
            post.content = written.content.to_owned();
            Change::Insert { post, analysis: Some(analysis(written.sentiment, written.emotion)) }
        });
        let topics = new.iter().map(|written| if written.is_of_topic() { vec![delays] } else { Vec::new() }).collect();
        settle(&fixture, inserted.collect(), topics).await;
        posts.extend(new);
        for _ in 0..5 {
            let gone = posts.swap_remove(rng.random_range(0..posts.len()));
            fixture.settle(vec![delete(&gone.id)]).await;
        }

        let end = now.floor(seconds(1));
        let lengths = [60, 300, 420, 3_600, 3 * 3_600];
        let mut ranges: HashSet<TimeRange> =
            lengths.iter().map(|&length| TimeRange::last(seconds(length), end)).collect();
        ranges.insert(TimeRange::last(seconds(300), end - seconds(300)));
        for scope in &scopes {
            let wanted = Wanted { ranges: ranges.clone(), baseline: Some(end) };
            let windows = live(&fixture.store, scope, &wanted, &mut QuarterCache::default()).await.expect("counts");
            for range in &ranges {
                for name in [None, Some("reddit"), Some("none")] {
                    let expected = recount(&posts, scope, *range, name);
                    assert_eq!(windows.window(*range, name), expected, "round {round}, {scope}, {range:?}, {name:?}");
                }
                let sources = windows.sources(*range);
                assert!(SOURCES.iter().all(|name| {
                    sources.contains(*name) == (recount(&posts, scope, *range, Some(name)).total() > 0)
                }));
            }
            let minutes = &windows.history().expect("a baseline").minutes;
            let past = history(&fixture.store, scope, TimeRange::last(seconds(3_600), end)).await.expect("counts");
            let day = TimeRange::last(seconds(5_400), end.floor(seconds(60)));
            let expected = recount(&posts, scope, day, None);
            assert_eq!((minutes.sum(day, None), past.minutes.sum(day, None)), (expected, expected), "{scope}");
            assert_eq!(expected.of(Class::Posts), expected.total());
        }
    }
    assert!(posts.iter().any(|post| post.at < at("2026-03-01T11:00:00Z")), "some posts arrived late");
}
