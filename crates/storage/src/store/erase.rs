//! Deletes all data of an author.

use diesel::Queryable;
use diesel::sql_types::{BigInt, Text};

use super::alerts::without_author;
use super::backend::{Backend, read, transact};
use super::settle::RemovedPost;
use super::sql::{At, Document, Instant, JsonText, sql};
use super::{Store, StoreError};
use sentistream_core::domain::{Author, Source, Timestamp};

/// The maximum number of alerts that one step searches for citations.
const STEP: i64 = 100;

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Erased {
    /// The posts that were deleted.
    pub posts: Vec<RemovedPost>,
    /// The number of citations of the author in alerts, including citations of posts that the retention had removed
    /// before.
    pub evidence: i64,
}

/// A post of an author.
#[derive(Clone, Debug, Queryable)]
pub struct PostOf {
    id: i64,
    created_at: At,
    /// The id of the post.
    pub post_id: String,
}

/// An alert whose details contain the name of the author.
#[derive(Queryable)]
struct CitingAlert {
    id: i64,
    details: JsonText,
}

impl Store {
    /// The sources from which posts of this author are stored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sources_of(&self, author: &Author) -> Result<Vec<Source>, StoreError> {
        let query = || {
            sql("SELECT DISTINCT source FROM social_media_posts WHERE author = ?")
                .bind::<Text, _>(author.as_str())
                .rows::<Text>()
        };
        let names: Vec<String> = read!(self, primary, |c| query().load(c))?;
        Ok(names.iter().filter_map(|name| Source::parse(name).ok()).collect())
    }

    /// The next posts of the author on the source, at most 500, by `created_at`, after the post `last`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn posts_of(
        &self,
        source: &Source,
        author: &Author,
        last: Option<&PostOf>,
    ) -> Result<Vec<PostOf>, StoreError> {
        const NEXT: &str = "SELECT id, created_at, post_id FROM social_media_posts WHERE author = ? AND source = ? \
                            AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT 500";
        let (created_at, id) = last.map_or((At(Timestamp::MIN), i64::MIN), |last| (last.created_at, last.id));
        let query = || {
            sql(NEXT)
                .bind::<Text, _>(author.as_str())
                .bind::<Text, _>(source.as_str())
                .bind::<Instant, _>(created_at)
                .bind::<BigInt, _>(id)
                .rows::<(BigInt, Instant, Text)>()
        };
        read!(self, primary, |c| query().load(c))
    }

    /// Deletes all posts of the author on the source, as [`Self::delete_post`] does, and all their citations in alerts.
    /// Works in steps while a server may be running, and can be repeated after an error.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn erase_author(&self, source: &Source, author: &Author) -> Result<Erased, StoreError> {
        let removal = self.remove_author(source, author, None).await?;
        let cited = self.erase_citations(source, author).await?;
        Ok(Erased { posts: removal.posts, evidence: removal.evidence + cited })
    }

    /// Removes deleted content from the database files as far as possible: SQLite moves its write-ahead log into the
    /// database file and truncates the log, unless another connection is using the log. Does nothing on Postgres.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn scrub(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => Ok(sqlite.checkpoint().await?),
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// Removes citations of the author that are left in the details of alerts after the cited posts were deleted.
    /// Returns their number.
    async fn erase_citations(&self, source: &Source, author: &Author) -> Result<i64, StoreError> {
        // The author's name as a quoted JSON string. Both databases write it in this form.
        let quoted = serde_json::Value::from(author.as_str()).to_string();
        let text = match &self.backend {
            Backend::Sqlite(_) => {
                "SELECT id, details FROM sentiment_alerts WHERE id > ? AND instr(details, ?) > 0 ORDER BY id LIMIT ?"
            }
            Backend::Postgres(_) => {
                "SELECT id, details FROM sentiment_alerts WHERE id > ? AND strpos(details::text, ?) > 0 \
                 ORDER BY id LIMIT ? FOR UPDATE"
            }
        };
        let (mut after, mut cited) = (0, 0);
        loop {
            let data = (source.clone(), author.clone(), quoted.clone());
            let (last, found): (Option<i64>, i64) = transact!(self, data, |c, (source, author, quoted), run| {
                let select = sql(text).bind::<BigInt, _>(after).bind::<Text, _>(&quoted).bind::<BigInt, _>(STEP);
                let alerts: Vec<CitingAlert> = run!(select.rows::<(BigInt, Document)>().load(c))?;
                let mut found = 0;
                for alert in &alerts {
                    let Some(cleared) = without_author(&alert.details.0, source.as_str(), author.as_str()) else {
                        continue;
                    };
                    found += cleared.citations;
                    run!(
                        sql("UPDATE sentiment_alerts SET details = ? WHERE id = ?")
                            .bind::<Document, _>(JsonText(cleared.details))
                            .bind::<BigInt, _>(alert.id)
                            .execute(c)
                    )?;
                }
                let last = alerts.last().map(|alert| alert.id);
                Ok((last, found))
            })?;
            cited += found;
            match last {
                Some(last) => after = last,
                None => return Ok(cited),
            }
        }
    }
}
