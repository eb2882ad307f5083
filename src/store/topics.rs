//! Tracked topics as they are kept: their queries, versions, and how far old posts are matched.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Text};

use super::backend::{Backend, read, transact};
use super::sql::{At, Instant, sql};
use super::{Store, StoreError};
use crate::domain::{Backfill, Topic, TopicId, TopicName, TopicOrigin};

/// Held exclusively by whoever changes topics, and shared by every transaction that stores posts (Postgres only).
pub(super) const TOPICS_LOCK: i64 = 0x0073_656e_7469_0003;

/// A topic before it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTopic {
    pub name: TopicName,
    /// A query that can be read.
    pub query: String,
    pub description: String,
    pub origin: TopicOrigin,
    pub stored_posts: StoredPosts,
}

/// Whether posts that are stored already are matched too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredPosts {
    Match,
    Leave,
}

/// What becomes of a topic that is there. Posts are matched anew when the query is another.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicEdit {
    pub name: TopicName,
    pub query: String,
    pub description: String,
    pub origin: TopicOrigin,
    /// Only if this is its revision.
    pub revision: Option<i64>,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq)]
pub enum Edited {
    Done(Topic),
    /// There is no such topic.
    Missing,
    /// It is of another revision: this one.
    Stale(i64),
}

/// The columns of [`TopicRow`], to be put behind SELECT or RETURNING.
macro_rules! columns {
    () => {
        "id, name, query, description, origin, revision, created_at, updated_at, backfill_done, backfill_last"
    };
}

type TopicColumns = (BigInt, Text, Text, Text, Text, BigInt, Instant, Instant, BigInt, BigInt);
type TopicRow = (i64, String, String, String, String, i64, At, At, i64, i64);

fn topic(row: TopicRow) -> Option<Topic> {
    let (id, name, query, description, origin, revision, created_at, updated_at, done, last) = row;
    Some(Topic {
        id: TopicId(id),
        name: TopicName::parse(&name).ok()?,
        query,
        description,
        origin: if origin == "config" { TopicOrigin::Config } else { TopicOrigin::Api },
        revision,
        created_at: created_at.0,
        updated_at: updated_at.0,
        backfill: Backfill { done, last },
    })
}

fn origin_name(origin: TopicOrigin) -> &'static str {
    match origin {
        TopicOrigin::Api => "api",
        TopicOrigin::Config => "config",
    }
}

impl Store {
    /// The version of all topics together. It grows with each change of one.
    pub async fn topics_version(&self) -> Result<i64, StoreError> {
        let query = || sql("SELECT version FROM topic_state WHERE id = 1").rows::<BigInt>();
        read!(self, primary, |c| query().get_result(c))
    }

    /// All topics, by name.
    pub async fn topics(&self) -> Result<Vec<Topic>, StoreError> {
        let query = || sql(concat!("SELECT ", columns!(), " FROM topics ORDER BY name")).rows::<TopicColumns>();
        let rows: Vec<TopicRow> = read!(self, primary, |c| query().load(c))?;
        Ok(rows.into_iter().filter_map(topic).collect())
    }

    /// One topic.
    pub async fn topic(&self, name: &TopicName) -> Result<Option<Topic>, StoreError> {
        let query = || {
            sql(concat!("SELECT ", columns!(), " FROM topics WHERE name = ?"))
                .bind::<Text, _>(name.as_str())
                .rows::<TopicColumns>()
        };
        let rows: Vec<TopicRow> = read!(self, primary, |c| query().load(c))?;
        Ok(rows.into_iter().next().and_then(topic))
    }

