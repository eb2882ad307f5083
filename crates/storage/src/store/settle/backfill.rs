//! Matches posts that were stored before a topic's query was created or changed, in small steps that can be repeated
//! and resumed.
//!
//! A step compares the topics that a post should have with the stored ones, and writes the difference. The result is
//! therefore the same if a worker matches a post during a step, or if a step runs twice.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Double, Nullable, Text};
use diesel::sqlite::SqliteConnection;
use diesel_async::AsyncPgConnection;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::tally::{Tally, TopicPost};
use super::topics::{SELECT_TOPICS, TopicColumns, TopicRow};
use crate::store::Retention;
use crate::store::labels::LabelColumns;
use crate::store::sql::{At, Instant, sql};
use sentistream_core::domain::{PostLabels, PostTopic, Subject, Timestamp, TopicId};

/// The maximum number of posts of one step.
const STEP: i64 = 500;

/// Returns the topics of a post with these labels; `None` for the labels of an unscored post.
type Matches = dyn Fn(&Subject<'_>, Option<PostLabels>) -> Vec<TopicId> + Send + Sync;

/// A test for the topics of a post, with the version of the topics that it was created from.
#[derive(Clone)]
pub struct TopicTest {
    /// The version of the topics that the test was created from.
    pub version: i64,
    /// The function that returns the topics of a post.
    pub matches: Arc<Matches>,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackfillStep {
    /// The number of checked posts, but at least 1 while the backfill is not complete; 0 if the backfill of every topic
    /// is complete.
    pub posts: usize,
    /// The number of missing matches that were added.
    pub added: usize,
    /// The number of wrong matches that were removed.
    pub removed: usize,
    /// Whether the version of the topics differs from the version of the test. In this case the step did nothing.
    pub stale: bool,
}

const PENDING: &str = "SELECT id, backfill_done, backfill_last FROM topics WHERE backfill_done < backfill_last";
const END: &str = "SELECT coalesce(max(id), 0), count(*) FROM (SELECT id FROM social_media_posts WHERE id > ? AND id <= ? \
                   ORDER BY id LIMIT ?) AS step";
const POSTS: &str = "SELECT p.id, p.content, p.author, p.source, p.lang, p.url, p.reply_to, p.created_at, p.sentiment_label, p.emotion, \
                     p.confidence_score, p.post_id FROM social_media_posts p WHERE p.id > ? AND p.id <= ?";
/// The columns of a [`SubjectRow`].
pub(super) type SubjectColumns = (Text, Nullable<Text>, Text, Nullable<Text>, Nullable<Text>, Nullable<Text>);
type PostColumns = (BigInt, SubjectColumns, Instant, Text, Text, Double, Text);

/// The columns of a stored post that topics are matched against.
#[derive(diesel::Queryable)]
pub(super) struct SubjectRow {
    content: String,
    author: Option<String>,
    source: String,
    lang: Option<String>,
    url: Option<String>,
    reply_to: Option<String>,
}

impl SubjectRow {
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            content: &self.content,
            author: self.author.as_deref(),
            source: &self.source,
            lang: self.lang.as_deref(),
            url: self.url.as_deref(),
            is_reply: self.reply_to.is_some(),
        }
    }
}

#[derive(diesel::Queryable)]
struct PostRow {
    id: i64,
    #[diesel(embed)]
    subject: SubjectRow,
    created_at: At,
    sentiment: String,
    emotion: String,
    confidence: f64,
    post_id: String,
}

/// A topic whose backfill is not complete, with the id of the last checked post and the id of the last post to check.
#[derive(diesel::Queryable)]
struct PendingTopic {
    id: i64,
    done: i64,
    last: i64,
}

/// The last id and the number of the posts of a step.
#[derive(diesel::Queryable)]
struct StepPosts {
    last: i64,
    count: i64,
}

/// A match of a post with a topic: a row of `post_topics`.
#[derive(Clone, Copy)]
struct Match {
    topic: TopicId,
    created_at: Timestamp,
    post: i64,
}

/// The topics with the least progress, and the ids of the posts to check next.
struct StepRange {
    topics: Vec<i64>,
    done: i64,
    limit: i64,
}

impl StepRange {
    fn of(pending: &[PendingTopic]) -> Option<Self> {
        let done = pending.iter().map(|topic| topic.done).min()?;
        let topics = pending.iter().filter(|topic| topic.done == done).map(|topic| topic.id).collect();
        // The step ends where the backfill of another topic continues, or where the backfill of one of these topics is
        // complete.
        let edges = pending.iter().flat_map(|topic| [topic.done, topic.last]);
        let limit = edges.filter(|edge| *edge > done).min()?;
        Some(Self { topics, done, limit })
    }

