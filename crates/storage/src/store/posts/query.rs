//! The queries over posts. The queries are the same for both databases, except for the search for words.

use std::sync::LazyLock;

use diesel::dsl::{AsExprOf, InnerJoinQuerySource, sql};
use diesel::expression::{SqlLiteral, UncheckedBind};
use diesel::internal::table_macro::{BoxedSelectStatement, FromClause};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Nullable, Text};
use diesel::sqlite::Sqlite;

use super::counted::Counted;
use super::{PostCursor, PostFilter, Sort, Start};
use crate::store::labels::{LabelColumns, UNSCORED};
use crate::store::rollup::read::sentiment_column;
use crate::store::schema::{post_topics as about, social_media_posts as post};
use crate::store::sql::{At, Instant};
use sentistream_core::domain::words::{Bounds, bounded, composed};
use sentistream_core::domain::{Author, SentimentFilter, Source, TimeRange, TopicId, language};

/// The columns with the sort keys of a post: its id, its time and its confidence.
pub type KeyColumns = (BigInt, Instant, Double);

/// Restricts posts to those with `ids`, on SQLite. The ids are one JSON value, because SQLite limits the number of
/// values.
fn with_ids_sqlite(ids: &[i64]) -> UncheckedBind<SqlLiteral<Bool>, AsExprOf<String, Text>> {
    // A list of integers can always be serialised.
    let list = serde_json::to_string(ids).unwrap_or_default();
    sql::<Bool>("social_media_posts.id IN (SELECT value FROM json_each(").bind::<Text, _>(list)
}

/// Restricts posts to those with `ids`, on Postgres.
fn with_ids_postgres(ids: &[i64]) -> UncheckedBind<SqlLiteral<Bool>, AsExprOf<Vec<i64>, Array<BigInt>>> {
    sql::<Bool>("social_media_posts.id = ANY((").bind::<Array<BigInt>, _>(ids.to_vec())
}

/// The search for words on SQLite uses a function of this program, because SQLite's `LIKE` ignores case only in ASCII.
fn has_word_sqlite(word: &str) -> crate::sqlite::has_word<post::content, String> {
    crate::sqlite::has_word(post::content, word.to_lowercase())
}

/// The search for whole words on SQLite; see [`has_word_sqlite`].
fn has_whole_word_sqlite(word: &str) -> crate::sqlite::has_whole_word<post::content, String> {
    crate::sqlite::has_whole_word(post::content, composed(word).to_lowercase())
}

/// The characters that make an adjacent word a part of a longer word, as a bracket expression. The `\y` of Postgres
/// cannot be used, because it depends on the collation and ignores combining marks.
static BOUNDED: LazyLock<String> = LazyLock::new(|| {
    let ranges = bounded().into_iter().map(|range| match (*range.start(), *range.end()) {
        (start, end) if start == end => start.to_string(),
        (start, end) => format!("{start}-{end}"),
    });
    format!("[{}]", ranges.collect::<String>())
});

/// The search for whole words on Postgres; see [`has_word_postgres`]. It finds the same words as
/// [`holds_word`](sentistream_core::domain::words::holds_word).
fn has_whole_word_postgres(word: &str) -> UncheckedBind<SqlLiteral<Bool>, AsExprOf<String, Text>> {
    let word = composed(word);
    let bounds = Bounds::of(&word);
    let bound = |needed: bool, look: &str| if needed { format!("({look}{})", *BOUNDED) } else { String::new() };
    let literal: String = word.chars().fold(String::new(), |mut literal, c| {
        if c.is_ascii_punctuation() {
            literal.push('\\');
        }
        literal.push(c);
        literal
    });
    let (before, after) = (bound(bounds.start, "?<!"), bound(bounds.end, "?!"));
    let text = if word.is_ascii() {
        "social_media_posts.content COLLATE \"C\""
    } else {
        "(CASE WHEN social_media_posts.content IS NFC NORMALIZED THEN social_media_posts.content \
         ELSE normalize(social_media_posts.content) END) COLLATE any_script"
    };
    sql::<Bool>(&format!("{text} ~* ")).bind::<Text, _>(format!("{before}{literal}{after}"))
}

/// The search for words on Postgres. The collation of this schema ignores case in every script, independently of the
/// database's locale. ASCII words use the collation "C" instead, which is several times faster.
fn has_word_postgres(word: &str) -> UncheckedBind<SqlLiteral<Bool>, AsExprOf<String, Text>> {
    let pattern: String = word.chars().fold("%".to_owned(), |mut pattern, c| {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
        pattern
    });
    let collation = if word.is_ascii() { "\"C\"" } else { "any_script" };
    let matches = sql::<Bool>(&format!("social_media_posts.content COLLATE {collation} ILIKE "));
    matches.bind::<Text, _>(pattern + "%")
}

/// The beginning of the condition on the language. Tags are stored as the source sent them: ASCII in upper or lower
/// case, with the region after `-` or `_`.
const LANGUAGE_LIKE: &str = "(replace(lower(social_media_posts.lang), '_', '-') || '-' LIKE ";