    /// Keeps a new topic; `None` when the name is taken.
    pub async fn create_topic(&self, new: NewTopic) -> Result<Option<Topic>, StoreError> {
        let data = (self.topics_lock(), new, At(self.clock.now()));
        let row: Option<TopicRow> = transact!(self, data, |c, (lock, new, now), run| {
            run!(sql(lock).bind::<BigInt, _>(TOPICS_LOCK).execute(c))?;
            let share = i64::from(new.stored_posts == StoredPosts::Match);
            let row: Option<TopicRow> = run!(
                sql(concat!(
                    "INSERT INTO topics (name, query, description, origin, revision, created_at, updated_at, \
                     backfill_done, backfill_last) SELECT ?, ?, ?, ?, 1, ?, ?, 0, \
                     ? * (SELECT coalesce(max(id), 0) FROM social_media_posts) WHERE true \
                     ON CONFLICT (name) DO NOTHING RETURNING ",
                    columns!()
                ))
                .bind::<Text, _>(new.name.as_str())
                .bind::<Text, _>(&new.query)
                .bind::<Text, _>(&new.description)
                .bind::<Text, _>(origin_name(new.origin))
                .bind::<Instant, _>(now)
                .bind::<Instant, _>(now)
                .bind::<BigInt, _>(share)
                .rows::<TopicColumns>()
                .get_result(c)
            )
            .optional()?;
            if row.is_some() {
                run!(sql("UPDATE topic_state SET version = version + 1").execute(c))?;
            }
            Ok(row)
        })?;
        Ok(row.and_then(topic))
    }

    /// Changes a topic.
    pub async fn edit_topic(&self, edit: TopicEdit) -> Result<Edited, StoreError> {
        let data = (self.topics_lock(), edit, At(self.clock.now()));
        let (found, row): (Option<i64>, Option<TopicRow>) = transact!(self, data, |c, (lock, edit, now), run| {
            run!(sql(lock).bind::<BigInt, _>(TOPICS_LOCK).execute(c))?;
            let found: Option<i64> = run!(
                sql("SELECT revision FROM topics WHERE name = ?")
                    .bind::<Text, _>(edit.name.as_str())
                    .rows::<BigInt>()
                    .get_result(c)
            )
            .optional()?;
            if found.is_none() || edit.revision.is_some_and(|wanted| Some(wanted) != found) {
                return Ok((found, None));
            }
            let row: Option<TopicRow> = run!(
                sql(concat!(
                    "UPDATE topics SET description = ?, origin = ?, revision = revision + 1, updated_at = ?, \
                     backfill_done = CASE WHEN query = ? THEN backfill_done ELSE 0 END, \
                     backfill_last = CASE WHEN query = ? THEN backfill_last \
                     ELSE (SELECT coalesce(max(id), 0) FROM social_media_posts) END, \
                     query = ? WHERE name = ? RETURNING ",
                    columns!()
                ))
                .bind::<Text, _>(&edit.description)
                .bind::<Text, _>(origin_name(edit.origin))
                .bind::<Instant, _>(now)
                .bind::<Text, _>(&edit.query)
                .bind::<Text, _>(&edit.query)
                .bind::<Text, _>(&edit.query)
                .bind::<Text, _>(edit.name.as_str())
                .rows::<TopicColumns>()
                .get_result(c)
            )
            .optional()?;
            run!(sql("UPDATE topic_state SET version = version + 1").execute(c))?;
            Ok((found, row))
        })?;
        Ok(edited(found, row))
    }

    /// Matches all stored posts anew.
    pub async fn rematch_topic(&self, name: &TopicName) -> Result<Edited, StoreError> {
        let data = (self.topics_lock(), name.clone());
        let row: Option<TopicRow> = transact!(self, data, |c, (lock, name), run| {
            run!(sql(lock).bind::<BigInt, _>(TOPICS_LOCK).execute(c))?;
            run!(
                sql(concat!(
                    "UPDATE topics SET backfill_done = 0, \
                     backfill_last = (SELECT coalesce(max(id), 0) FROM social_media_posts) WHERE name = ? RETURNING ",
                    columns!()
                ))
                .bind::<Text, _>(name.as_str())
                .rows::<TopicColumns>()
                .get_result(c)
            )
            .optional()
        })?;
        Ok(edited(None, row))
    }