    /// The id at which a step over these posts ends.
    fn end(&self, found: &StepPosts) -> i64 {
        if found.count >= STEP { found.last } else { self.limit }
    }
}

/// The differences between the stored and the correct topics.
struct Difference {
    tally: Tally,
    added: Vec<Match>,
    removed: Vec<Match>,
    /// Matches that remain. Their sentiment is determined again, because the query of the topic may have changed.
    renewed: Vec<Match>,
}

/// The stored topics of posts, by the id of the post.
type Stored = HashMap<String, HashMap<TopicId, PostTopic>>;

/// The posts of a step with their stored topics.
struct Found<'a> {
    posts: &'a [PostRow],
    topics: Stored,
}

fn stored(rows: Vec<TopicRow>) -> Stored {
    let mut stored = Stored::new();
    for row in rows {
        let post_id = row.post_id.clone();
        let topic = PostTopic::from(row);
        stored.entry(post_id).or_default().insert(topic.topic, topic);
    }
    stored
}

/// Computes the differences for `topics`, and adds the changes of their counts to `tally`.
fn difference(found: &Found<'_>, topics: &[i64], test: &TopicTest, mut tally: Tally) -> Difference {
    let (mut added, mut removed, mut renewed) = (Vec::new(), Vec::new(), Vec::new());
    let none = HashMap::new();
    for row in found.posts {
        let labels = LabelColumns::read(&row.sentiment, row.emotion.clone());
        let want: HashSet<TopicId> = (test.matches)(&row.subject.subject(), labels.parsed()).into_iter().collect();
        let have = found.topics.get(&row.post_id).unwrap_or(&none);
        let post = TopicPost {
            created_at: row.created_at.0,
            source: &row.subject.source,
            labels: &labels,
            confidence: row.confidence,
        };
        for topic in topics.iter().copied().map(TopicId) {
            let pending = PostTopic::pending(topic);
            let list = match (want.contains(&topic), have.get(&topic)) {
                (true, None) => &mut added,
                (false, Some(_)) => &mut removed,
                (true, Some(before)) if *before != pending => &mut renewed,
                _ => continue,
            };
            list.push(Match { topic, created_at: row.created_at.0, post: row.id });
            if let Some(before) = have.get(&topic) {
                tally.add_topic(before, &post, -1);
            }
            if want.contains(&topic) {
                tally.add_topic(&pending, &post, 1);
            }
        }
    }
    Difference { tally, added, removed, renewed }
}

impl Difference {
    fn step(&self, posts: usize) -> BackfillStep {
        BackfillStep { posts: posts.max(1), added: self.added.len(), removed: self.removed.len(), stale: false }
    }
}

/// Runs one step of a backfill in SQLite.
pub fn sqlite(
    connection: &mut SqliteConnection,
    test: &TopicTest,
    now: Timestamp,
    retention: &Retention,
) -> QueryResult<BackfillStep> {
    use diesel::RunQueryDsl;
    if super::sqlite::topics_version(connection)? != test.version {
        return Ok(BackfillStep { stale: true, ..BackfillStep::default() });
    }
    let pending: Vec<PendingTopic> = sql(PENDING).rows::<(BigInt, BigInt, BigInt)>().load(connection)?;
    let Some(range) = StepRange::of(&pending) else { return Ok(BackfillStep::default()) };
    let step: StepPosts = sql(END)
        .bind::<BigInt, _>(range.done)
        .bind::<BigInt, _>(range.limit)
        .bind::<BigInt, _>(STEP)
        .rows::<(BigInt, BigInt)>()
        .get_result(connection)?;
    let rows: Vec<PostRow> =
        sql(POSTS).bind::<BigInt, _>(range.done).bind::<BigInt, _>(step.last).rows::<PostColumns>().load(connection)?;
    let topics: Vec<TopicRow> = sql(format!("{SELECT_TOPICS} p.id > ? AND p.id <= ?"))
        .bind::<BigInt, _>(range.done)
        .bind::<BigInt, _>(step.last)
        .rows::<TopicColumns>()
        .load(connection)?;
    let found = Found { posts: &rows, topics: stored(topics) };
    let difference = difference(&found, &range.topics, test, Tally::new(now, retention));
    let renew = "UPDATE post_topics SET sentiment_label = NULL, confidence_score = NULL, clause_start = NULL, \
                 clause_end = NULL WHERE topic_id = ? AND created_at = ? AND post = ?";
    let add = "INSERT INTO post_topics (topic_id, created_at, post) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    let remove = "DELETE FROM post_topics WHERE topic_id = ? AND created_at = ? AND post = ?";
    for (statement, matches) in [(renew, &difference.renewed), (add, &difference.added), (remove, &difference.removed)]
    {
        for of in matches {
            sql(statement)
                .bind::<BigInt, _>(of.topic.0)
                .bind::<Instant, _>(At(of.created_at))
                .bind::<BigInt, _>(of.post)
                .execute(connection)?;
        }
    }
    super::sqlite::write_tally(connection, &difference.tally)?;
    for topic in &range.topics {
        sql("UPDATE topics SET backfill_done = ? WHERE id = ?")
            .bind::<BigInt, _>(range.end(&step))
            .bind::<BigInt, _>(topic)
            .execute(connection)?;
    }
    Ok(difference.step(rows.len()))
}

