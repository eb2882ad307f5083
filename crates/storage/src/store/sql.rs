//! The two SQL types that differ between the databases, and raw SQL for both.

use std::marker::PhantomData;
use std::str::FromStr;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, HasSqlType, SqlOrd, SqlType, Text};
use diesel::sqlite::Sqlite;

use super::labels;
use sentistream_core::domain::{Emotion, PostLabels, Sentiment, Timestamp};

/// An instant: `timestamptz` on Postgres, microseconds since the Unix epoch on SQLite.
#[derive(Clone, Copy, Debug, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185), sqlite_type(name = "Long"))]
pub struct Instant;

impl SqlOrd for Instant {}

/// A JSON document: `jsonb` on Postgres, text on SQLite.
#[derive(Clone, Copy, Debug, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 3802, array_oid = 3807), sqlite_type(name = "Text"))]
pub struct Document;

/// A [`Timestamp`] as a value in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = Instant)]
pub struct At(pub Timestamp);

/// The Unix time of 2000-01-01 in microseconds. Postgres counts time from that date.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl ToSql<Instant, Pg> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let micros = self.as_micros() - POSTGRES_EPOCH;
        ToSql::<BigInt, Pg>::to_sql(&micros, &mut out.reborrow())
    }
}

impl ToSql<Instant, Sqlite> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.as_micros());
        Ok(IsNull::No)
    }
}

impl<DB> ToSql<Instant, DB> for At
where
    DB: Backend,
    Timestamp: ToSql<Instant, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

impl FromSql<Instant, Pg> for At {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<BigInt, Pg>>::from_sql(value)?;
        instant(micros.saturating_add(POSTGRES_EPOCH))
    }
}

impl FromSql<Instant, Sqlite> for At {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        instant(<i64 as FromSql<BigInt, Sqlite>>::from_sql(value)?)
    }
}

fn instant(micros: i64) -> deserialize::Result<At> {
    Timestamp::from_micros(micros).map(At).ok_or_else(|| format!("{micros} µs is outside the years 1 to 9999").into())
}

/// JSON text as a value in a row.
#[derive(Clone, Debug, PartialEq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Document)]
pub struct JsonText(pub String);

impl ToSql<Document, Pg> for JsonText {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        use std::io::Write;
        // The binary format of `jsonb` starts with a version byte.
        out.write_all(&[1])?;
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Document, Pg> for JsonText {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        match value.as_bytes() {
            [1, text @ ..] => Ok(Self(std::str::from_utf8(text)?.to_owned())),
            _ => Err("unknown version of the jsonb format".into()),
        }
    }
}

impl ToSql<Document, Sqlite> for JsonText {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_str());
        Ok(IsNull::No)
    }
}

impl FromSql<Document, Sqlite> for JsonText {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        <String as FromSql<Text, Sqlite>>::from_sql(value).map(Self)
    }
}

/// A label read from a text column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromSqlRow)]
pub struct Label<T>(pub T);

impl<T: FromStr<Err: std::fmt::Display>> FromSql<Text, Pg> for Label<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        label(std::str::from_utf8(value.as_bytes())?)
    }
}

impl<T: FromStr<Err: std::fmt::Display>> FromSql<Text, Sqlite> for Label<T> {
    fn from_sql(mut value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        label(value.read_text())
    }
}

fn label<T: FromStr<Err: std::fmt::Display>>(text: &str) -> deserialize::Result<Label<T>> {
    text.parse().map(Label).map_err(|e| format!("label {text:?} {e}").into())
}

/// A label read from a text column; `None` for a post without labels ([`super::labels`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromSqlRow)]
pub struct MaybeLabel<T>(pub Option<T>);

impl<T: FromStr<Err: std::fmt::Display>> FromSql<Text, Pg> for MaybeLabel<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        maybe_label(std::str::from_utf8(value.as_bytes())?)
    }
}

impl<T: FromStr<Err: std::fmt::Display>> FromSql<Text, Sqlite> for MaybeLabel<T> {
    fn from_sql(mut value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        maybe_label(value.read_text())
    }
}

fn maybe_label<T: FromStr<Err: std::fmt::Display>>(text: &str) -> deserialize::Result<MaybeLabel<T>> {
    if labels::is_unscored(text) { Ok(MaybeLabel(None)) } else { label(text).map(|label| MaybeLabel(Some(label.0))) }
}

/// The labels of a row.
pub fn labels_of(sentiment: MaybeLabel<Sentiment>, emotion: MaybeLabel<Emotion>) -> Option<PostLabels> {
    Some(PostLabels { sentiment: sentiment.0?, emotion: emotion.0? })
}

