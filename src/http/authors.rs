//! The names of authors that are stored under an id.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::managed_source::SourceDefinition;
use crate::domain::post::MAX_AUTHOR_CHARS;

use super::answer;
use super::auth::{Authorized, Read};
use super::error::{ApiError, Problem};
use super::params::Params;
use super::state::State;

/// The kind of sources whose posts contain the id of their author instead of a name. The `source` of these posts is
/// compared with this kind.
const KIND: &str = "bluesky";
/// The maximum number of authors in a request.
const MAX_AUTHORS: usize = 100;

/// The authors whose names are requested.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the parameters as the OpenAPI document describes them")]
pub struct AuthorsParams {
    /// Up to 100 values of `author` of one source, separated by commas.
    #[param(example = "did:plc:z72i7hdynmk6r22z27h6tvur")]
    authors: String,
    /// The source of these authors. Only authors of `bluesky` have names.
    #[param(example = "bluesky")]
    source: String,
}

/// Authors with their names.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Authors {
    source: String,
    /// The name of each author. Authors without a known name are left out.
    #[schema(example = json!({"did:plc:z72i7hdynmk6r22z27h6tvur": "bsky.app"}))]
    names: BTreeMap<String, String>,
}

/// Names of authors
///
/// Bluesky posts are stored under the DID of their author, which never changes. This endpoint returns the current
/// handles. The server requests the handles from the API of Bluesky (`sources.bluesky.api`) and caches them for a day.
/// If `ingester.sources` has no Bluesky source and no user has added one, the server requests nothing and `names` is
/// empty.
#[utoipa::path(
    get, path = "/api/authors", tag = "posts", params(AuthorsParams),
    responses((status = 200, body = Authors), (status = 422, body = Problem))
)]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut params = Params::of(&request)?;
    let authors = params.required("authors", parse).unwrap_or_default();
    let source = params.required("source", crate::domain::Source::parse);
    params.finish()?;
    let source = source.map(|source| source.to_string()).unwrap_or_default();
    let names = match state.api.names.clone().filter(|_| source == KIND) {
        Some(names) if reads_bluesky(&state).await? => {
            state.run(async move { Ok::<_, ApiError>(names.of(&authors).await) }).await?
        }
        _ => BTreeMap::new(),
    };
    answer::json(&Authors { source, names })
}

/// Whether a Bluesky source exists. Without one, the server must not send requests to Bluesky.
async fn reads_bluesky(state: &State) -> Result<bool, ApiError> {
    if state.api.reads_bluesky {
        return Ok(true);
    }
    let store = state.api.store.clone();
    let added = state.run(async move { store.managed::<SourceDefinition>().await }).await?;
    Ok(added.iter().any(|source| source.spec.kind == KIND))
}

/// Why a list of authors is not valid.
#[derive(Debug, thiserror::Error)]
enum ListError {
    #[error("must be authors of at most {MAX_AUTHOR_CHARS} characters")]
    Name,
    #[error("must be 1 to {MAX_AUTHORS} authors, found {0}")]
    Count(usize),
}

fn parse(text: &str) -> Result<Vec<String>, ListError> {
    let authors: Vec<String> = text.split(',').filter(|author| !author.is_empty()).map(str::to_owned).collect();
    match authors.len() {
        1..=MAX_AUTHORS if authors.iter().all(|author| author.chars().count() <= MAX_AUTHOR_CHARS) => Ok(authors),
        1..=MAX_AUTHORS => Err(ListError::Name),
        found => Err(ListError::Count(found)),
    }
}
