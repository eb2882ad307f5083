//! Cases of tracked topics: matches and their counts, versions, and the backfill of older posts.

use std::collections::HashMap;
use std::sync::Arc;

use sentistream::domain::{
    EntryKey, Outcome, Period, Post, PostTopic, SentimentOf, Subject, TimeRange, Timestamp, Topic, TopicId, TopicName,
    TopicOrigin,
};
use sentistream::store::aggregate::AggregateQuery;
use sentistream::store::posts::{PostFilter, Sort, Start};
use sentistream::store::settle::{Change, Matched, Settlement, TopicTest};
use sentistream::store::topics::{Edited, ExistingPosts, NewTopic, TopicEdit};
use sentistream::topics::Topics;

use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, START, at, author, cases, delete, insert, post, post_id, replace, seconds, source};

cases!(
    topic_counts_follow_inserts_edits_and_deletions,
    posts_matched_with_older_topics_are_refused,
    topic_backfill_matches_stored_posts_once,
    dropped_topic_has_no_rows_left,
    counts_of_several_topics_are_independent,
    older_topics_of_a_restored_database_replace_cached_ones,
);

fn name(text: &str) -> TopicName {
    TopicName::parse(text).expect("a name")
}

async fn topic(fixture: &Fixture, called: &str, existing_posts: ExistingPosts) -> Topic {
    let new = NewTopic {
        name: name(called),
        query: called.to_owned(),
        description: String::new(),
        origin: TopicOrigin::Api,
        existing_posts,
    };
    fixture.store.create_topic(new).await.expect("the store answers").expect("a new name")
}

/// Settles changes whose posts match `topics`. Returns the keys of the entries, and the results.
async fn settle(fixture: &Fixture, changes: Vec<Change>, topics: &[TopicId]) -> (Vec<EntryKey>, Vec<Option<Outcome>>) {
    let keys = fixture.append(changes.len()).await;
    let matched = Matched {
        version: fixture.store.topics_version().await.expect("a version"),
        topics: keys
            .iter()
            .map(|key| (key.clone(), topics.iter().copied().map(PostTopic::pending).collect()))
            .collect(),
    };
    let batch = keys.iter().cloned().zip(changes).map(|(key, change)| Settlement { key, change }).collect();
    let settled = fixture.store.settle_matched(batch, matched).await.expect("settled").expect("the version is current");
    (keys, settled.into_iter().map(|settled| settled.outcome).collect())
}

fn everything() -> TimeRange {
    TimeRange::new(Timestamp::MIN, Timestamp::MAX).expect("a range")
}

/// The posts of a topic, oldest first. Checks that all ways of counting them agree.
async fn posts_of(fixture: &Fixture, topic: &Topic) -> Vec<String> {
    let filter = PostFilter { topic: Some(topic.id), ..PostFilter::default() };
    let page = fixture.store.sorted_posts(&filter, Sort::Oldest, Start::Offset(0), 500).await.expect("a page");
    let found = page.items.len() as i64;
    assert_eq!(fixture.store.count_posts(&filter).await.expect("a total").count, found);
    // The range does not start or end at a bucket boundary, so the posts at its edges are counted too.
    let wide = TimeRange::new(at("2026-02-20T10:01:02.5Z"), at("2026-03-02T10:01:02.5Z")).expect("a range");
    for range in [wide, everything()] {
        assert_eq!(fixture.store.counts(range, &filter).await.expect("counts").total(), found, "{range:?}");
        let windows = fixture.store.topic_windows(range, None, SentimentOf::Topic).await.expect("counts");
        assert_eq!(windows.get(&topic.id).map_or(0, sentistream::domain::Counts::total), found);
    }
    let totals = fixture.store.topic_totals().await.expect("totals");
    assert_eq!(totals.get(&topic.id).map_or(0, sentistream::domain::Counts::total), found);
    let range = TimeRange::new(at("2026-02-27T00:00:00Z"), at("2026-03-02T00:00:00Z")).expect("a range");
    for period in [Period::Minute, Period::Hour, Period::Day] {
        let query = AggregateQuery { period, range, filter: filter.clone(), zone: jiff::tz::TimeZone::UTC };
        let aggregate = fixture.store.aggregate(&query).await.expect("an aggregate");
        assert_eq!(aggregate.buckets.iter().map(|bucket| bucket.counts.total()).sum::<i64>(), found, "{period:?}");
    }
    let words = PostFilter { words: vec!["content".to_owned()], ..filter };
    assert_eq!(fixture.store.counts(everything(), &words).await.expect("counts").total(), found);
    page.items.into_iter().map(|post| post.post_id).collect()
}

