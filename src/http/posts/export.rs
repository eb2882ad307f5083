//! Exports all posts that match a filter, streamed in pages.

use std::borrow::Cow;

use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{Stream, stream};
use serde::Serialize;

use crate::domain::visible::is_visible;
use crate::domain::{Timestamp, Unscored};
use crate::store::posts::{PostFilter, Sort, Start, StoredPost};

use super::super::answer::to_json;
use super::super::auth::{Authorized, Read};
use super::super::error::{ApiError, Problem};
use super::super::params::Params;
use super::super::state::State;
use super::filter::{PostFilterParams, SortParam};
use super::view::PostView;

/// The number of posts per page. One page is in memory at a time.
const PAGE: i64 = 500;

/// The file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum ExportFormat {
    /// RFC 4180 with a header line and quoted cells. Texts that start like a spreadsheet formula are prefixed with an
    /// apostrophe.
    Csv,
    /// One post per line, as in `GET /api/posts` but without `topic_sentiment`.
    Ndjson,
}

/// The parameters of an export besides the filter.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportParams {
    /// The file format.
    #[param(inline, example = "csv")]
    format: ExportFormat,
    /// The order; default `newest`.
    #[param(inline, required = false)]
    sort: SortParam,
}

impl ExportParams {
    fn take(params: &mut Params) -> Self {
        let format = params.required("format", |text| match text {
            "csv" => Ok(ExportFormat::Csv),
            "ndjson" => Ok(ExportFormat::Ndjson),
            _ => Err("must be one of csv, ndjson"),
        });
        // The fallback is never used, because `finish` fails if the format is missing.
        Self { format: format.unwrap_or(ExportFormat::Ndjson), sort: SortParam::take(params) }
    }
}

/// Export posts
///
/// Downloads all posts that match the filter, newest first unless `sort` is given.
#[utoipa::path(
    get, path = "/api/posts/export", tag = "posts", params(ExportParams, PostFilterParams),
    responses(
        (status = 200, description = "The posts", content((String = "text/csv"), (String = "application/x-ndjson"))),
        (status = 422, body = Problem),
    )
)]
pub async fn export(_: Authorized<Read>, state: Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let mut params = Params::of(&request)?;
    let ExportParams { format, sort } = ExportParams::take(&mut params);
    let filter = PostFilterParams::take(&mut params);
    params.finish()?;

    let (content_type, name) = match format {
        ExportFormat::Csv => ("text/csv; charset=utf-8", "sentistream-posts.csv"),
        ExportFormat::Ndjson => ("application/x-ndjson", "sentistream-posts.ndjson"),
    };
    // The first page is read before the response starts, so that an unavailable database is reported as a 503.
    let filter = filter.resolve(&state)?;
    let begin = Export { state, filter, sort: sort.into(), format, next: Some(Start::Offset(0)), header: true };
    let (first, rest) = begin.page().await?;
    let body = stream::once(async move { Ok(first) });
    Ok(HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(futures_util::StreamExt::chain(body, pages(rest))))
}

/// An export in progress.
struct Export {
    state: Data<State>,
    filter: PostFilter,
    sort: Sort,
    format: ExportFormat,
    /// The start of the next page; `None` after the last page.
    next: Option<Start>,
    header: bool,
}

/// The remaining pages. An error aborts the transfer, so that the client does not mistake a partial export for a
/// complete one.
fn pages(export: Export) -> impl Stream<Item = Result<Bytes, ApiError>> {
    stream::try_unfold(export, |export| async move {
        if export.next.is_none() {
            return Ok(None);
        }
        export.page().await.map(Some)
    })
}

impl Export {
    async fn page(mut self) -> Result<(Bytes, Self), ApiError> {
        let Some(start) = self.next.take() else { return Ok((Bytes::new(), self)) };
        let (store, filter, sort) = (self.state.api.store.clone(), self.filter.clone(), self.sort);
        let page = self.state.read(async move { store.sorted_posts(&filter, sort, start, PAGE).await }).await?;
        let text = match self.format {
            ExportFormat::Csv => csv(&page.items, self.header)?,
            ExportFormat::Ndjson => ndjson(page.items)?,
        };
        self.next = page.next.map(Start::After);
        self.header = false;
        Ok((text.into(), self))
    }
}

