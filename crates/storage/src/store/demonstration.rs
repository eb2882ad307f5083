//! The demonstration: generated posts, and the topics, rules and alerts that belong to them. The progress is stored in
//! one row. The demonstration is removed in steps, each of which is a transaction that can be repeated.

use diesel::Queryable;
use diesel::sql_types::{BigInt, Bool, Text};

use super::backend::{Backend, read, transact};
use super::settle;
use super::sql::{At, Document, Instant, JsonText, sql};
use super::{Store, StoreError};
use sentistream_core::domain::Timestamp;
use sentistream_core::domain::made_up::is_made_up;

/// The maximum number of stored posts that one step checks for generated posts.
const IDS: i64 = 2_000;
/// The maximum number of rows with zero counts that one call removes.
const ROWS: i64 = 5_000;

/// The progress of a demonstration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoState {
    /// The generated posts are being appended and analysed.
    Filling,
    /// The rules of the demonstration are being evaluated over the generated history.
    Evaluating,
    /// The demonstration is complete.
    Ready,
    /// The demonstration is being removed.
    Removing,
    /// The demonstration was removed.
    Removed,
}

impl DemoState {
    const ALL: [Self; 5] = [Self::Filling, Self::Evaluating, Self::Ready, Self::Removing, Self::Removed];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Filling => "filling",
            Self::Evaluating => "evaluating",
            Self::Ready => "ready",
            Self::Removing => "removing",
            Self::Removed => "removed",
        }
    }
}

/// A demonstration.
#[derive(Clone, Debug, PartialEq)]
pub struct Demonstration {
    /// The id of the run. It is a part of the ids of the generated posts.
    pub run: String,
    /// When the demonstration started. Its generated history ends at this time.
    pub began_at: Timestamp,
    /// The progress of the demonstration.
    pub state: DemoState,
    /// The number of posts of its generated history.
    pub planned: i64,
    /// The number of posts of its history that have been appended so far.
    pub appended: i64,
    /// The ids of the topics of the demonstration.
    pub topics: Vec<i64>,
    /// The ids of the rules of the demonstration.
    pub rules: Vec<i64>,
}

#[derive(Queryable)]
struct DemoRow {
    run: String,
    began_at: At,
    state: String,
    planned: i64,
    appended: i64,
    topics: JsonText,
    rules: JsonText,
}

impl DemoRow {
    fn read(self) -> Option<Demonstration> {
        let state = DemoState::ALL.into_iter().find(|state| state.as_str() == self.state)?;
        let ids = |list: &JsonText| serde_json::from_str(&list.0).unwrap_or_default();
        Some(Demonstration {
            run: self.run,
            began_at: self.began_at.0,
            state,
            planned: self.planned,
            appended: self.appended,
            topics: ids(&self.topics),
            rules: ids(&self.rules),
        })
    }
}

fn list(ids: &[i64]) -> JsonText {
    JsonText(serde_json::Value::from(ids).to_string())
}

/// The result of one step of the removal of posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovedPosts {
    /// The number of posts that the step removed.
    pub count: usize,
    /// The row after which the next step begins; `None` after the last step.
    pub next: Option<i64>,
}