/// Raw SQL with a `?` for each value, in the order of the calls of [`Sql::bind`], for either database. Unlike Diesel's
/// `sql_query`, its prepared statement is cached, so the number of different texts must be limited.
#[derive(Clone, Debug)]
pub struct Sql<B = (), Row = ()> {
    text: std::borrow::Cow<'static, str>,
    binds: B,
    row: PhantomData<Row>,
}

/// The statement `text`.
pub fn sql(text: impl Into<std::borrow::Cow<'static, str>>) -> Sql {
    Sql { text: text.into(), binds: (), row: PhantomData }
}

impl<B, Row> Sql<B, Row> {
    /// Binds `value`, of the SQL type `ST`, to the next `?`.
    pub fn bind<ST, V>(self, value: V) -> Sql<Bound<B, V, ST>, Row> {
        Sql { text: self.text, binds: Bound { before: self.binds, value, sql_type: PhantomData }, row: PhantomData }
    }

    /// Binds values to all `?`.
    pub fn values(self, values: Vec<Value>) -> Sql<Vec<Value>, Row> {
        Sql { text: self.text, binds: values, row: PhantomData }
    }

    /// Sets the SQL types of the result columns.
    pub fn rows<R>(self) -> Sql<B, R> {
        Sql { text: self.text, binds: self.binds, row: PhantomData }
    }
}

/// The values `B`, and one further value that is bound after them.
#[derive(Clone, Debug)]
pub struct Bound<B, V, ST> {
    before: B,
    value: V,
    sql_type: PhantomData<ST>,
}

/// The values of a statement. Each value is preceded by a part of the statement's text.
pub trait Binds<DB: Backend> {
    /// Pushes the parts of the text and the values in order.
    fn push<'b>(&'b self, pieces: &mut std::str::Split<'b, char>, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>;
}

impl<DB: Backend> Binds<DB> for () {
    fn push<'b>(&'b self, _: &mut std::str::Split<'b, char>, _: &mut AstPass<'_, 'b, DB>) -> QueryResult<()> {
        Ok(())
    }
}

impl<DB, B, V, ST> Binds<DB> for Bound<B, V, ST>
where
    DB: Backend + HasSqlType<ST>,
    B: Binds<DB>,
    V: ToSql<ST, DB>,
{
    fn push<'b>(&'b self, pieces: &mut std::str::Split<'b, char>, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.before.push(pieces, out)?;
        out.push_sql(pieces.next().unwrap_or_default());
        out.push_bind_param::<ST, V>(&self.value)
    }
}

/// A value whose type is determined at run time, when the statement is built.
#[derive(Clone, Debug)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Integer(i64),
    /// A time.
    At(Timestamp),
}

impl<DB> Binds<DB> for Vec<Value>
where
    DB: Backend + HasSqlType<Text> + HasSqlType<BigInt> + HasSqlType<Instant>,
    String: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
    Timestamp: ToSql<Instant, DB>,
{
    fn push<'b>(&'b self, pieces: &mut std::str::Split<'b, char>, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()> {
        for value in self {
            out.push_sql(pieces.next().unwrap_or_default());
            match value {
                Value::Text(text) => out.push_bind_param::<Text, _>(text)?,
                Value::Integer(number) => out.push_bind_param::<BigInt, _>(number)?,
                Value::At(at) => out.push_bind_param::<Instant, _>(at)?,
            }
        }
        Ok(())
    }
}

impl<DB: Backend, B: Binds<DB>, Row> QueryFragment<DB> for Sql<B, Row> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let mut pieces = self.text.split('?');
        self.binds.push(&mut pieces, &mut out)?;
        out.push_sql(pieces.next().unwrap_or_default());
        Ok(())
    }
}

impl<B, Row> QueryId for Sql<B, Row> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<B, Row> Query for Sql<B, Row> {
    type SqlType = Row;
}

impl<B, Row, C> diesel::RunQueryDsl<C> for Sql<B, Row> {}

/// Counts the rows of a query.
#[derive(Clone, Copy, Debug)]
pub struct CountOf<Q>(pub Q);

impl<DB: Backend, Q: QueryFragment<DB>> QueryFragment<DB> for CountOf<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT count(*) FROM (");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(") AS matches");
        Ok(())
    }
}

impl<Q> QueryId for CountOf<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q> Query for CountOf<Q> {
    type SqlType = BigInt;
}
