//! Records when the alerts role was running. While it was not running, missing posts do not prove that a source was
//! silent.

use std::time::Duration;

use diesel::sql_types::{BigInt, Text};
use diesel::{ExpressionMethods, QueryDsl};

use crate::store::backend::{read, transact};
use crate::store::posts::PostFilter;
use crate::store::posts::query::{on_postgres, on_sqlite};
use crate::store::schema::{observed_spans as span, social_media_posts as post};
use crate::store::sql::{At, Instant, MaybeLabel, Sql, Value, labels_of, sql};
use crate::store::{Store, StoreError};
use sentistream_core::domain::{Emotion, PostLabels, Sentiment, TimeRange, Timestamp, TopicId};

/// Records of running times (spans) that ended longer ago than this are deleted.
const KEPT: Duration = Duration::from_secs(60 * 86_400);

/// When a post was written and when it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When the author wrote the post.
    pub written_at: Timestamp,
    /// When the post was first stored.
    pub stored_at: Timestamp,
}

/// A post without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostMark {
    /// When the post was written and stored.
    pub arrival: Arrival,
    /// The source of the post.
    pub source: String,
    /// `None`: the post is unscored.
    pub labels: Option<PostLabels>,
}

impl Store {
    /// Records that the alerts role is running now. If more than `tolerance` has passed since the last call, the time
    /// between the calls becomes a gap. There is no gap if posts were stored in the first half of this time, because
    /// then only the alerts role was down.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
    pub async fn observe(&self, tolerance: Duration) -> Result<(), StoreError> {
        let now = self.clock.now();
        let ahead = now + tolerance;
        transact!(self, (), |c, (), run| {
            // A span in the future was recorded while the clock was ahead.
            run!(diesel::delete(span::table.filter(span::started_at.gt(At(ahead)))).execute(c))?;
            let newest: Vec<(i64, At)> =
                run!(span::table.order(span::id.desc()).limit(1).select((span::id, span::ended_at)).load(c))?;
            if let Some((id, ended)) = newest.into_iter().next() {
                let pause = now.since(ended.0);
                let stored: i64 = if pause <= tolerance {
                    1
                } else {
                    run!(
                        sql("SELECT CAST(coalesce(sum(count), 0) AS bigint) FROM ingest_counters \
                             WHERE bucket > ? AND bucket <= ?")
                        .bind::<Instant, _>(ended)
                        .bind::<Instant, _>(At(ended.0 + pause / 2))
                        .rows::<BigInt>()
                        .get_result(c)
                    )?
                };
                if stored > 0 {
                    let later = At(if ended.0 > ahead { now } else { now.max(ended.0) });
                    run!(diesel::update(span::table.filter(span::id.eq(id))).set(span::ended_at.eq(later)).execute(c))?;
                    return Ok(());
                }
            }
            run!(diesel::delete(span::table).filter(span::ended_at.lt(At(now - KEPT))).execute(c))?;
            run!(
                diesel::insert_into(span::table)
                    .values((span::started_at.eq(At(now)), span::ended_at.eq(At(now))))
                    .execute(c)
            )?;
            Ok(())
        })
    }

