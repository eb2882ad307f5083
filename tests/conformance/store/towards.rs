//! Cases of the sentiment towards topics. After any changes, counts by the sentiment of posts and counts by the
//! sentiment towards a topic must agree with the posts.

mod counts;
mod random;

use std::sync::Arc;

use sentistream::domain::{
    Clause, PostTopic, Sentiment, SentimentOf, Subject, Topic, TopicId, TopicName, TopicOrigin, TopicSentiment, Towards,
};
use sentistream::store::alerts::{BucketWidth, LatePosts};
use sentistream::store::posts::{PostFilter, Sort, Start};
use sentistream::store::settle::{Change, Matched, Settlement, TopicReanalysis, TopicTest};
use sentistream::store::topics::{Edited, ExistingPosts, NewTopic};

use super::fixture::{Fixture, Place, at, cases, delete, insert, insert_unscored, post, post_id, replace, seconds};
use counts::{check, everything, filter, wide};
use random::{IDS, Numbers, determine, reanalyse};

cases!(
    counts_by_both_sentiments_agree_with_posts,
    sentiment_of_topic_selects_and_counts_its_posts,
    sentiment_of_a_pending_match_is_stored_once,
    second_opinion_replaces_only_the_requested_sentiment,
    changes_by_previous_release_keep_counts_of_topics_exact,
    alerts_read_posts_of_a_topic_with_the_sentiment_towards_it,
);

async fn topic(fixture: &Fixture, called: &str) -> Topic {
    let new = NewTopic {
        name: TopicName::parse(called).expect("a name"),
        query: called.to_owned(),
        description: String::new(),
        origin: TopicOrigin::Api,
        existing_posts: ExistingPosts::Match,
    };
    fixture.store.create_topic(new).await.expect("the store answers").expect("a new name")
}

fn own(sentiment: Sentiment, confidence: f64) -> Towards {
    Towards::Own(TopicSentiment { sentiment, confidence, clause: Some(Clause { start: 2, end: 9 }) })
}

/// Settles changes. Each change comes with the topics of its post.
async fn settle(fixture: &Fixture, changes: Vec<(Change, Vec<PostTopic>)>) {
    let keys = fixture.append(changes.len()).await;
    let (changes, topics): (Vec<Change>, Vec<Vec<PostTopic>>) = changes.into_iter().unzip();
    let matched = Matched {
        version: fixture.store.topics_version().await.expect("a version"),
        topics: keys.iter().cloned().zip(topics).collect(),
    };
    let batch = keys.into_iter().zip(changes).map(|(key, change)| Settlement { key, change }).collect();
    fixture.store.settle_matched(batch, matched).await.expect("settled").expect("the version is current");
}

async fn counts_by_both_sentiments_agree_with_posts(fixture: Fixture) {
    let topics = [topic(&fixture, "acme").await, topic(&fixture, "apex").await];
    let mut numbers = Numbers(7);
    for round in 0..24 {
        fixture.pass(seconds(1));
        let mut changes = Vec::new();
        for _ in 0..4 {
            let id = format!("p{}", numbers.below(IDS));
            let mut written = post(&id);
            written.created_at = written.created_at - seconds(numbers.below(200) * 61);
            let change = match numbers.below(9) {
                0 => delete(&id),
                1 => replace(written, &format!("2026-03-01T12:{round:02}:00Z")),
                2 => insert_unscored(written),
                _ => insert(written),
            };
            changes.push((change, numbers.topics(&topics)));
        }
        settle(&fixture, changes).await;
        match numbers.below(5) {
            0 => determine(&fixture, &mut numbers).await,
            1 => reanalyse(&fixture, &format!("p{}", numbers.below(IDS))).await,
            2 => {
                let Edited::Done(_) = fixture.store.rematch_topic(&topics[0].name).await.expect("an answer") else {
                    panic!("the topic exists")
                };
                let (id, odd) = (topics[0].id, numbers.below(2));
                let test = TopicTest {
                    version: fixture.store.topics_version().await.expect("a version"),
                    matches: Arc::new(move |subject: &Subject<'_>, _| {
                        let matches = subject.content.len() as u64 % 2 == odd;
                        matches.then_some(id).into_iter().collect()
                    }),
                };
                while fixture.store.backfill_topics(test.clone()).await.expect("a step").posts > 0 {}
            }
            3 => assert!(fixture.store.delete_post(&post_id(&format!("p{}", numbers.below(IDS)))).await.is_ok()),
            _ => {}
        }
        for topic in &topics {
            check(&fixture, topic.id).await;
        }
    }
    settle(&fixture, (0..IDS).map(|number| (delete(&format!("p{number}")), Vec::new())).collect()).await;
    for table in ["topic_rollups", "topic_shifts"] {
        assert_eq!(fixture.number(&format!("SELECT coalesce(sum(abs(count)), 0) FROM {table}")).await, 0, "{table}");
    }
}

