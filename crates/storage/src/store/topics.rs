//! The tables of tracked topics: queries, versions, and the progress of their backfills.

use diesel::sql_types::{BigInt, Text};
use diesel::{OptionalExtension, Queryable};
use tokio_util::sync::CancellationToken;

use super::backend::{Backend, read, transact};
use super::sql::{At, Instant, sql};
use super::{Store, StoreError};
use sentistream_core::domain::{Backfill, Topic, TopicId, TopicName, TopicOrigin};

/// The advisory lock of topics (Postgres only): exclusive for changing topics, shared for storing posts.
pub(super) const TOPICS_LOCK: i64 = 0x0073_656e_7469_0003;

/// A topic to be created.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTopic {
    /// The name, which must be unique.
    pub name: TopicName,
    /// A valid query.
    pub query: String,
    /// A text for users; may be empty.
    pub description: String,
    /// Whether the API or the configuration creates the topic.
    pub origin: TopicOrigin,
    /// Whether stored posts are matched too.
    pub existing_posts: ExistingPosts,
}

/// Whether a new topic also matches posts that are already stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExistingPosts {
    /// Stored posts are matched in the background.
    Match,
    /// Only posts that are stored from now on are matched.
    Leave,
}

/// A change of an existing topic. If the query changes, all stored posts are matched again in the background.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicEdit {
    /// The name of the topic to change.
    pub name: TopicName,
    /// The new query, which must be valid.
    pub query: String,
    /// The new description.
    pub description: String,
    /// The new origin.
    pub origin: TopicOrigin,
    /// If set, the change requires this revision.
    pub revision: Option<i64>,
}

/// The result of a change.
#[derive(Clone, Debug, PartialEq)]
pub enum Edited {
    /// The topic after the change, or before its deletion.
    Done(Topic),
    /// There is no such topic.
    Missing,
    /// The revision of the topic differs from the revision that the change requires. Contains the current revision.
    Stale(i64),
}

/// The columns of [`TopicRow`], to be used after SELECT or RETURNING.
macro_rules! columns {
    () => {
        "id, name, query, description, origin, revision, created_at, updated_at, backfill_done, backfill_last"
    };
}

type TopicColumns = (BigInt, Text, Text, Text, Text, BigInt, Instant, Instant, BigInt, BigInt);

#[derive(Queryable)]
struct TopicRow {
    id: i64,
    name: String,
    query: String,
    description: String,
    origin: String,
    revision: i64,
    created_at: At,
    updated_at: At,
    backfill_done: i64,
    backfill_last: i64,
}

fn topic(row: TopicRow) -> Option<Topic> {
    Some(Topic {
        id: TopicId(row.id),
        name: TopicName::parse(&row.name).ok()?,
        query: row.query,
        description: row.description,
        origin: if row.origin == "config" { TopicOrigin::Config } else { TopicOrigin::Api },
        revision: row.revision,
        created_at: row.created_at.0,
        updated_at: row.updated_at.0,
        backfill: Backfill { done: row.backfill_done, last: row.backfill_last },
    })
}

fn origin_name(origin: TopicOrigin) -> &'static str {
    match origin {
        TopicOrigin::Api => "api",
        TopicOrigin::Config => "config",
    }
}

