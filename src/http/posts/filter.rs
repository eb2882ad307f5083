//! The filter of the list and the export of posts.

use serde::Serialize;

use crate::domain::{Author, Emotion, InvalidValue, SentimentFilter, SentimentOf, Source, Timestamp, TopicName};
use crate::store::posts::{PostCursor, PostFilter, Sort};

use super::super::error::ApiError;
use super::super::params::{Params, language};
use super::super::state::State;

/// The maximum number of words of a search. The database tests each word on each post.
const MAX_WORDS: usize = 20;
/// The maximum length of a search, in bytes.
const MAX_QUERY_BYTES: usize = 500;

/// The filter of a list of posts. A post must match every condition.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PostFilterParams {
    /// Only posts that this tracked topic matches.
    #[param(value_type = Option<String>)]
    topic: Option<TopicName>,
    /// The label that `sentiment` and `min_confidence` refer to if `topic` is given: `topic` (the default) for the
    /// sentiment towards the topic, `post` for the sentiment of the whole post.
    #[param(inline, required = false)]
    sentiment_of: SentimentOf,
    /// Only posts of this source.
    #[param(value_type = Option<String>, example = "twitter")]
    source: Option<Source>,
    /// Only posts with this sentiment; `unscored` selects posts without a sentiment.
    sentiment: Option<SentimentFilter>,
    /// Only posts with this emotion.
    emotion: Option<Emotion>,
    /// Only posts of this author.
    #[param(value_type = Option<String>)]
    author: Option<Author>,
    /// Only posts in this language, as stated by the source or detected. `en` also matches `en-US`.
    #[param(example = "en")]
    lang: Option<String>,
    /// Only posts whose text contains all of these words, also as parts of longer words. Case is ignored. At most 20
    /// words and 500 bytes.
    q: Option<String>,
    /// Only posts whose sentiment has at least this confidence.
    #[param(minimum = 0, maximum = 1)]
    min_confidence: Option<f64>,
    /// Only posts that were created at or after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    start_date: Option<Timestamp>,
    /// Only posts that were created before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    end_date: Option<Timestamp>,
    /// Only posts that were stored after this time. A client uses this filter to fetch the posts that it missed while
    /// it was disconnected.
    #[param(value_type = Option<String>, format = DateTime)]
    ingested_after: Option<Timestamp>,
}

impl PostFilterParams {
    /// Takes the filter out of `params`.
    pub fn take(params: &mut Params) -> Self {
        let topic = params.optional("topic", TopicName::parse);
        let sentiment_of = params.text("sentiment_of").unwrap_or_default();
        let source = params.optional("source", Source::parse);
        let sentiment = params.text("sentiment");
        let emotion = params.text("emotion");
        let author = params.optional("author", Author::parse);
        let lang = params.optional("lang", language);
        let q = params.optional("q", search);
        let min_confidence = params.optional("min_confidence", share);
        let (start_date, end_date) = params.period();
        let ingested_after = params.time("ingested_after");
        Self {
            topic,
            sentiment_of,
            source,
            sentiment,
            emotion,
            author,
            lang,
            q,
            min_confidence,
            start_date,
            end_date,
            ingested_after,
        }
    }
}

impl PostFilterParams {
    /// Converts the parameters to the filter of the store.
    ///
    /// # Errors
    /// 422 when there is no such topic.
    pub fn resolve(self, state: &State) -> Result<PostFilter, ApiError> {
        Ok(PostFilter {
            topic: state.topic_id(self.topic.as_ref())?,
            sentiment_of: self.sentiment_of,
            source: self.source,
            sentiment: self.sentiment,
            emotion: self.emotion,
            author: self.author,
            lang: self.lang,
            words: self.q.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
            whole_words: Vec::new(),
            min_confidence: self.min_confidence,
            start: self.start_date,
            end: self.end_date,
            ingested_after: self.ingested_after,
        })
    }
}