fn written(id: &str, minutes_ago: u64) -> Post {
    let mut post = post(id);
    post.author = Some(author("ada"));
    post.created_at = post.created_at - seconds(60 * minutes_ago);
    post
}

async fn topic_counts_follow_inserts_edits_and_deletions(fixture: Fixture) {
    let acme = topic(&fixture, "acme", ExistingPosts::Match).await;
    let other = topic(&fixture, "other", ExistingPosts::Match).await;
    let posts = || vec![insert(written("a", 1)), insert(written("b", 2)), insert(written("c", 2_000))];
    let (keys, _) = settle(&fixture, posts(), &[acme.id]).await;
    settle(&fixture, vec![insert(written("d", 3))], &[acme.id, other.id]).await;
    settle(&fixture, vec![insert(written("e", 4))], &[]).await;
    assert_eq!(posts_of(&fixture, &acme).await, ["c", "d", "b", "a"]);
    assert_eq!(posts_of(&fixture, &other).await, ["d"]);

    // A redelivery changes nothing, even if it matches other topics.
    let again = keys.into_iter().zip(posts()).map(|(key, change)| Settlement { key, change }).collect();
    fixture.store.settle(again).await.expect("settled");
    assert_eq!(posts_of(&fixture, &acme).await.len(), 4);

    // One edit matches another topic, and another edit changes the time.
    settle(&fixture, vec![replace(written("a", 1), START)], &[other.id]).await;
    settle(&fixture, vec![replace(written("b", 30), START)], &[acme.id]).await;
    assert_eq!(posts_of(&fixture, &acme).await, ["c", "b", "d"]);
    assert_eq!(posts_of(&fixture, &other).await, ["d", "a"]);
    let angry = PostFilter {
        topic: Some(acme.id),
        emotion: Some(sentistream::domain::Emotion::Anger),
        ..PostFilter::default()
    };
    assert_eq!(fixture.store.count_posts(&angry).await.expect("a total").count, 1);

    settle(&fixture, vec![delete("d")], &[]).await;
    assert!(fixture.store.delete_post(&post_id("b")).await.expect("an answer"));
    assert_eq!(posts_of(&fixture, &acme).await, ["c"]);
    settle(&fixture, vec![Change::DeleteAuthor { source: source("web"), author: author("ada") }], &[]).await;
    assert_eq!((posts_of(&fixture, &acme).await.len(), posts_of(&fixture, &other).await.len()), (0, 0));
    assert_eq!(fixture.number("SELECT count(*) FROM post_topics").await, 0);
    assert_eq!(fixture.number("SELECT coalesce(sum(abs(count)), 0) FROM topic_rollups").await, 0);
    // A late copy of a deleted post is not added to a topic.
    let (_, outcomes) = settle(&fixture, vec![insert(written("d", 3))], &[acme.id]).await;
    assert_eq!((outcomes, posts_of(&fixture, &acme).await.len()), (vec![Some(Outcome::Skipped)], 0));
}

