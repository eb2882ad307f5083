//! The entries and events that are published to other consumers and live clients after a commit.

use std::collections::BTreeMap;

use super::context::Worker;
use super::disposition::Work;
use super::languages;
use super::traces::Traces;
use crate::domain::{
    Analysis, EntryKey, LiveEvent, Op, Outcome, PostEvent, PostId, PostTopic, RawFields, Sentiment, TopicId, Towards,
    Unscored,
};
use crate::store::settle::{PostTimes, Settled};
use crate::topics::Tracked;

/// The entries and events to publish for one batch, and the posts to remove from streams.
#[derive(Default)]
pub struct Published {
    /// Entries of the processed stream.
    pub processed: Vec<RawFields>,
    /// Live events, in order.
    pub events: Vec<LiveEvent>,
    /// Posts to remove from the dead letters.
    pub removed: Vec<PostId>,
    /// The posts of `removed` that were stored, or that an earlier delivery may have removed from the store. They are
    /// also removed from the processed stream.
    pub unpublished: Vec<PostId>,
}

/// The topics and traces of a batch.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The topics that the batch was matched against, for their names.
    pub tracked: &'a Tracked,
    /// The spans of the entries that are traced.
    pub traces: &'a Traces,
}

impl Published {
    /// The entries and events of committed works. `settled` contains the results of the works in the same order.
    pub fn of(worker: &Worker, works: &[Work<'_>], settled: Vec<Settled>, context: Context<'_>) -> Self {
        let mut published = Self::default();
        for (work, settled) in works.iter().zip(settled) {
            count(settled.outcome);
            published.add(worker, work, &settled, context);
        }
        published
    }

    fn add(&mut self, worker: &Worker, work: &Work<'_>, settled: &Settled, context: Context<'_>) {
        if let Op::Delete { post_id } = &work.task.op {
            // The post is removed even if it is not stored, because it may be a dead letter.
            self.removed.push(post_id.clone());
            if settled.outcome.is_none() {
                // An earlier delivery may have removed the post from the store, and may have been interrupted before it
                // removed the copies of the post in the streams.
                self.unpublished.push(post_id.clone());
            }
        }
        let removed = || settled.removed.iter().map(|removed| removed.post_id.clone());
        self.removed.extend(removed());
        self.unpublished.extend(removed());
        if settled.outcome.is_some() {
            self.events.extend(removed().map(LiveEvent::PostDeleted));
        }
        let (Some(post), Some(stored)) = (work.task.op.post(), settled.stored) else { return };
        let analysis = work.analysis.as_ref();
        if analysis.is_none() && !work.is_unscored() {
            return;
        }
        let topics = work.disposition.topics().unwrap_or_default();
        let ids: Vec<TopicId> = topics.iter().map(|topic| topic.topic).collect();
        let topic_sentiments = topic_sentiments(topics, context.tracked);
        let topics = context.tracked.names(&ids);
        self.processed.push(Enriched { op: &work.task.op, analysis, topics: &topics, stored }.to_fields());
        if settled.outcome.is_none() {
            return;
        }
        let key = &work.task.entry.key;
        let mut event = PostEvent::new(post, analysis, stored.ingested_at, stored.analyzed_at);
        event.topics = topics;
        event.topic_sentiments = topic_sentiments;
        event.traceparent = context.traces.context(key);
        if let Some(doubts) = &worker.topic_doubts {
            doubts.consider(post, work.disposition.topics().unwrap_or_default(), context.tracked, &event);
        }
        self.events.push(LiveEvent::Post(event));
        record(key, analysis, stored);
        languages::count(post);
        if let (Some(second), Some(analysis)) = (&worker.second_opinion, analysis) {
            second.consider(post, analysis, stored);
        }
    }
}

/// The sentiments towards topics, by the name of the topic. Includes only topics with a sentiment that was determined
/// separately from that of the post.
fn topic_sentiments(topics: &[PostTopic], tracked: &Tracked) -> BTreeMap<String, Sentiment> {
    let own = |topic: &PostTopic| match &topic.towards {
        Towards::Own(own) => Some((tracked.get(topic.topic)?.name.to_string(), own.sentiment)),
        Towards::Pending | Towards::Post => None,
    };
    topics.iter().filter_map(own).collect()
}

/// An entry of the processed stream: the post's fields and its analysis.
struct Enriched<'a> {
    op: &'a Op,
    /// `None`: the post is unscored, and its label fields are empty.
    analysis: Option<&'a Analysis>,
    topics: &'a [String],
    stored: PostTimes,
}

impl Enriched<'_> {
    fn to_fields(&self) -> RawFields {
        let mut fields = self.op.to_fields();
        let label = |of: fn(&Analysis) -> &str| self.analysis.map_or("", of).to_owned();
        fields.push("sentiment_label", label(|analysis| analysis.sentiment.as_str()));
        let confidence = self.analysis.map(|analysis| format!("{:.6}", analysis.confidence));
        fields.push("confidence_score", confidence.unwrap_or_default());
        fields.push("emotion", label(|analysis| analysis.emotion.as_str()));
        if self.analysis.is_none() {
            fields.push("unscored", Unscored::Language.as_str());
        }
        if !self.topics.is_empty() {
            fields.push("topics", self.topics.join(","));
        }
        fields.push("model_name", label(|analysis| &analysis.model_name));
        fields.push("ingested_at", self.stored.ingested_at.to_string());
        fields.push("analyzed_at", self.stored.analyzed_at.to_string());
        fields
    }
}

/// Counts the outcome of an entry; `None` if an earlier delivery already settled the entry.
pub fn count(outcome: Option<Outcome>) {
    let outcome = outcome.map_or("redelivered", Outcome::as_str);
    metrics::counter!("sentistream_entries_total", "outcome" => outcome).increment(1);
}

fn record(key: &EntryKey, analysis: Option<&Analysis>, stored: PostTimes) {
    let latency = stored.analyzed_at.since(key.id.appended_at());
    metrics::histogram!("sentistream_append_to_commit_seconds").record(latency);
    if analysis.is_some_and(|analysis| analysis.truncated) {
        metrics::counter!("sentistream_truncated_total").increment(1);
    }
}