/// The filter of the request, as it was parsed.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FilterEcho {
    topic: Option<String>,
    /// Which label counts; absent without `topic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    sentiment_of: Option<SentimentOf>,
    source: Option<String>,
    sentiment: Option<SentimentFilter>,
    emotion: Option<Emotion>,
    author: Option<String>,
    lang: Option<String>,
    q: Option<String>,
    min_confidence: Option<f64>,
    #[schema(value_type = Option<String>, format = DateTime)]
    start_date: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    end_date: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ingested_after: Option<Timestamp>,
}

impl From<&PostFilterParams> for FilterEcho {
    fn from(params: &PostFilterParams) -> Self {
        Self {
            topic: params.topic.as_ref().map(|topic| topic.as_str().to_owned()),
            sentiment_of: params.topic.is_some().then_some(params.sentiment_of),
            source: params.source.as_ref().map(|source| source.as_str().to_owned()),
            sentiment: params.sentiment,
            emotion: params.emotion,
            author: params.author.as_ref().map(|author| author.as_str().to_owned()),
            lang: params.lang.clone(),
            q: params.q.clone(),
            min_confidence: params.min_confidence,
            start_date: params.start_date,
            end_date: params.end_date,
            ingested_after: params.ingested_after,
        }
    }
}

/// Checks the text of a search.
///
/// # Errors
/// When the search has too many words or bytes, or contains U+0000.
pub fn search(text: &str) -> Result<String, InvalidValue> {
    if text.len() > MAX_QUERY_BYTES {
        return Err(InvalidValue::TooManyBytes { max: MAX_QUERY_BYTES, found: text.len() });
    }
    if text.contains('\0') {
        return Err(InvalidValue::Nul);
    }
    match text.split_whitespace().count() {
        words if words > MAX_WORDS => Err(InvalidValue::TooManyWords { max: MAX_WORDS, found: words }),
        _ => Ok(text.to_owned()),
    }
}

fn share(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|number| (0.0..=1.0).contains(number)).ok_or("must be a number from 0 to 1")
}

/// The order of a list, as the API names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SortParam {
    /// The latest `created_at` first.
    #[default]
    Newest,
    /// The earliest `created_at` first.
    Oldest,
    /// The highest confidence first.
    Confidence,
}

impl SortParam {
    /// Takes `sort` out of `params`.
    pub fn take(params: &mut Params) -> Self {
        let sort = params.optional("sort", |text| match text {
            "newest" => Ok(Self::Newest),
            "oldest" => Ok(Self::Oldest),
            "confidence" => Ok(Self::Confidence),
            _ => Err("must be one of newest, oldest, confidence"),
        });
        sort.unwrap_or_default()
    }
}

impl From<SortParam> for Sort {
    fn from(sort: SortParam) -> Self {
        match sort {
            SortParam::Newest => Self::Newest,
            SortParam::Oldest => Self::Oldest,
            SortParam::Confidence => Self::Confidence,
        }
    }
}

/// Encodes a cursor as text that is opaque to clients. It contains the sort order and the exact confidence.
pub fn write_cursor(cursor: PostCursor) -> String {
    match cursor {
        PostCursor::Newest { created_at, id } => format!("{}.{id}", created_at.as_micros()),
        PostCursor::Oldest { created_at, id } => format!("o{}.{id}", created_at.as_micros()),
        PostCursor::Confidence { confidence, id } => format!("c{:x}.{id}", confidence.to_bits()),
    }
}

/// Parses the text of [`write_cursor`].
///
/// # Errors
/// When `text` is not a valid cursor.
pub fn parse_cursor(text: &str) -> Result<PostCursor, &'static str> {
    let read = || {
        let (key, id) = text.split_once('.')?;
        let id = id.parse().ok()?;
        let time = |micros: &str| Timestamp::from_micros(micros.parse().ok()?);
        if let Some(bits) = key.strip_prefix('c') {
            let confidence = f64::from_bits(u64::from_str_radix(bits, 16).ok()?);
            return confidence.is_finite().then_some(PostCursor::Confidence { confidence, id });
        }
        match key.strip_prefix('o') {
            Some(micros) => Some(PostCursor::Oldest { created_at: time(micros)?, id }),
            None => Some(PostCursor::Newest { created_at: time(key)?, id }),
        }
    };
    read().ok_or("must be next_cursor of an earlier page")
}