async fn posts_matched_with_older_topics_are_refused(fixture: Fixture) {
    let version = fixture.store.topics_version().await.expect("a version");
    let acme = topic(&fixture, "acme", ExistingPosts::Leave).await;
    let keys = fixture.append(1).await;
    let batch = || vec![Settlement { key: keys[0].clone(), change: insert(written("a", 1)) }];
    let with =
        |version| Matched { version, topics: HashMap::from([(keys[0].clone(), vec![PostTopic::pending(acme.id)])]) };
    assert_eq!(fixture.store.settle_matched(batch(), with(version)).await.expect("an answer"), None);
    assert_eq!(fixture.number("SELECT count(*) FROM social_media_posts").await, 0, "nothing is stored");
    let version = fixture.store.topics_version().await.expect("a version");
    let settled =
        fixture.store.settle_matched(batch(), with(version)).await.expect("an answer").expect("the version is current");
    assert_eq!(settled[0].outcome, Some(Outcome::Analysed));
    assert_eq!(posts_of(&fixture, &acme).await, ["a"]);

    let edit = |revision| TopicEdit {
        name: name("acme"),
        query: "acme".to_owned(),
        description: "the phone".to_owned(),
        origin: TopicOrigin::Api,
        revision: Some(revision),
    };
    assert_eq!(fixture.store.edit_topic(edit(7)).await.expect("an answer"), Edited::Stale(1));
    let Edited::Done(changed) = fixture.store.edit_topic(edit(1)).await.expect("an answer") else {
        panic!("the topic exists")
    };
    assert_eq!((changed.revision, changed.backfill.is_running()), (2, false), "the query is the same");
    assert_eq!(fixture.store.drop_topic(&name("none"), None).await.expect("an answer"), Edited::Missing);
    let taken = NewTopic {
        name: name("acme"),
        query: "x".to_owned(),
        description: String::new(),
        origin: TopicOrigin::Api,
        existing_posts: ExistingPosts::Leave,
    };
    assert_eq!(fixture.store.create_topic(taken).await.expect("an answer"), None);
}

