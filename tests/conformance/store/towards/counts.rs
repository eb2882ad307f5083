//! Compares the counts of a topic with its posts.

use sentistream::domain::{Counts, Period, Sentiment, SentimentOf, TimeRange, Timestamp, TopicId};
use sentistream::store::aggregate::AggregateQuery;
use sentistream::store::posts::{PostFilter, Sort, Start};

use super::super::fixture::{Fixture, at};

/// A range that contains all posts. It does not start or end at a bucket boundary, so that the posts at its edges are
/// counted too.
pub fn wide() -> TimeRange {
    TimeRange::new(at("2026-02-20T10:01:02.5Z"), at("2026-03-02T10:01:02.5Z")).expect("a range")
}

pub fn everything() -> TimeRange {
    TimeRange::new(Timestamp::MIN, Timestamp::MAX).expect("a range")
}

pub fn filter(topic: TopicId, sentiment_of: SentimentOf) -> PostFilter {
    PostFilter { topic: Some(topic), sentiment_of, ..PostFilter::default() }
}

/// Checks that every method that counts the posts of a topic agrees with the rows of `post_topics`.
pub async fn check(fixture: &Fixture, topic: TopicId) {
    for (of, label, confidence) in [
        (
            SentimentOf::Topic,
            "coalesce(t.sentiment_label, p.sentiment_label)",
            "coalesce(t.confidence_score, p.confidence_score)",
        ),
        (SentimentOf::Post, "p.sentiment_label", "p.confidence_score"),
    ] {
        let rows = |what: &str, sentiment: &str| {
            format!(
                "SELECT {what} FROM post_topics t JOIN social_media_posts p ON p.id = t.post \
                 WHERE t.topic_id = {} AND {label} = '{sentiment}'",
                topic.0
            )
        };
        let all = filter(topic, of);
        let range = TimeRange::new(at("2026-02-27T00:00:00Z"), at("2026-03-02T00:00:00Z")).expect("a range");
        let mut ways = vec![
            fixture.store.counts(everything(), &all).await.expect("counts"),
            fixture.store.counts(wide(), &all).await.expect("counts"),
            fixture.store.topic_windows(wide(), None, of).await.expect("counts").remove(&topic).unwrap_or_default(),
        ];
        for period in [Period::Minute, Period::Day] {
            let query = AggregateQuery { period, range, filter: all.clone(), zone: jiff::tz::TimeZone::UTC };
            let mut sum = Counts::default();
            let aggregate = fixture.store.aggregate(&query).await.expect("an aggregate");
            aggregate.buckets.iter().for_each(|bucket| sum.merge(&bucket.counts));
            ways.push(sum);
            let mut sum = Counts::default();
            if let Some(aggregate) = fixture.store.topic_aggregates(&query).await.expect("aggregates").remove(&topic) {
                aggregate.buckets.iter().for_each(|bucket| sum.merge(&bucket.counts));
            }
            ways.push(sum);
        }
        let words = PostFilter { words: vec!["content".to_owned()], ..all.clone() };
        ways.push(fixture.store.counts(everything(), &words).await.expect("counts"));
        let thousandths = format!("round(coalesce(sum({confidence}), 0) * 1000)");
        let mut total = 0;
        for sentiment in Sentiment::ALL {
            let expected = fixture.number(&rows("count(*)", sentiment.as_str())).await;
            for (way, counts) in ways.iter().enumerate() {
                assert_eq!(counts.sentiment(sentiment), expected, "{of:?} {sentiment:?}, count {way}");
            }
            let wanted = PostFilter { sentiment: Some(sentiment.into()), ..all.clone() };
            assert_eq!(
                fixture.store.count_posts(&wanted).await.expect("a total").count,
                expected,
                "{of:?} {sentiment:?}"
            );
            let page = fixture.store.sorted_posts(&wanted, Sort::Oldest, Start::Offset(0), 500).await.expect("a page");
            assert_eq!(page.items.len() as i64, expected, "{of:?} {sentiment:?}");
            let searched = PostFilter { words: vec!["content".to_owned()], ..wanted };
            let page =
                fixture.store.sorted_posts(&searched, Sort::Oldest, Start::Offset(0), 500).await.expect("a page");
            assert_eq!(page.items.len() as i64, expected, "{of:?} {sentiment:?} with words");
            total += fixture.number(&rows(&thousandths, sentiment.as_str())).await;
        }
        let unscored = fixture.number(&rows("count(*)", "")).await;
        for counts in &ways {
            assert_eq!(counts.unscored(), unscored, "{of:?}");
            let sum = counts.average_confidence() * counts.total() as f64;
            assert!((sum - total as f64 / 1_000.0).abs() < 0.01, "{of:?}: {sum} is not {total} thousandths");
        }
    }
}