fn ndjson(posts: Vec<StoredPost>) -> Result<Vec<u8>, ApiError> {
    let mut text = String::new();
    for post in posts {
        text.push_str(&to_json(&PostView::from(post))?);
        text.push('\n');
    }
    Ok(text.into_bytes())
}

#[derive(Serialize)]
struct Row<'a> {
    post_id: Cow<'a, str>,
    source: Cow<'a, str>,
    author: Option<Cow<'a, str>>,
    content: Cow<'a, str>,
    created_at: Timestamp,
    ingested_at: Timestamp,
    lang: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    reply_to: Option<Cow<'a, str>>,
    sentiment: Option<&'static str>,
    confidence: Option<f64>,
    emotion: Option<&'static str>,
    model_name: Option<Cow<'a, str>>,
    analyzed_at: Option<Timestamp>,
    unscored: Option<&'static str>,
}

/// Characters that start a formula, with their wide and small forms, which some spreadsheets convert to the normal
/// form.
const FORMULA: [char; 12] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫'];

/// `text` as a cell. A text that starts like a formula is prefixed with an apostrophe, because a spreadsheet would run
/// the formula. White space and invisible characters before a formula are ignored, because some spreadsheets remove
/// them.
fn cell(text: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| c.is_whitespace() || !is_visible(c.encode_utf8(&mut [0; 4]));
    let starts_formula = text.trim_start_matches(is_hidden).starts_with(FORMULA);
    if starts_formula || text.starts_with(['\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

const COLUMNS: [&str; 15] = [
    "post_id",
    "source",
    "author",
    "content",
    "created_at",
    "ingested_at",
    "lang",
    "url",
    "reply_to",
    "sentiment",
    "confidence",
    "emotion",
    "model_name",
    "analyzed_at",
    "unscored",
];

fn csv(posts: &[StoredPost], with_header: bool) -> Result<Vec<u8>, ApiError> {
    // Quotes keep `;` and tabs inside of a cell in spreadsheets that split at them.
    let mut writer =
        csv::WriterBuilder::new().has_headers(false).quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
    if with_header {
        writer.write_record(COLUMNS).map_err(ApiError::internal)?;
    }
    for post in posts {
        let analysis = post.analysis.as_ref();
        let row = Row {
            post_id: cell(&post.post_id),
            source: cell(&post.source),
            author: post.author.as_deref().map(cell),
            content: cell(&post.content),
            created_at: post.created_at,
            ingested_at: post.ingested_at,
            lang: post.lang.as_deref().map(cell),
            url: post.url.as_deref().map(cell),
            reply_to: post.reply_to.as_deref().map(cell),
            sentiment: analysis.map(|analysis| analysis.sentiment.as_str()),
            confidence: analysis.map(|analysis| analysis.confidence),
            emotion: analysis.map(|analysis| analysis.emotion.as_str()),
            model_name: analysis.map(|analysis| cell(&analysis.model_name)),
            analyzed_at: analysis.map(|analysis| analysis.analyzed_at),
            unscored: analysis.is_none().then_some(Unscored::Language.as_str()),
        };
        writer.serialize(row).map_err(ApiError::internal)?;
    }
    writer.into_inner().map_err(ApiError::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formula_after_hidden_characters_gets_an_apostrophe() {
        let formulas =
            ["=1", "＝1+1", "＠SUM(1)", "\u{200b}=1", "\u{feff}=1", " =1", "\u{a0}@a", "\n+1", "\t1", "\u{202e}-1"];
        for text in formulas {
            assert_eq!(cell(text), format!("'{text}"), "{text:?}");
        }
        for text in ["", " ", "a=1", "hello;=1+1", "\u{200b}a"] {
            assert_eq!(cell(text), text);
        }
    }
}