    /// When [`Self::observe`] last recorded that the alerts role is running; `None` if it never did.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn observed_until(&self) -> Result<Option<Timestamp>, StoreError> {
        let newest: Vec<At> =
            read!(self, primary, |c| span::table.order(span::id.desc()).limit(1).select(span::ended_at).load(c))?;
        Ok(newest.first().map(|at| at.0))
    }

    /// The gaps between the recorded running times ([`Self::observe`]) that end after `start`, in ascending order. The
    /// time before the first run of the alerts role is not a gap.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn unobserved(&self, start: Timestamp) -> Result<Vec<TimeRange>, StoreError> {
        let spans: Vec<(At, At)> =
            read!(self, primary, |c| span::table.order(span::id).select((span::started_at, span::ended_at)).load(c))?;
        let gaps = spans.windows(2).filter_map(|pair| TimeRange::new(pair[0].1.0, pair[1].0.0));
        Ok(gaps.filter(|gap| gap.end() > start).collect())
    }

    /// When the earliest stored post among those written at or after `start` was written; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn first_post_since(&self, start: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let first: Vec<At> = read!(self, primary, |c| post::table
            .filter(post::created_at.ge(At(start)))
            .order(post::created_at)
            .limit(1)
            .select(post::created_at)
            .load(c))?;
        Ok(first.first().map(|at| at.0))
    }

    /// The arrivals of the `limit` newest posts of a source.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn arrivals(&self, source: &str, limit: i64) -> Result<Vec<Arrival>, StoreError> {
        let rows: Vec<(At, At)> = read!(self, primary, |c| post::table
            .filter(post::source.eq(source))
            .order(post::created_at.desc())
            .limit(limit)
            .select((post::created_at, post::ingested_at))
            .load(c))?;
        Ok(rows.into_iter().map(|(written, stored)| Arrival { written_at: written.0, stored_at: stored.0 }).collect())
    }

    /// The newest `limit` posts that match, without texts.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored sentiment or
    /// emotion is unknown.
    pub async fn post_marks(&self, filter: &PostFilter, limit: i64) -> Result<Vec<PostMark>, StoreError> {
        let rows: Vec<MarkRow> = read!(
            self,
            primary,
            |c| on_sqlite::marks(filter, limit).load(c),
            on_postgres::marks(filter, limit).load(c)
        )?;
        Ok(rows.into_iter().map(PostMark::from).collect())
    }

    /// At most `limit` posts that were stored late, sorted by the time at which they were written.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored sentiment or
    /// emotion is unknown.
    pub async fn late_posts(&self, late: &LatePosts, limit: i64) -> Result<Vec<PostMark>, StoreError> {
        let on_sqlite = || late.query(limit, &|lateness| format!("{}", lateness.as_micros()));
        let on_postgres = || late.query(limit, &|lateness| format!("interval '{} seconds'", lateness.as_secs()));
        let rows: Vec<MarkRow> = read!(self, replica, |c| on_sqlite().load(c), on_postgres().load(c))?;
        Ok(rows.into_iter().map(PostMark::from).collect())
    }
}

/// Selects late posts.
#[derive(Clone, Copy, Debug)]
pub struct LatePosts {
    /// The range of the times at which the authors wrote the posts.
    pub range: TimeRange,
    /// Only posts of this topic.
    pub topic: Option<TopicId>,
    /// The delay between writing and storing is longer than this, in whole seconds.
    pub least: Duration,
    /// The delay between writing and storing is at most this, in whole seconds.
    pub most: Duration,
}

impl LatePosts {
    /// The statement. `added` returns the SQL text that adds a duration to a time.
    fn query(&self, limit: i64, added: &dyn Fn(Duration) -> String) -> Sql<Vec<Value>, MarkColumns> {
        let mut values = vec![Value::At(self.range.start()), Value::At(self.range.end())];
        let (mut label, mut of_topic) = ("p.sentiment_label", "");
        if let Some(topic) = self.topic {
            label = "coalesce(t.sentiment_label, p.sentiment_label)";
            of_topic = " JOIN post_topics t ON t.post = p.id AND t.created_at = p.created_at AND t.topic_id = ?";
            values.insert(0, Value::Integer(topic.0));
        }
        values.push(Value::Integer(limit));
        let (least, most) = (added(self.least), added(self.most));
        sql(format!(
            "SELECT p.created_at, p.ingested_at, p.source, {label}, p.emotion FROM social_media_posts p{of_topic} \
             WHERE p.created_at >= ? AND p.created_at < ? AND p.ingested_at > p.created_at + {least} \
             AND p.ingested_at <= p.created_at + {most} ORDER BY p.created_at LIMIT ?"
        ))
        .values(values)
        .rows()
    }
}

type MarkColumns = (Instant, Instant, Text, Text, Text);

#[derive(diesel::Queryable)]
struct MarkRow {
    created_at: At,
    ingested_at: At,
    source: String,
    sentiment_label: MaybeLabel<Sentiment>,
    emotion: MaybeLabel<Emotion>,
}

impl From<MarkRow> for PostMark {
    fn from(row: MarkRow) -> Self {
        Self {
            arrival: Arrival { written_at: row.created_at.0, stored_at: row.ingested_at.0 },
            source: row.source,
            labels: labels_of(row.sentiment_label, row.emotion),
        }
    }
}