async fn sentiment_of_topic_selects_and_counts_its_posts(fixture: Fixture) {
    let (acme, apex) = (topic(&fixture, "acme").await, topic(&fixture, "apex").await);
    let both = vec![
        PostTopic { topic: acme.id, towards: own(Sentiment::Positive, 0.9) },
        PostTopic { topic: apex.id, towards: own(Sentiment::Negative, 0.6) },
    ];
    settle(&fixture, vec![(insert(post("a")), both.clone())]).await;
    assert_eq!(fixture.store.topics_of_post(&post_id("a")).await.expect("topics"), both);
    let found = async |topic: TopicId, of: SentimentOf, sentiment: Sentiment, least: f64| {
        let wanted = PostFilter { sentiment: Some(sentiment.into()), min_confidence: Some(least), ..filter(topic, of) };
        fixture.store.sorted_posts(&wanted, Sort::Newest, Start::Offset(0), 5).await.expect("a page").items.len()
    };
    assert_eq!(found(apex.id, SentimentOf::Topic, Sentiment::Negative, 0.6).await, 1);
    assert_eq!(found(apex.id, SentimentOf::Topic, Sentiment::Negative, 0.61).await, 0);
    assert_eq!(found(apex.id, SentimentOf::Topic, Sentiment::Positive, 0.0).await, 0);
    assert_eq!(found(apex.id, SentimentOf::Post, Sentiment::Positive, 0.7).await, 1);
    assert_eq!(found(acme.id, SentimentOf::Topic, Sentiment::Positive, 0.85).await, 1);
    let page = fixture.store.posts(&filter(apex.id, SentimentOf::Topic), Start::Offset(0), 5).await.expect("a page");
    let towards = fixture.store.sentiments_towards(apex.id, &page.items).await.expect("labels");
    assert_eq!(towards.get(&page.items[0].id), Some(&(Sentiment::Negative, 0.6)));
    let all = fixture.store.counts(everything(), &PostFilter::default()).await.expect("counts");
    assert_eq!(all.sentiment(Sentiment::Positive), 1, "the post itself is unchanged");
}

async fn sentiment_of_a_pending_match_is_stored_once(fixture: Fixture) {
    let acme = topic(&fixture, "acme").await;
    let pending = || vec![PostTopic::pending(acme.id)];
    settle(&fixture, vec![(insert(post("a")), pending()), (insert_unscored(post("b")), pending())]).await;
    let found = fixture.store.pending_topics(10).await.expect("posts");
    assert_eq!(found.iter().map(|post| &*post.post_id).collect::<Vec<_>>(), ["a", "b"]);
    assert!(found[0].scores.is_some() && found[1].scores.is_none() && found[1].analyzed_at.is_none());
    let reanalysed = |id: &str, analyzed_at, towards| TopicReanalysis {
        post_id: id.to_owned(),
        analyzed_at,
        replaces: Towards::Pending,
        topics: vec![PostTopic { topic: acme.id, towards }],
    };
    let outdated = reanalysed("a", Some(at("2020-01-01T00:00:00Z")), own(Sentiment::Negative, 0.8));
    fixture.store.reanalyse_topics(vec![outdated]).await.expect("stored");
    assert_eq!(fixture.store.pending_topics(10).await.expect("posts").len(), 2, "the post was analysed again since");
    let batch = || {
        vec![
            reanalysed("a", found[0].analyzed_at, own(Sentiment::Negative, 0.8)),
            reanalysed("b", None, Towards::Post),
            reanalysed("gone", None, Towards::Post),
        ]
    };
    assert_eq!(fixture.store.reanalyse_topics(batch()).await.expect("stored"), [true, true, false]);
    assert_eq!(fixture.store.reanalyse_topics(batch()).await.expect("stored"), [false, false, false]);
    assert!(fixture.store.pending_topics(10).await.expect("posts").is_empty());
    check(&fixture, acme.id).await;
    let counts = fixture.store.counts(everything(), &filter(acme.id, SentimentOf::Topic)).await.expect("counts");
    assert_eq!((counts.sentiment(Sentiment::Negative), counts.unscored()), (1, 1));
}

/// The statement with which the previous release adds a post to the counts of a topic (`sign` 1) or removes it (`sign`
/// -1).
fn counted_by_previous_release(topic: TopicId, id: &str, sign: i64) -> String {
    format!(
        "INSERT INTO topic_rollups AS r (topic_id, grain, bucket, source, sentiment, emotion, count, confidence_sum) \
         SELECT {}, grain, CASE grain WHEN 0 THEN timestamptz 'epoch' \
         ELSE to_timestamp(floor(extract(epoch FROM created_at) / grain) * grain) END, source, sentiment_label, emotion, \
         {sign}, {sign} * confidence_score FROM social_media_posts, (VALUES (0), (60), (900), (86400)) AS w (grain) \
         WHERE post_id = '{id}' ON CONFLICT (topic_id, grain, bucket, source, sentiment, emotion) \
         DO UPDATE SET count = r.count + excluded.count, confidence_sum = r.confidence_sum + excluded.confidence_sum;",
        topic.0
    )
}

