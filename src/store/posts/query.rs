//! The queries over posts, the same for both databases but for how words are found.

use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Text};
use diesel::sqlite::Sqlite;

use super::{PostCursor, PostFilter, Sort, Start};
use crate::domain::{Author, Source, TimeRange};
use crate::store::schema::social_media_posts as post;
use crate::store::sql::{At, Instant};

/// Words on SQLite: a function of our own, since its `LIKE` folds ASCII alone.
fn has_word_sqlite(word: &str) -> crate::sqlite::has_word<post::content, String> {
    crate::sqlite::has_word(post::content, word.to_lowercase())
}

/// Words on Postgres. Our collation folds every script, whatever the database's own locale is;
/// an ASCII word needs no such care, and "C" is several times faster.
fn has_word_postgres(word: &str) -> Box<dyn BoxableExpression<post::table, Pg, SqlType = Bool>> {
    let pattern: String = word.chars().fold("%".to_owned(), |mut pattern, c| {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
        pattern
    });
    let collation = if word.is_ascii() { "\"C\"" } else { "any_script" };
    let matches = sql::<Bool>(&format!("social_media_posts.content COLLATE {collation} ILIKE "));
    Box::new(matches.bind::<Text, _>(pattern + "%"))
}

macro_rules! queries {
    ($module:ident, $Db:ty, $has_word:path) => {
        /// The queries on this backend.
        pub mod $module {
            use super::*;

            type Filtered<'f> = post::BoxedQuery<'f, $Db>;

            /// The posts that match.
            fn matching(filter: &PostFilter) -> Filtered<'_> {
                let mut query = post::table.into_boxed();
                if let Some(source) = &filter.source {
                    query = query.filter(post::source.eq(Source::as_str(source)));
                }
                if let Some(sentiment) = filter.sentiment {
                    query = query.filter(post::sentiment_label.eq(sentiment.as_str()));
                }
                if let Some(emotion) = filter.emotion {
                    query = query.filter(post::emotion.eq(emotion.as_str()));
                }
                if let Some(author) = &filter.author {
                    query = query.filter(post::author.eq(Author::as_str(author)));
                }
                if let Some(start) = filter.start {
                    query = query.filter(post::created_at.ge(At(start)));
                }
                if let Some(end) = filter.end {
                    query = query.filter(post::created_at.lt(At(end)));
                }
                if let Some(after) = filter.ingested_after {
                    query = query.filter(post::ingested_at.gt(At(after)));
                }
                if let Some(least) = filter.min_confidence {
                    query = query.filter(post::confidence_score.ge(least));
                }
                for word in &filter.words {
                    query = query.filter($has_word(word));
                }
                query
            }

            /// The ids of one page and of one post more, in the order of `sort`.
            pub fn page(
                filter: &PostFilter,
                sort: Sort,
                start: Start,
                limit: i64,
            ) -> post::BoxedQuery<'_, $Db, BigInt> {
                let query = matching(filter).limit(limit + 1);
                let mut query = match sort {
                    Sort::Newest => query.order((post::created_at.desc(), post::id.desc())),
                    Sort::Oldest => query.order((post::created_at.asc(), post::id.asc())),
                    Sort::Confidence => query.order((post::confidence_score.desc(), post::id.desc())),
                };
                // After a cursor, the first condition bounds the walk of the index, the second splits a tie.
                match start {
                    Start::Offset(offset) => query = query.offset(offset),
                    Start::After(PostCursor::Newest { created_at, id }) => {
                        let at = At(created_at);
                        query =
                            query.filter(post::created_at.le(at)).filter(post::created_at.lt(at).or(post::id.lt(id)));
                    }
                    Start::After(PostCursor::Oldest { created_at, id }) => {
                        let at = At(created_at);
                        query =
                            query.filter(post::created_at.ge(at)).filter(post::created_at.gt(at).or(post::id.gt(id)));
                    }
                    Start::After(PostCursor::Confidence { confidence, id }) => {
                        query = query
                            .filter(post::confidence_score.le(confidence))
                            .filter(post::confidence_score.lt(confidence).or(post::id.lt(id)));
                    }
                }
                query.select(post::id)
            }

            /// What is counted of the posts in `range` that match, whatever times the filter names; at most `limit`.
            pub fn cells(
                filter: &PostFilter,
                range: TimeRange,
                limit: i64,
            ) -> post::BoxedQuery<'_, $Db, (Instant, Text, Text, BigInt, Double)> {
                matching(filter)
                    .filter(post::created_at.ge(At(range.start())))
                    .filter(post::created_at.lt(At(range.end())))
                    .limit(limit)
                    .select((
                        post::created_at,
                        post::sentiment_label,
                        post::emotion,
                        sql::<BigInt>("CAST(1 AS bigint)"),
                        post::confidence_score,
                    ))
            }

            /// The matches, and no more than one behind `limit`.
            pub fn counted(filter: &PostFilter, limit: i64) -> post::BoxedQuery<'_, $Db, BigInt> {
                matching(filter).limit(limit + 1).select(post::id)
            }
        }
    };
}

queries!(on_sqlite, Sqlite, has_word_sqlite);
queries!(on_postgres, Pg, has_word_postgres);