impl Store {
    /// The demonstration; `None` if none was ever started.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn demonstration(&self) -> Result<Option<Demonstration>, StoreError> {
        let query = || {
            sql("SELECT run, began_at, state, planned, appended, topics, rules FROM demonstration WHERE id = 1")
                .rows::<(Text, Instant, Text, BigInt, BigInt, Document, Document)>()
        };
        let rows: Vec<DemoRow> = read!(self, primary, |c| query().load(c))?;
        Ok(rows.into_iter().next().and_then(DemoRow::read))
    }

    /// Starts a demonstration if none was ever started and the database has no posts, no topics, no receivers, and no
    /// rules except those of the configuration. Returns whether the demonstration was started.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
    pub async fn begin_demonstration(&self, demo: &Demonstration) -> Result<bool, StoreError> {
        let begun: usize = transact!(self, demo.clone(), |c, demo, run| {
            let used: bool = run!(
                sql("SELECT EXISTS (SELECT 1 FROM demonstration) OR EXISTS (SELECT 1 FROM social_media_posts) \
                     OR EXISTS (SELECT 1 FROM topics) OR EXISTS (SELECT 1 FROM alert_rules WHERE NOT provisioned) \
                     OR EXISTS (SELECT 1 FROM alert_receivers)")
                .rows::<Bool>()
                .get_result(c)
            )?;
            if used {
                return Ok(0);
            }
            run!(
                sql("INSERT INTO demonstration (id, run, began_at, state, planned, appended, topics, rules) \
                     VALUES (1, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
                .bind::<Text, _>(&demo.run)
                .bind::<Instant, _>(At(demo.began_at))
                .bind::<Text, _>(demo.state.as_str())
                .bind::<BigInt, _>(demo.planned)
                .bind::<BigInt, _>(demo.appended)
                .bind::<Document, _>(list(&demo.topics))
                .bind::<Document, _>(list(&demo.rules))
                .execute(c)
            )
        })?;
        Ok(begun > 0)
    }

    /// Stores the progress if the stored state is still `from`. Returns `false` if the state has changed, because a
    /// removal was requested.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
    pub async fn advance_demonstration(&self, demo: &Demonstration, from: DemoState) -> Result<bool, StoreError> {
        let changed: usize = transact!(self, demo.clone(), |c, demo, run| {
            run!(
                sql("UPDATE demonstration SET state = ?, planned = ?, appended = ?, topics = ?, rules = ? WHERE state = ?")
                    .bind::<Text, _>(demo.state.as_str())
                    .bind::<BigInt, _>(demo.planned)
                    .bind::<BigInt, _>(demo.appended)
                    .bind::<Document, _>(list(&demo.topics))
                    .bind::<Document, _>(list(&demo.rules))
                    .bind::<Text, _>(from.as_str())
                    .execute(c)
            )
        })?;
        Ok(changed > 0)
    }

    /// Requests the removal, which the ingester role performs. Returns `false` if there is no demonstration, or it was
    /// already removed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
    pub async fn request_demonstration_removal(&self) -> Result<bool, StoreError> {
        let (removing, removed) = (DemoState::Removing.as_str(), DemoState::Removed.as_str());
        let changed: usize = transact!(self, (), |c, (), run| {
            run!(
                sql("UPDATE demonstration SET state = ? WHERE state <> ?")
                    .bind::<Text, _>(removing)
                    .bind::<Text, _>(removed)
                    .execute(c)
            )
        })?;
        Ok(changed > 0)
    }

    /// Removes the generated posts among the next rows after `after`, and their counts. Leaves no tombstones.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit. Posts that were already removed
    /// stay removed, so the call can be repeated.
    pub async fn remove_made_up_posts(&self, after: i64) -> Result<RemovedPosts, StoreError> {
        let query = || {
            sql("SELECT id, post_id FROM social_media_posts WHERE id > ? ORDER BY id LIMIT ?")
                .bind::<BigInt, _>(after)
                .bind::<BigInt, _>(IDS)
                .rows::<(BigInt, Text)>()
        };
        let rows: Vec<(i64, String)> = read!(self, primary, |c| query().load(c))?;
        let next = rows.last().filter(|_| rows.len() as i64 == IDS).map(|(id, _)| *id);
        let ids: Vec<String> = rows.into_iter().map(|(_, id)| id).filter(|id| is_made_up(id)).collect();
        let mut count = 0;
        for step in ids.chunks(settle::removal::STEP as usize) {
            count += self.remove_with_counts(step.to_vec()).await?;
        }
        Ok(RemovedPosts { count, next })
    }

    async fn remove_with_counts(&self, ids: Vec<String>) -> Result<usize, StoreError> {
        let (now, retention) = (self.clock.now(), self.retention.clone());
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                Ok(sqlite.write(move |c| settle::remove_on_sqlite(c, &ids, now, &retention)).await?)
            }
            Backend::Postgres(postgres) => {
                postgres.transact(move |c| settle::remove_on_postgres(c, ids.clone(), now, retention.clone())).await
            }
        }
    }

    /// Removes the rules of a demonstration with their alerts, series and transitions, and all other alerts that cite
    /// only generated posts. Must be called before the generated posts are removed, because the removal of a post also
    /// removes its citations.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
    pub async fn remove_demonstration_alerts(&self, rules: &[i64]) -> Result<(), StoreError> {
        let raised = || {
            sql("SELECT a.id, e.post_id FROM sentiment_alerts a JOIN alert_evidence e ON e.alert_id = a.id ORDER BY a.id")
                .rows::<(BigInt, Text)>()
        };
        let cited: Vec<(i64, String)> = read!(self, primary, |c| raised().load(c))?;
        let made_up: Vec<i64> = cited
            .chunk_by(|one, next| one.0 == next.0)
            .filter(|posts| posts.iter().all(|(_, post)| is_made_up(post)))
            .filter_map(|posts| posts.first().map(|(id, _)| *id))
            .collect();
        transact!(self, (rules.to_vec(), made_up), |c, (rules, made_up), run| {
            for rule in rules {
                for text in [
                    "DELETE FROM alert_rules WHERE id = ?",
                    "DELETE FROM alert_instances WHERE rule_id = ?",
                    "DELETE FROM alert_transitions WHERE rule_id = ?",
                    "DELETE FROM alert_evidence WHERE alert_id IN (SELECT id FROM sentiment_alerts WHERE rule_id = ?)",
                    "DELETE FROM sentiment_alerts WHERE rule_id = ?",
                ] {
                    run!(sql(text).bind::<BigInt, _>(rule).execute(c))?;
                }
            }
            for alert in made_up {
                for text in [
                    "DELETE FROM alert_instances WHERE alert_id = ?",
                    "DELETE FROM alert_transitions WHERE alert_id = ?",
                    "DELETE FROM alert_evidence WHERE alert_id = ?",
                    "DELETE FROM sentiment_alerts WHERE id = ?",
                ] {
                    run!(sql(text).bind::<BigInt, _>(alert).execute(c))?;
                }
            }
            Ok(())
        })
    }

    /// Stops tracking the topics with these ids, and removes the rows of the topics.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit. Topics that were already dropped
    /// stay dropped, so the call can be repeated.
    pub async fn remove_demonstration_topics(&self, ids: &[i64]) -> Result<(), StoreError> {
        for topic in self.topics().await? {
            if ids.contains(&topic.id.0) {
                self.drop_topic(&topic.name, None).await?;
            }
        }
        self.prune_topics(ROWS, &tokio_util::sync::CancellationToken::new()).await
    }

    /// Removes rollup rows whose counts are zero, at most 5,000 per call. Returns the number of removed rows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
    pub async fn remove_empty_counts(&self) -> Result<usize, StoreError> {
        transact!(self, (), |c, (), run| {
            run!(
                sql("DELETE FROM post_rollups WHERE count = 0 AND (grain, bucket, source, sentiment, emotion) IN \
                     (SELECT grain, bucket, source, sentiment, emotion FROM post_rollups WHERE count = 0 \
                     ORDER BY grain, bucket, source, sentiment, emotion LIMIT ?)")
                .bind::<BigInt, _>(ROWS)
                .execute(c)
            )
        })
    }
}