async fn changes_by_previous_release_keep_counts_of_topics_exact(fixture: Fixture) {
    if matches!(fixture.place, Place::Sqlite { .. }) {
        // Only one process can use a SQLite file, so two releases cannot run at the same time.
        return;
    }
    let topics = [topic(&fixture, "acme").await, topic(&fixture, "apex").await];
    let both = || {
        vec![
            PostTopic { topic: topics[0].id, towards: own(Sentiment::Neutral, 0.9) },
            PostTopic { topic: topics[1].id, towards: own(Sentiment::Positive, 0.6) },
        ]
    };
    let changes = ["edited", "deleted", "left", "kept"].map(|id| (insert(post(id)), both()));
    settle(&fixture, changes.into()).await;
    let counted = |id: &str, sign: i64| {
        topics.iter().map(|topic| counted_by_previous_release(topic.id, id, sign)).collect::<String>()
    };
    let edit = "UPDATE social_media_posts SET content = 'new content', sentiment_label = 'negative', \
                confidence_score = 0.55 WHERE post_id = 'edited';";
    fixture.run(&format!("{}{edit}{}", counted("edited", -1), counted("edited", 1))).await;
    let deletion = "DELETE FROM social_media_posts WHERE post_id = 'deleted'";
    fixture.run(&format!("{}{deletion}", counted("deleted", -1))).await;
    let of_one = format!(
        "{}DELETE FROM post_topics WHERE topic_id = {} AND post = \
         (SELECT id FROM social_media_posts WHERE post_id = 'left')",
        counted_by_previous_release(topics[1].id, "left", -1),
        topics[1].id.0
    );
    fixture.run(&of_one).await;
    for topic in &topics {
        check(&fixture, topic.id).await;
    }
    let pending = fixture.store.pending_topics(10).await.expect("posts");
    assert_eq!(pending.iter().map(|post| (&*post.post_id, post.topics.len())).collect::<Vec<_>>(), [("edited", 2)]);
    assert_eq!(fixture.store.topics_of_post(&post_id("kept")).await.expect("topics"), both());
}

async fn second_opinion_replaces_only_the_requested_sentiment(fixture: Fixture) {
    let (acme, apex) = (topic(&fixture, "acme").await, topic(&fixture, "apex").await);
    let doubtful = own(Sentiment::Neutral, 0.4);
    let both = vec![
        PostTopic { topic: acme.id, towards: doubtful.clone() },
        PostTopic { topic: apex.id, towards: own(Sentiment::Positive, 0.9) },
    ];
    settle(&fixture, vec![(insert(post("a")), both)]).await;
    let analyzed_at = fixture.store.post(&post_id("a")).await.expect("an answer").expect("stored").analysis;
    let analyzed_at = analyzed_at.map(|analysis| analysis.analyzed_at);
    let second = |topic: TopicId, towards: Towards| TopicReanalysis {
        post_id: "a".to_owned(),
        analyzed_at,
        replaces: doubtful.clone(),
        topics: vec![PostTopic { topic, towards }],
    };
    let negative = own(Sentiment::Negative, 0.8);
    let batch = vec![
        second(apex.id, negative.clone()),
        second(acme.id, negative.clone()),
        second(acme.id, own(Sentiment::Positive, 0.8)),
    ];
    assert_eq!(fixture.store.reanalyse_topics(batch).await.expect("stored"), [false, true, false]);
    let topics = fixture.store.topics_of_post(&post_id("a")).await.expect("topics");
    assert_eq!(
        topics.iter().map(|topic| topic.towards.clone()).collect::<Vec<_>>(),
        [negative, own(Sentiment::Positive, 0.9)]
    );
    for topic in [acme.id, apex.id] {
        check(&fixture, topic).await;
    }
}

async fn alerts_read_posts_of_a_topic_with_the_sentiment_towards_it(fixture: Fixture) {
    let acme = topic(&fixture, "acme").await;
    let mut late = post("late");
    late.created_at = late.created_at - seconds(600);
    settle(&fixture, vec![(insert(late), vec![PostTopic { topic: acme.id, towards: own(Sentiment::Negative, 0.8) }])])
        .await;
    for (topic, expected) in [(Some(acme.id), Sentiment::Negative), (None, Sentiment::Positive)] {
        let by_source = fixture.store.window_by_source(wide(), topic, SentimentOf::Topic).await.expect("counts");
        assert_eq!(by_source["web"].sentiment(expected), 1, "{topic:?}");
        let late = LatePosts { range: wide(), topic, least: seconds(60), most: seconds(3_600) };
        let marks = fixture.store.late_posts(&late, 10).await.expect("posts");
        let labels = marks.iter().map(|mark| mark.labels.map(|labels| labels.sentiment)).collect::<Vec<_>>();
        assert_eq!(labels, [Some(expected)], "{topic:?}");
        for width in [BucketWidth::Minute, BucketWidth::Quarter] {
            let counts = fixture.store.bucket_counts(width, wide(), topic).await.expect("counts");
            let labels = counts.iter().map(|count| (count.labels.map(|labels| labels.sentiment), count.count));
            assert_eq!(labels.collect::<Vec<_>>(), [(Some(expected), 1)], "{topic:?} {width:?}");
        }
    }
}
