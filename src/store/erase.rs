//! Erasing what a person wrote.

use diesel::sql_types::{BigInt, Text};

use super::backend::read;
use super::sql::sql;
use super::{Store, StoreError};
use crate::domain::{Author, PostId, Source};

/// Posts of one read.
const STEP: i64 = 200;

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Erased {
    pub posts: Vec<PostId>,
    /// How often alerts cited them.
    pub evidence: i64,
}

impl Store {
    /// The sources on which posts of this author are stored.
    pub async fn sources_of(&self, author: &Author) -> Result<Vec<Source>, StoreError> {
        let query = || {
            sql("SELECT DISTINCT source FROM social_media_posts WHERE author = ?")
                .bind::<Text, _>(author.as_str())
                .rows::<Text>()
        };
        let names: Vec<String> = read!(self, primary, |c| query().load(c))?;
        Ok(names.iter().filter_map(|name| Source::parse(name).ok()).collect())
    }

    /// Deletes everything that the author wrote on the source, as [`Self::delete_post`] does.
    pub async fn erase_author(&self, source: &Source, author: &Author) -> Result<Erased, StoreError> {
        let query = || {
            sql("SELECT p.post_id, (SELECT count(*) FROM alert_evidence e WHERE e.post_id = p.post_id) \
                 FROM social_media_posts p WHERE p.author = ? AND p.source = ? LIMIT ?")
            .bind::<Text, _>(author.as_str())
            .bind::<Text, _>(source.as_str())
            .bind::<BigInt, _>(STEP)
            .rows::<(Text, BigInt)>()
        };
        let mut erased = Erased::default();
        loop {
            let found: Vec<(String, i64)> = read!(self, primary, |c| query().load(c))?;
            let mut gone = 0;
            for (id, evidence) in &found {
                let Ok(id) = PostId::parse(id) else { continue };
                if self.delete_post(&id).await? {
                    erased.posts.push(id);
                    erased.evidence += evidence;
                    gone += 1;
                }
            }
            if found.is_empty() || gone == 0 {
                return Ok(erased);
            }
        }
    }
}
