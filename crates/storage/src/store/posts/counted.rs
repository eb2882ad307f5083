//! Chooses the columns of the sentiment that counts use: the sentiment of the post, or the post's sentiment towards the
//! topic of a filter.

use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, TypedExpressionType, ValidGrouping, is_aggregate,
};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Double, HasSqlType, Text};

use super::PostFilter;
use sentistream_core::domain::{SentimentOf, TopicId};

/// The columns of the sentiment that counts use.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    place: Place,
}

/// The row that contains the sentiment. A match of post and topic without a sentiment has the sentiment of the post.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the row of the post.
    Post,
    /// In the row of the match of post and topic, which the query joins.
    Joined,
    /// In the row of the match with the topic that has this id. The query does not join this row, so a subquery reads
    /// it.
    Match(i64),
}

impl Counted {
    /// The columns of the sentiment of the posts.
    pub fn post() -> Self {
        Self { place: Place::Post }
    }

    /// The columns that `filter` selects, for a query that joins the matches of the filter's topic.
    pub fn joined(filter: &PostFilter) -> Self {
        let place = match filter.sentiment_of {
            SentimentOf::Topic => Place::Joined,
            SentimentOf::Post => Place::Post,
        };
        Self { place }
    }

    /// The columns that `filter` selects, for a query that reads only the table of posts.
    pub fn alone(filter: &PostFilter) -> Self {
        let place = match (filter.sentiment_of, filter.topic) {
            (SentimentOf::Topic, Some(TopicId(topic))) => Place::Match(topic),
            _ => Place::Post,
        };
        Self { place }
    }

    /// The column of the sentiment.
    pub fn label(self) -> Column<Text> {
        Column { name: "sentiment_label", place: self.place, sql_type: PhantomData }
    }

    /// The column of the probability of the sentiment.
    pub fn confidence(self) -> Column<Double> {
        Column { name: "confidence_score", place: self.place, sql_type: PhantomData }
    }
}

/// A column that both the posts and their matches have.
#[derive(Clone, Copy, Debug)]
pub struct Column<ST> {
    name: &'static str,
    place: Place,
    sql_type: PhantomData<ST>,
}

impl<DB, ST> QueryFragment<DB> for Column<ST>
where
    DB: Backend + HasSqlType<BigInt>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let mut push = |parts: &[&str]| parts.iter().for_each(|part| out.push_sql(part));
        match &self.place {
            Place::Post => push(&["social_media_posts.", self.name]),
            Place::Joined => push(&["coalesce(post_topics.", self.name, ", social_media_posts.", self.name, ")"]),
            Place::Match(topic) => {
                push(&["coalesce((SELECT t.", self.name, " FROM post_topics t WHERE t.topic_id = "]);
                out.push_bind_param::<BigInt, _>(topic)?;
                out.push_sql(" AND t.created_at = social_media_posts.created_at AND t.post = social_media_posts.id), ");
                out.push_sql("social_media_posts.");
                out.push_sql(self.name);
                out.push_sql(")");
            }
        }
        Ok(())
    }
}

impl<ST> QueryId for Column<ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<ST: TypedExpressionType> Expression for Column<ST> {
    type SqlType = ST;
}

impl<QS: ?Sized, ST> AppearsOnTable<QS> for Column<ST> where Self: Expression {}

impl<QS: ?Sized, ST> SelectableExpression<QS> for Column<ST> where Self: AppearsOnTable<QS> {}

impl<GroupBy, ST> ValidGrouping<GroupBy> for Column<ST> {
    type IsAggregate = is_aggregate::No;
}