/// The rows of `$query` (posts, or posts with their topics) that match `$filter`.
macro_rules! narrowed {
    ($query:expr, $filter:expr, $columns:expr, $has_word:path, $has_whole_word:path) => {{
        let (mut query, filter): (_, &PostFilter) = ($query, $filter);
        if let Some(source) = &filter.source {
            query = query.filter(post::source.eq(Source::as_str(source)));
        }
        if let Some(sentiment) = filter.sentiment {
            query = query.filter($columns.label().eq(sentiment_column(sentiment)));
        }
        if let Some(emotion) = filter.emotion {
            query = query.filter(post::emotion.eq(emotion.as_str()));
        }
        if let Some(author) = &filter.author {
            query = query.filter(post::author.eq(Author::as_str(author)));
        }
        if let (Some(SentimentFilter::Unscored), Some(lang)) = (filter.sentiment, &filter.lang)
            && language::code(lang).as_deref() == Some(lang)
        {
            // The emotion column of an unscored post contains its language. The column has an index.
            query = query.filter(post::emotion.eq(LabelColumns::of(None, Some(lang)).emotion.into_owned()));
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
            query = query.filter($columns.confidence().ge(least)).filter(post::sentiment_label.ne(UNSCORED));
        }
        for word in &filter.words {
            query = query.filter($has_word(word));
        }
        for word in &filter.whole_words {
            query = query.filter($has_whole_word(word));
        }
        query
    }};
}

/// The page of `$query` in the order of `$sort`. `$created_at` and `$id` are the columns of a post's time and id.
macro_rules! page {
    ($query:expr, $sort:expr, $start:expr, $created_at:expr, $id:expr) => {{
        let mut query = match $sort {
            Sort::Newest => $query.order(($created_at.desc(), $id.desc())),
            Sort::Oldest => $query.order(($created_at.asc(), $id.asc())),
            Sort::Confidence => $query.order((post::confidence_score.desc(), $id.desc())),
        };
        // With a cursor, the first condition limits the scan of the index, and the second one orders posts with equal
        // keys.
        match $start {
            Start::Offset(offset) => query = query.offset(offset),
            Start::After(PostCursor::Newest { created_at, id }) => {
                let at = At(created_at);
                query = query.filter($created_at.le(at)).filter($created_at.lt(at).or($id.lt(id)));
            }
            Start::After(PostCursor::Oldest { created_at, id }) => {
                let at = At(created_at);
                query = query.filter($created_at.ge(at)).filter($created_at.gt(at).or($id.gt(id)));
            }
            Start::After(PostCursor::Confidence { confidence, id }) => {
                query = query
                    .filter(post::confidence_score.le(confidence))
                    .filter(post::confidence_score.lt(confidence).or($id.lt(id)));
            }
        }
        query.select($id)
    }};
}

/// The columns with which posts are counted one by one: for each post its time, labels, the count 1, and confidence.
macro_rules! cells {
    ($query:expr, $range:expr, $created_at:expr, $columns:expr, $limit:expr) => {
        $query.filter($created_at.ge(At($range.start()))).filter($created_at.lt(At($range.end()))).limit($limit).select(
            ($created_at, $columns.label(), post::emotion, sql::<BigInt>("CAST(1 AS bigint)"), $columns.confidence()),
        )
    };
}

/// The beginning of a text. It is sufficient to find frequent words, and limits the number of bytes that a sample
/// reads.
const HEAD: &str = "substr(social_media_posts.content, 1, 1000)";

/// The newest `$limit` posts of `$query`, with the columns of a sample.
macro_rules! samples {
    ($query:expr, $created_at:expr, $columns:expr, $limit:expr) => {
        $query.order($created_at.desc()).limit($limit).select((
            post::post_id,
            post::source,
            post::author,
            post::url,
            sql::<Text>(HEAD),
            $created_at,
            $columns.label(),
            post::emotion,
            $columns.confidence(),
        ))
    };
}

/// The columns of a post in a sample.
type SampleTypes = (Text, Text, Nullable<Text>, Nullable<Text>, Text, Instant, Text, Text, Double);

type CellTypes = (Instant, Text, Text, BigInt, Double);
type WithTopic = InnerJoinQuerySource<about::table, post::table>;

