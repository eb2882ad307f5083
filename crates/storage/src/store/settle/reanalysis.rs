//! Replaces the analyses of stored posts, and updates their rollups and the topics that depend on labels.

use diesel::QueryResult;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use diesel_async::AsyncPgConnection;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::backfill::{SubjectColumns, SubjectRow, TopicTest};
use super::new_analysis::{Reanalysis, Replaced};
use super::plan::Row;
use super::tally::Tally;
use super::{PostTimes, postgres, sqlite};
use crate::store::Retention;
use crate::store::labels::LabelColumns;
use crate::store::sql::sql;
use sentistream_core::domain::{PostTopic, Timestamp, TopicId};

/// New analyses of stored posts.
#[derive(Clone)]
pub struct Reanalyses {
    /// The new analyses.
    pub list: Vec<Reanalysis>,
    /// The test that matches the posts again. It is needed when queries of topics have conditions on labels.
    pub topics: Option<TopicTest>,
}

/// A post whose analysis was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reanalysed {
    /// When the post was first stored, and when the new analysis was stored.
    pub times: PostTimes,
    /// The topics of the post after the replacement.
    pub topics: Vec<TopicId>,
}

const SUBJECT: &str = "SELECT content, author, source, lang, url, reply_to FROM social_media_posts WHERE post_id = ?";

impl Reanalysis {
    /// The row with the new analysis; `None` if the post is no longer in the state [`Self::replaces`].
    fn after<'r>(&self, row: &Row<'r>, text: Option<&SubjectRow>, now: Timestamp) -> Option<Row<'r>> {
        let is_current = match &self.replaces {
            Replaced::Analysis(at) => row.analyzed_at == Some(*at),
            Replaced::Unscored { content } => {
                row.analyzed_at.is_none() && text.is_some_and(|text| text.subject().content == content)
            }
        };
        let after = Row {
            analyzed_at: Some(now),
            labels: LabelColumns::of(Some(self.analysis.labels()), None),
            confidence: self.analysis.confidence,
            // The sentiments towards the topics are determined again later.
            topics: row.topics.iter().map(|topic| PostTopic::pending(topic.topic)).collect(),
            ..row.clone()
        };
        is_current.then_some(after)
    }

    /// Whether the stored text of the post must be read.
    fn needs_text(&self, topics: Option<&TopicTest>) -> bool {
        topics.is_some() || matches!(self.replaces, Replaced::Unscored { .. })
    }

    /// The topics of the post with the new analysis.
    fn topics(&self, post: &SubjectRow, test: &TopicTest) -> Vec<PostTopic> {
        let topics = (test.matches)(&post.subject(), Some(self.analysis.labels()));
        topics.into_iter().map(PostTopic::pending).collect()
    }
}

impl Reanalysed {
    fn of(row: &Row<'_>) -> Self {
        Self { times: row.stored(), topics: row.topics.iter().map(|topic| topic.topic).collect() }
    }
}

/// Replaces analyses in SQLite. `None` if the version of the topics differs from the version of the test.
pub fn sqlite(
    connection: &mut SqliteConnection,
    batch: &Reanalyses,
    now: Timestamp,
    retention: &Retention,
) -> QueryResult<Option<Vec<Option<Reanalysed>>>> {
    use diesel::RunQueryDsl;
    if let Some(test) = &batch.topics
        && sqlite::topics_version(connection)? != test.version
    {
        return Ok(None);
    }
    let mut tally = Tally::new(now, retention);
    let mut done = Vec::with_capacity(batch.list.len());
    for reanalysis in &batch.list {
        let post_id = reanalysis.post_id.as_str();
        let before = sqlite::load_state(connection, post_id)?.row;
        let text: Option<SubjectRow> = match before.is_some() && reanalysis.needs_text(batch.topics.as_ref()) {
            true => Some(sql(SUBJECT).bind::<Text, _>(post_id).rows::<SubjectColumns>().get_result(connection)?),
            false => None,
        };
        let mut after = before.as_ref().and_then(|row| reanalysis.after(row, text.as_ref(), now));
        if let (Some(before), Some(after)) = (&before, &mut after) {
            if let (Some(test), Some(text)) = (&batch.topics, &text) {
                after.topics = reanalysis.topics(text, test);
            }
            if !before.topics.is_empty() || !after.topics.is_empty() {
                sqlite::replace_topics(connection, post_id, after)?;
            }
            tally.add_row(before, -1);
            tally.add_row(after, 1);
            sqlite::write_analysis(connection, reanalysis, now)?;
        }
        done.push(after.as_ref().map(Reanalysed::of));
    }
    sqlite::write_tally(connection, &tally)?;
    Ok(Some(done))
}

/// Replaces analyses in Postgres. `None` if the version of the topics differs from the version of the test.
pub fn postgres(
    connection: &mut AsyncPgConnection,
    batch: std::sync::Arc<Reanalyses>,
    now: Timestamp,
    retention: Retention,
) -> BoxFuture<'_, QueryResult<Option<Vec<Option<Reanalysed>>>>> {
    use diesel_async::RunQueryDsl;
    async move {
        let version = postgres::lock_for_backfill(connection).await?;
        if batch.topics.as_ref().is_some_and(|test| test.version != version) {
            return Ok(None);
        }
        let ids: Vec<&str> = batch.list.iter().map(|reanalysis| reanalysis.post_id.as_str()).collect();
        let states = postgres::lock_states(connection, &ids).await?;
        let mut tally = Tally::new(now, &retention);
        let mut done = Vec::with_capacity(batch.list.len());
        for reanalysis in &batch.list {
            let post_id = reanalysis.post_id.as_str();
            let before = states.get(post_id).and_then(|state| state.row.as_ref());
            let text: Option<SubjectRow> = match before.is_some() && reanalysis.needs_text(batch.topics.as_ref()) {
                true => {
                    Some(sql(SUBJECT).bind::<Text, _>(post_id).rows::<SubjectColumns>().get_result(connection).await?)
                }
                false => None,
            };
            let mut after = before.and_then(|row| reanalysis.after(row, text.as_ref(), now));
            if let (Some(before), Some(after)) = (before, &mut after) {
                if let (Some(test), Some(text)) = (&batch.topics, &text) {
                    after.topics = reanalysis.topics(text, test);
                }
                if !before.topics.is_empty() || !after.topics.is_empty() {
                    postgres::replace_topics(connection, post_id, after).await?;
                }
                tally.add_row(before, -1);
                tally.add_row(after, 1);
                postgres::write_analysis(connection, reanalysis, now).await?;
            }
            done.push(after.as_ref().map(Reanalysed::of));
        }
        postgres::write_tally(connection, &tally).await?;
        Ok(Some(done))
    }
    .boxed()
}
