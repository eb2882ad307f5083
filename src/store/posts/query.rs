//! The queries over posts, the same for both databases but for how words are found.

use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::sqlite::Sqlite;

use super::{COUNT_LIMIT, PostFilter, Start};
use crate::domain::{Author, Source};
use crate::store::schema::social_media_posts as post;
use crate::store::sql::At;

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

/// Language tags are ASCII, of any case, as the source gave them; a region follows after `-` or `_`.
const LANGUAGE_LIKE: &str = "(replace(lower(social_media_posts.lang), '_', '-') || '-' LIKE ";

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
                if let Some(lang) = &filter.lang {
                    let like = sql::<Nullable<Bool>>(LANGUAGE_LIKE).bind::<Text, _>(format!("{lang}-%"));
                    query = query.filter(like.sql(")"));
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

            /// The ids of one page and of one post more, newest first.
            pub fn page(filter: &PostFilter, start: Start, limit: i64) -> post::BoxedQuery<'_, $Db, BigInt> {
                let mut query = matching(filter).order((post::created_at.desc(), post::id.desc())).limit(limit + 1);
                match start {
                    Start::Offset(offset) => query = query.offset(offset),
                    Start::After(cursor) => {
                        let at = At(cursor.created_at);
                        // The first condition bounds the walk of the index, the second splits a tie.
                        query = query
                            .filter(post::created_at.le(at))
                            .filter(post::created_at.lt(at).or(post::id.lt(cursor.id)));
                    }
                }
                query.select(post::id)
            }

            /// As many matches as are counted at most.
            pub fn counted(filter: &PostFilter) -> post::BoxedQuery<'_, $Db, BigInt> {
                matching(filter).limit(COUNT_LIMIT + 1).select(post::id)
            }
        }
    };
}

queries!(on_sqlite, Sqlite, has_word_sqlite);
queries!(on_postgres, Pg, has_word_postgres);