impl Store {
    /// The version of the topics. It increases with each change of a topic.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn topics_version(&self) -> Result<i64, StoreError> {
        let query = || sql("SELECT version FROM topic_state WHERE id = 1").rows::<BigInt>();
        read!(self, primary, |c| query().get_result(c))
    }

    /// All topics, by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn topics(&self) -> Result<Vec<Topic>, StoreError> {
        let query = || sql(concat!("SELECT ", columns!(), " FROM topics ORDER BY name")).rows::<TopicColumns>();
        let rows: Vec<TopicRow> = read!(self, primary, |c| query().load(c))?;
        Ok(rows.into_iter().filter_map(topic).collect())
    }

    /// The topic with this name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn topic(&self, name: &TopicName) -> Result<Option<Topic>, StoreError> {
        let query = || {
            sql(concat!("SELECT ", columns!(), " FROM topics WHERE name = ?"))
                .bind::<Text, _>(name.as_str())
                .rows::<TopicColumns>()
        };
        let rows: Vec<TopicRow> = read!(self, primary, |c| query().load(c))?;
        Ok(rows.into_iter().next().and_then(topic))
    }

    /// Creates a topic. Returns `None` if the name is taken.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
    pub async fn create_topic(&self, new: NewTopic) -> Result<Option<Topic>, StoreError> {
        let data = (self.topics_lock(), new, At(self.clock.now()));
        let row: Option<TopicRow> = transact!(self, data, |c, (lock, new, now), run| {
            run!(sql(lock).bind::<BigInt, _>(TOPICS_LOCK).execute(c))?;
            let share = i64::from(new.existing_posts == ExistingPosts::Match);
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
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
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

    /// Requests that all stored posts are matched with the query of the topic again, which
    /// [`Self::backfill_topics`] does in steps. The revision of the topic does not change.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
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

    /// Stops tracking a topic. If `revision` is set, the topic must have this revision. The rows of the topic are
    /// removed in small steps by [`Self::prune`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
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
                run!(sql("INSERT INTO dropped_topics (topic_id) VALUES (?)").bind::<BigInt, _>(row.id).execute(c))?;
            }
            run!(sql("UPDATE topic_state SET version = version + 1").execute(c))?;
            Ok((found, row))
        })?;
        Ok(edited(found, row))
    }

    /// Creates, changes and drops topics of the configuration, so that they match `wanted`. A topic that was created
    /// through the API is changed only if `wanted` contains its name; it then becomes a topic of the configuration.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit. Changes that were already made
    /// remain, so the call can be repeated.
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
                    // Another instance may create the same topic first.
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

    /// Removes rows of dropped topics, at most `step` in a transaction.
    pub(super) async fn prune_topics(&self, step: i64, stop: &CancellationToken) -> Result<(), StoreError> {
        let query = || sql("SELECT topic_id FROM dropped_topics").rows::<BigInt>();
        let dropped: Vec<i64> = read!(self, primary, |c| query().load(c))?;
        for id in dropped {
            while !stop.is_cancelled()
                && transact!(self, (id, step), |c, (id, step), run| {
                    run!(
                        sql("DELETE FROM post_topics WHERE (topic_id, created_at, post) IN \
                         (SELECT topic_id, created_at, post FROM post_topics WHERE topic_id = ? LIMIT ?)")
                        .bind::<BigInt, _>(id)
                        .bind::<BigInt, _>(step)
                        .execute(c)
                    )
                })? > 0
            {}
            // No post has the topic any more, so nothing adds to its counts.
            for table in ["topic_rollups", "topic_shifts"] {
                while !stop.is_cancelled()
                    && transact!(self, (id, step), |c, (id, step), run| {
                        run!(
                            sql(format!(
                                "DELETE FROM {table} WHERE (topic_id, grain, bucket, source, sentiment, emotion) IN \
                                 (SELECT topic_id, grain, bucket, source, sentiment, emotion FROM {table} \
                                 WHERE topic_id = ? LIMIT ?)"
                            ))
                            .bind::<BigInt, _>(id)
                            .bind::<BigInt, _>(step)
                            .execute(c)
                        )
                    })? > 0
                {}
            }
            if stop.is_cancelled() {
                return Ok(());
            }
            transact!(self, id, |c, id, run| {
                run!(sql("DELETE FROM dropped_topics WHERE topic_id = ?").bind::<BigInt, _>(id).execute(c))
            })?;
        }
        Ok(())
    }

    /// The statement that takes [`TOPICS_LOCK`]. SQLite has only one writer and needs no lock.
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