/// Matches stored posts until none is left. `matches` returns the topics for a content.
async fn backfill(fixture: &Fixture, matches: impl Fn(&str) -> Vec<TopicId> + Send + Sync + 'static) -> (usize, usize) {
    let test = TopicTest {
        version: fixture.store.topics_version().await.expect("a version"),
        matches: Arc::new(move |subject: &Subject<'_>, _| matches(subject.content)),
    };
    let (mut added, mut removed) = (0, 0);
    for _ in 0..100 {
        let step = fixture.store.backfill_topics(test.clone()).await.expect("a step");
        assert!(!step.stale);
        if step.posts == 0 {
            return (added, removed);
        }
        added += step.added;
        removed += step.removed;
    }
    panic!("the backfill did not end");
}

async fn topic_backfill_matches_stored_posts_once(fixture: Fixture) {
    let stored: Vec<Change> = (0..700).map(|number| insert(written(&format!("p{number:03}"), number))).collect();
    fixture.settle(stored).await;
    let acme = topic(&fixture, "acme", ExistingPosts::Match).await;
    let late = topic(&fixture, "late", ExistingPosts::Leave).await;
    assert!(acme.backfill.is_running() && !late.backfill.is_running());
    // Some new posts are stored while old posts are being matched.
    settle(&fixture, vec![insert(written("p998", 1)), insert(written("p999", 1))], &[acme.id, late.id]).await;
    let (one, two) = (acme.id, late.id);
    let ends_in_nine = move |content: &str| if content.ends_with('9') { vec![one, two] } else { vec![] };
    assert_eq!(backfill(&fixture, ends_in_nine).await, (70, 0));
    assert_eq!((posts_of(&fixture, &acme).await.len(), posts_of(&fixture, &late).await.len()), (72, 2));

    // A second backfill with other matches adds missing rows and removes wrong rows.
    let Edited::Done(_) = fixture.store.rematch_topic(&name("acme")).await.expect("an answer") else {
        panic!("the topic exists")
    };
    let ends_in_eight = move |content: &str| if content.ends_with('8') { vec![one] } else { vec![] };
    assert_eq!(backfill(&fixture, ends_in_eight).await, (70, 71));
    assert_eq!((posts_of(&fixture, &acme).await.len(), posts_of(&fixture, &late).await.len()), (71, 2));
    assert_eq!(backfill(&fixture, ends_in_eight).await, (0, 0));

    let stale = TopicTest { version: 0, matches: Arc::new(|_: &Subject<'_>, _| Vec::new()) };
    assert!(fixture.store.backfill_topics(stale).await.expect("a step").stale);
}

async fn dropped_topic_has_no_rows_left(fixture: Fixture) {
    let acme = topic(&fixture, "acme", ExistingPosts::Match).await;
    let other = topic(&fixture, "other", ExistingPosts::Match).await;
    settle(&fixture, vec![insert(written("a", 1)), insert(written("b", 2))], &[acme.id, other.id]).await;
    let Edited::Done(_) = fixture.store.drop_topic(&name("acme"), Some(1)).await.expect("an answer") else {
        panic!("the topic exists")
    };
    // Deleting a post before the matches of the dropped topic are removed must not change other counts.
    settle(&fixture, vec![delete("a")], &[]).await;
    fixture.store.prune(None, &CancellationToken::new()).await.expect("pruned");
    assert_eq!(posts_of(&fixture, &other).await, ["b"]);
    let left = format!("SELECT count(*) FROM post_topics WHERE topic_id = {}", acme.id.0);
    assert_eq!(fixture.number(&left).await, 0);
    assert_eq!(fixture.number(&left.replace("post_topics", "topic_rollups")).await, 0);
    assert_eq!(fixture.number("SELECT count(*) FROM dropped_topics").await, 0);
    let again = topic(&fixture, "acme", ExistingPosts::Leave).await;
    assert!(again.id > other.id, "ids are not reused");
}

async fn counts_of_several_topics_are_independent(fixture: Fixture) {
    let provided = |called: &str, query: &str| NewTopic {
        name: name(called),
        query: query.to_owned(),
        description: String::new(),
        origin: TopicOrigin::Config,
        existing_posts: ExistingPosts::Match,
    };
    let mine = topic(&fixture, "mine", ExistingPosts::Leave).await;
    fixture.store.provision_topics(vec![provided("one", "1"), provided("two", "2")]).await.expect("provided");
    let topics = fixture.store.topics().await.expect("topics");
    let ids: Vec<TopicId> = topics.iter().map(|topic| topic.id).collect();
    settle(&fixture, vec![insert(written("a", 1)), insert(written("b", 70))], &ids).await;
    settle(&fixture, vec![insert(written("c", 1))], &ids[1..2]).await;
    let query = AggregateQuery {
        period: Period::Hour,
        range: TimeRange::new(at("2026-03-01T10:00:00Z"), at("2026-03-01T12:00:00Z")).expect("a range"),
        filter: PostFilter::default(),
        zone: jiff::tz::TimeZone::UTC,
    };
    let found = fixture.store.topic_aggregates(&query).await.expect("aggregates");
    let of = |id| found[&id].buckets.iter().map(|bucket| bucket.counts.total()).collect::<Vec<_>>();
    assert_eq!((of(ids[0]), of(ids[1])), (vec![1, 1], vec![1, 2]));
    let nowhere =
        fixture.store.topic_windows(everything(), Some(&source("nowhere")), SentimentOf::Topic).await.expect("counts");
    assert!(nowhere.is_empty());

    // The configuration drops one topic and changes another. Topics that were created through the API remain.
    let version = fixture.store.topics_version().await.expect("a version");
    fixture.store.provision_topics(vec![provided("two", "2")]).await.expect("provided");
    fixture.store.provision_topics(vec![provided("two", "2")]).await.expect("provided");
    assert_eq!(fixture.store.topics_version().await.expect("a version"), version + 1);
    fixture.store.provision_topics(vec![provided("two", "3")]).await.expect("provided");
    let names: Vec<String> = fixture.store.topics().await.expect("topics").iter().map(|t| t.name.to_string()).collect();
    assert_eq!(names, ["mine", "two"]);
    let two = fixture.store.topic(&name("two")).await.expect("an answer").expect("a topic");
    assert!(two.backfill.is_running() && two.revision == 2, "stored posts are matched with the new query");
    assert_eq!(fixture.store.topic(&name("mine")).await.expect("an answer"), Some(mine));
}

async fn older_topics_of_a_restored_database_replace_cached_ones(fixture: Fixture) {
    topic(&fixture, "phone", ExistingPosts::Leave).await;
    let topics = Topics::new(fixture.store.clone());
    let before = topics.refresh().await.expect("topics");
    assert_eq!(before.all().len(), 1);

    // Simulates a restored backup, or a replica that has taken over without the last change.
    fixture.run("DELETE FROM topics; UPDATE topic_state SET version = version - 1").await;
    let after = topics.refresh().await.expect("topics");
    assert_eq!(after.version(), fixture.store.topics_version().await.expect("a version"), "posts can be settled");
    assert!(after.version() < before.version() && after.all().is_empty());
}