/// Runs one step of a backfill in Postgres.
pub fn postgres(
    connection: &mut AsyncPgConnection,
    test: TopicTest,
    now: Timestamp,
    retention: Retention,
) -> BoxFuture<'_, QueryResult<BackfillStep>> {
    use diesel_async::RunQueryDsl;
    async move {
        if super::postgres::lock_for_backfill(connection).await? != test.version {
            return Ok(BackfillStep { stale: true, ..BackfillStep::default() });
        }
        let pending: Vec<PendingTopic> = sql(PENDING).rows::<(BigInt, BigInt, BigInt)>().load(connection).await?;
        let Some(range) = StepRange::of(&pending) else { return Ok(BackfillStep::default()) };
        let step: StepPosts = sql(END)
            .bind::<BigInt, _>(range.done)
            .bind::<BigInt, _>(range.limit)
            .bind::<BigInt, _>(STEP)
            .rows::<(BigInt, BigInt)>()
            .get_result(connection)
            .await?;
        let last = step.last;
        // This statement locks the posts, so that no other transaction changes them before this one ends.
        sql("SELECT k.post_id FROM post_keys k JOIN social_media_posts p ON p.post_id = k.post_id \
             WHERE p.id > ? AND p.id <= ? ORDER BY k.post_id FOR UPDATE OF k")
        .bind::<BigInt, _>(range.done)
        .bind::<BigInt, _>(last)
        .execute(connection)
        .await?;
        let rows: Vec<PostRow> = sql(POSTS)
            .bind::<BigInt, _>(range.done)
            .bind::<BigInt, _>(last)
            .rows::<PostColumns>()
            .load(connection)
            .await?;
        let topics: Vec<TopicRow> = sql(format!("{SELECT_TOPICS} p.id > ? AND p.id <= ?"))
            .bind::<BigInt, _>(range.done)
            .bind::<BigInt, _>(last)
            .rows::<TopicColumns>()
            .load(connection)
            .await?;
        let found = Found { posts: &rows, topics: stored(topics) };
        let difference = difference(&found, &range.topics, &test, Tally::new(now, &retention));
        let add = "INSERT INTO post_topics (topic_id, created_at, post) SELECT * FROM unnest(?, ?, ?) \
                   ON CONFLICT DO NOTHING";
        let remove = "DELETE FROM post_topics AS t USING unnest(?, ?, ?) AS gone (topic_id, created_at, post) \
                      WHERE t.topic_id = gone.topic_id AND t.created_at = gone.created_at AND t.post = gone.post";
        let renew = "UPDATE post_topics AS t SET sentiment_label = NULL, confidence_score = NULL, \
                     clause_start = NULL, clause_end = NULL \
                     FROM unnest(?, ?, ?) AS again (topic_id, created_at, post) \
                     WHERE t.topic_id = again.topic_id AND t.created_at = again.created_at AND t.post = again.post";
        let changes = [(add, &difference.added), (remove, &difference.removed), (renew, &difference.renewed)];
        for (statement, matches) in changes.into_iter().filter(|(_, matches)| !matches.is_empty()) {
            sql(statement)
                .bind::<Array<BigInt>, _>(matches.iter().map(|of| of.topic.0).collect::<Vec<_>>())
                .bind::<Array<Instant>, _>(matches.iter().map(|of| At(of.created_at)).collect::<Vec<_>>())
                .bind::<Array<BigInt>, _>(matches.iter().map(|of| of.post).collect::<Vec<_>>())
                .execute(connection)
                .await?;
        }
        super::postgres::write_tally(connection, &difference.tally).await?;
        sql("UPDATE topics SET backfill_done = ? WHERE id = ANY(?)")
            .bind::<BigInt, _>(range.end(&step))
            .bind::<Array<BigInt>, _>(&range.topics)
            .execute(connection)
            .await?;
        Ok(difference.step(rows.len()))
    }
    .boxed()
}