    /// Stops tracking a topic. Its rows are removed in small steps by [`Self::prune`].
    pub async fn drop_topic(&self, name: &TopicName, revision: Option<i64>) -> Result<Edited, StoreError> {
        let data = (self.topics_lock(), name.clone(), revision);
        let (found, row): (Option<i64>, Option<TopicRow>) = transact!(self, data, |c, (lock, name, revision), run| {
            run!(sql(lock).bind::<BigInt, _>(TOPICS_LOCK).execute(c))?;
            let found: Option<i64> = run!(
                sql("SELECT revision FROM topics WHERE name = ?")
                    .bind::<Text, _>(name.as_str())
                    .rows::<BigInt>()
                    .get_result(c)
            )
            .optional()?;
            if found.is_none() || revision.is_some_and(|wanted| Some(wanted) != found) {
                return Ok((found, None));
            }
            let row: Option<TopicRow> = run!(
                sql(concat!("DELETE FROM topics WHERE name = ? RETURNING ", columns!()))
                    .bind::<Text, _>(name.as_str())
                    .rows::<TopicColumns>()
                    .get_result(c)
            )
            .optional()?;
            if let Some(row) = &row {
                run!(sql("INSERT INTO dropped_topics (topic_id) VALUES (?)").bind::<BigInt, _>(row.0).execute(c))?;
            }
            run!(sql("UPDATE topic_state SET version = version + 1").execute(c))?;
            Ok((found, row))
        })?;
        Ok(edited(found, row))
    }

    /// Makes the topics of the configuration what `wanted` says; topics of the API are left alone, but for their names.
    pub async fn provision_topics(&self, wanted: Vec<NewTopic>) -> Result<(), StoreError> {
        let present = self.topics().await?;
        for topic in present.iter().filter(|topic| topic.origin == TopicOrigin::Config) {
            if wanted.iter().all(|wanted| wanted.name != topic.name) {
                self.drop_topic(&topic.name, None).await?;
            }
        }
        for new in wanted {
            match present.iter().find(|topic| topic.name == new.name) {
                None => {
                    // Another instance may have been faster.
                    self.create_topic(new).await?;
                }
                Some(topic)
                    if (&topic.query, &topic.description, topic.origin)
                        == (&new.query, &new.description, new.origin) => {}
                Some(_) => {
                    let NewTopic { name, query, description, origin, .. } = new;
                    self.edit_topic(TopicEdit { name, query, description, origin, revision: None }).await?;
                }
            }
        }
        Ok(())
    }

    /// Removes rows of topics that are gone, at most `step` at once.
    pub(super) async fn prune_topics(&self, step: i64) -> Result<(), StoreError> {
        let query = || sql("SELECT topic_id FROM dropped_topics").rows::<BigInt>();
        let dropped: Vec<i64> = read!(self, primary, |c| query().load(c))?;
        for id in dropped {
            while transact!(self, (id, step), |c, (id, step), run| {
                run!(
                    sql("DELETE FROM post_topics WHERE (topic_id, created_at, post) IN \
                         (SELECT topic_id, created_at, post FROM post_topics WHERE topic_id = ? LIMIT ?)")
                    .bind::<BigInt, _>(id)
                    .bind::<BigInt, _>(step)
                    .execute(c)
                )
            })? > 0
            {}
            // No post is of the topic any more, so that nothing adds to its counts.
            while transact!(self, (id, step), |c, (id, step), run| {
                run!(
                    sql("DELETE FROM topic_rollups WHERE (topic_id, grain, bucket, source, sentiment, emotion) IN \
                         (SELECT topic_id, grain, bucket, source, sentiment, emotion FROM topic_rollups \
                         WHERE topic_id = ? LIMIT ?)")
                    .bind::<BigInt, _>(id)
                    .bind::<BigInt, _>(step)
                    .execute(c)
                )
            })? > 0
            {}
            transact!(self, id, |c, id, run| {
                run!(sql("DELETE FROM dropped_topics WHERE topic_id = ?").bind::<BigInt, _>(id).execute(c))
            })?;
        }
        Ok(())
    }

    /// The statement that takes [`TOPICS_LOCK`]; the one writer of SQLite needs none.
    fn topics_lock(&self) -> &'static str {
        match &self.backend {
            Backend::Sqlite(_) => "SELECT ?",
            Backend::Postgres(_) => "SELECT pg_advisory_xact_lock(?)",
        }
    }
}

fn edited(found: Option<i64>, row: Option<TopicRow>) -> Edited {
    match (row.and_then(topic), found) {
        (Some(topic), _) => Edited::Done(topic),
        (None, Some(revision)) => Edited::Stale(revision),
        (None, None) => Edited::Missing,
    }
}
