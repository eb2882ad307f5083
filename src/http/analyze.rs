//! Classifies texts on request.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::post::MAX_CONTENT_CHARS;
use crate::domain::{Analysis, Emotion, FieldError, Sentiment};
use crate::inference::{Explanation, InferenceError, LayerDepth, SharedClassifier, explain};

use super::admission::{Work, cost};
use super::auth::{Authorized, Read};
use super::body;
use super::error::{ApiError, Problem};
use super::params::no_params;
use super::shape::AllScores;
use super::state::State;
use super::{ModelState, answer};

/// The maximum number of texts in one request.
const MAX_TEXTS: usize = 256;
/// The maximum number of texts that are explained in one request. An explanation classifies its text once for each
/// word, or for each of up to 64 parts of a longer text.
const MAX_EXPLAINED: usize = 8;

/// The texts to classify: exactly one of `text` and `texts`.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"text": "I love this phone"}))]
pub struct AnalyzeRequest {
    /// One text, which must not be blank and may have at most 100,000 characters.
    #[serde(default)]
    text: Option<String>,
    /// Up to 256 texts, with the same rules as for `text`.
    #[serde(default)]
    #[schema(max_items = 256)]
    texts: Option<Vec<String>>,
    /// Whether to return how much each word contributed to the labels. Allowed for at most 8 texts.
    #[serde(default)]
    explain: bool,
    /// Whether to compute all layers of a model with early exits. `explain` implies `full_depth`.
    #[serde(default)]
    full_depth: bool,
}

/// The analysis of one text.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AnalysisView {
    /// The sentiment with the largest score.
    pub label: Sentiment,
    /// The probability of `label`.
    pub confidence: f64,
    /// The emotion with the largest score.
    pub emotion: Emotion,
    scores: AllScores,
    /// The model's name.
    model: String,
    /// How many tokens the model read.
    tokens: u32,
    /// Whether the text exceeded the length limit of the model and was cut.
    pub truncated: bool,
    /// The number of layers that were computed; absent for remote models.
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<u32>,
    /// The contribution of each word to the labels, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

impl AnalysisView {
    /// Creates the view of an analysis with its explanation.
    pub fn explained((analysis, explanation): (Analysis, Explanation)) -> Self {
        Self { explanation: Some(explanation), ..analysis.into() }
    }
}

impl From<Analysis> for AnalysisView {
    fn from(analysis: Analysis) -> Self {
        Self {
            label: analysis.sentiment,
            confidence: analysis.confidence,
            emotion: analysis.emotion,
            scores: analysis.scores.into(),
            model: analysis.model_name.to_string(),
            tokens: analysis.tokens,
            truncated: analysis.truncated,
            layers: analysis.layers,
            explanation: None,
        }
    }
}

/// The analyses of several texts.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AnalysisList {
    /// One analysis per text, in the order of the request.
    results: Vec<AnalysisView>,
}

/// The analysis of one text, or the analyses of several texts.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum AnalyzeAnswer {
    /// The answer to a request with `text`.
    One(AnalysisView),
    /// The answer to a request with `texts`.
    Many(AnalysisList),
}

/// Classify texts
///
/// Returns the sentiment and emotion of one text (`text`) or of up to 256 texts (`texts`). Nothing is stored. With
/// `explain`, the response also contains the contribution of each word: how much the scores of the two labels decrease
/// without the word.
#[utoipa::path(
    post, path = "/api/analyze", tag = "analyze", request_body = AnalyzeRequest,
    responses(
        (status = 200, body = AnalyzeAnswer),
        (status = 422, body = Problem),
        (status = 429, description = "The client's budget of tokens is used up", body = Problem),
        (
            status = 503, body = Problem,
            description = "The model is being loaded, could not be loaded, is busy, or is remote and cannot explain"
        ),
    )
)]
pub async fn analyze(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let asked: AnalyzeRequest = body::json(&request, payload, &state.options).await?;
    let (texts, one) = match (asked.text, asked.texts) {
        (Some(text), None) => (vec![text], true),
        (None, Some(texts)) => (texts, false),
        _ => return Err(ApiError::invalid_field("text", "send exactly one of text and texts")),
    };
    check(&texts, one)?;
    if asked.explain && texts.len() > MAX_EXPLAINED {
        return Err(ApiError::invalid_field(
            "texts",
            format!("must be at most {MAX_EXPLAINED} texts with explain, found {}", texts.len()),
        ));
    }
    let classifier = classifier(&state)?;
    let work = if asked.explain { Work::Explain } else { Work::Classify };
    let field = if one { "text" } else { "texts" };
    state.admission.admit(state.proxies.client(&request), cost(&texts, work), field)?;
    let mut results = match (texts.is_empty(), work) {
        (true, _) => Vec::new(),
        (false, Work::Explain) => state.cancellable(explained(classifier, texts)).await?,
        (false, Work::Classify) => {
            let depth = if asked.full_depth { LayerDepth::Full } else { LayerDepth::Adaptive };
            let analyses = state.cancellable(classifier.classify_with(texts, depth)).await?;
            analyses.into_iter().map(AnalysisView::from).collect()
        }
    };
    match results.pop() {
        Some(result) if one => answer::json(&AnalyzeAnswer::One(result)),
        last => {
            results.extend(last);
            answer::json(&AnalyzeAnswer::Many(AnalysisList { results }))
        }
    }
}

async fn explained(classifier: SharedClassifier, texts: Vec<String>) -> Result<Vec<AnalysisView>, InferenceError> {
    let mut results = Vec::with_capacity(texts.len());
    for text in texts {
        results.push(AnalysisView::explained(explain(&*classifier, &text).await?));
    }
    Ok(results)
}

fn check(texts: &[String], one: bool) -> Result<(), ApiError> {
    if texts.len() > MAX_TEXTS {
        return Err(ApiError::invalid_field(
            "texts",
            format!("must be at most {MAX_TEXTS} texts, found {}", texts.len()),
        ));
    }
    let errors: Vec<_> = texts
        .iter()
        .enumerate()
        .filter_map(|(index, text)| {
            let field = if one { "text".to_owned() } else { format!("texts[{index}]") };
            let length = text.chars().count();
            if text.trim().is_empty() {
                Some(FieldError::new(field, "must not be blank"))
            } else if length > MAX_CONTENT_CHARS {
                Some(FieldError::new(field, format!("must be at most {MAX_CONTENT_CHARS} characters, has {length}")))
            } else {
                None
            }
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(errors)) }
}

fn classifier(state: &State) -> Result<SharedClassifier, ApiError> {
    match &*state.api.model.borrow() {
        ModelState::Ready(classifier) => Ok(state.api.routes.over(classifier.clone())),
        ModelState::Loading => Err(ApiError::unavailable("the model is being loaded; try again")),
        ModelState::Failed(reason) => Err(ApiError::unavailable(format!("the model could not be loaded: {reason}"))),
        ModelState::Absent => {
            Err(ApiError::unavailable("this process has no model; send the request to a process with the api role"))
        }
    }
}