macro_rules! queries {
    ($module:ident, $Db:ty, $has_word:path, $has_whole_word:path, $with_ids:path) => {
        /// The queries on this backend. Queries for a topic use the index of the topic, so that their cost depends only
        /// on the number of the topic's posts.
        pub mod $module {
            use super::*;

            /// The posts that match.
            fn matching(filter: &PostFilter) -> post::BoxedQuery<'_, $Db> {
                let columns = Counted::alone(filter);
                narrowed!(post::table.into_boxed(), filter, columns, $has_word, $has_whole_word)
            }

            /// The ids of the posts of one page and of the post after it, in the order of `sort`.
            pub fn page(
                filter: &PostFilter,
                sort: Sort,
                start: Start,
                limit: i64,
            ) -> post::BoxedQuery<'_, $Db, BigInt> {
                page!(matching(filter).limit(limit + 1), sort, start, post::created_at, post::id)
            }

            /// The sort keys of at most `limit` matching posts among `ids`.
            pub fn keys_of<'f>(
                filter: &'f PostFilter,
                ids: &[i64],
                limit: i64,
            ) -> post::BoxedQuery<'f, $Db, KeyColumns> {
                let mut found = matching(filter).filter($with_ids(ids).sql("))")).limit(limit);
                if let Some(topic) = filter.topic {
                    let of_topic = sql::<Bool>(
                        "EXISTS (SELECT 1 FROM post_topics t WHERE t.post = social_media_posts.id AND t.topic_id = ",
                    );
                    found = found.filter(of_topic.bind::<BigInt, _>(topic.0).sql(")"));
                }
                found.select((post::id, post::created_at, post::confidence_score))
            }

            /// The times and labels of at most `limit` matching posts in `range`, each as a cell with the count 1. The
            /// times of the filter are ignored.
            pub fn cells(filter: &PostFilter, range: TimeRange, limit: i64) -> post::BoxedQuery<'_, $Db, CellTypes> {
                cells!(matching(filter), range, post::created_at, Counted::alone(filter), limit)
            }

            /// The times, sources and labels of the newest matching posts.
            pub fn marks(
                filter: &PostFilter,
                limit: i64,
            ) -> post::BoxedQuery<'_, $Db, (Instant, Instant, Text, Text, Text)> {
                let newest = matching(filter).order(post::created_at.desc()).limit(limit);
                newest.select((post::created_at, post::ingested_at, post::source, post::sentiment_label, post::emotion))
            }

            /// The newest matching posts, with the columns of a sample.
            pub fn samples(filter: &PostFilter, limit: i64) -> post::BoxedQuery<'_, $Db, SampleTypes> {
                samples!(matching(filter), post::created_at, Counted::alone(filter), limit)
            }

            /// The posts with `ids`, with the columns of a sample.
            pub fn samples_of(ids: &[i64]) -> post::BoxedQuery<'static, $Db, SampleTypes> {
                let found = post::table.into_boxed::<$Db>().filter($with_ids(ids).sql("))"));
                samples!(found, post::created_at, Counted::post(), i64::MAX)
            }

            /// The matching posts, at most `limit + 1`.
            pub fn counted(filter: &PostFilter, limit: i64) -> post::BoxedQuery<'_, $Db, BigInt> {
                matching(filter).limit(limit + 1).select(post::id)
            }

            type OfTopic<'f, ST> = BoxedSelectStatement<'f, ST, FromClause<WithTopic>, $Db>;

            /// The posts of a topic that match.
            fn of_topic(topic: TopicId, filter: &PostFilter) -> OfTopic<'_, BigInt> {
                let mut query = about::table
                    .inner_join(post::table)
                    .select(about::post)
                    .into_boxed()
                    .filter(about::topic_id.eq(topic.0));
                if let Some(start) = filter.start {
                    query = query.filter(about::created_at.ge(At(start)));
                }
                if let Some(end) = filter.end {
                    query = query.filter(about::created_at.lt(At(end)));
                }
                let columns = Counted::joined(filter);
                narrowed!(query, filter, columns, $has_word, $has_whole_word)
            }

            /// The same as [`page`], for a topic.
            pub fn topic_page(
                topic: TopicId,
                filter: &PostFilter,
                sort: Sort,
                (start, limit): (Start, i64),
            ) -> OfTopic<'_, BigInt> {
                page!(of_topic(topic, filter).limit(limit + 1), sort, start, about::created_at, about::post)
            }

            /// The same as [`cells`], for a topic.
            pub fn topic_cells(
                topic: TopicId,
                filter: &PostFilter,
                range: TimeRange,
                limit: i64,
            ) -> OfTopic<'_, CellTypes> {
                cells!(of_topic(topic, filter), range, about::created_at, Counted::joined(filter), limit)
            }

            /// The same as [`samples`], for a topic.
            pub fn topic_samples(topic: TopicId, filter: &PostFilter, limit: i64) -> OfTopic<'_, SampleTypes> {
                samples!(of_topic(topic, filter), about::created_at, Counted::joined(filter), limit)
            }

            /// The same as [`counted`], for a topic.
            pub fn topic_counted(topic: TopicId, filter: &PostFilter, limit: i64) -> OfTopic<'_, BigInt> {
                of_topic(topic, filter).limit(limit + 1)
            }
        }
    };
}

queries!(on_sqlite, Sqlite, has_word_sqlite, has_whole_word_sqlite, with_ids_sqlite);
queries!(on_postgres, Pg, has_word_postgres, has_whole_word_postgres, with_ids_postgres);
