//! The filter of aggregates, distributions and comparisons.

use serde::{Deserialize, Serialize};

use crate::domain::{Author, Emotion, SentimentFilter, SentimentOf, Source, TopicName};
use crate::store::posts::PostFilter;

use super::error::ApiError;
use super::params::Params;
use super::posts::filter::search;
use super::state::State;

/// The posts to count. Filters by topic, source, sentiment and emotion are answered from rollups, which also count
/// posts that were deleted after their retention time. Filters by author and text are answered from the stored posts.
/// If more than 100,000 stored posts must be read, an aggregate, a distribution or a comparison is refused with 422.
#[derive(Clone, Default, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CountParams {
    /// Only posts that this tracked topic matches.
    #[param(value_type = Option<String>)]
    topic: Option<TopicName>,
    /// The label that counts if `topic` is given: `topic` (the default) for the sentiment towards the topic, `post` for
    /// the sentiment of the whole post.
    #[param(inline, required = false)]
    sentiment_of: SentimentOf,
    /// Only posts of this source.
    #[param(value_type = Option<String>)]
    source: Option<Source>,
    /// Only posts with this sentiment; `unscored` selects posts without a sentiment.
    sentiment: Option<SentimentFilter>,
    /// Only posts with this emotion.
    emotion: Option<Emotion>,
    /// Only posts of this author.
    #[param(value_type = Option<String>)]
    author: Option<Author>,
    /// Only posts whose text contains all of these words, also as parts of longer words. Case is ignored. At most 20
    /// words and 500 bytes.
    q: Option<String>,
}

impl CountParams {
    /// Takes the filter out of `params`.
    pub fn take(params: &mut Params) -> Self {
        Self {
            topic: params.optional("topic", TopicName::parse),
            sentiment_of: params.text("sentiment_of").unwrap_or_default(),
            source: params.optional("source", Source::parse),
            sentiment: params.text("sentiment"),
            emotion: params.text("emotion"),
            author: params.optional("author", Author::parse),
            q: params.optional("q", search),
        }
    }

    /// Converts the parameters to the filter of the store.
    ///
    /// # Errors
    /// 422 when there is no such topic.
    pub fn filter(&self, state: &State) -> Result<PostFilter, ApiError> {
        Ok(PostFilter {
            topic: state.topic_id(self.topic.as_ref())?,
            sentiment_of: self.sentiment_of,
            source: self.source.clone(),
            sentiment: self.sentiment,
            emotion: self.emotion,
            author: self.author.clone(),
            words: self.q.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect(),
            whole_words: Vec::new(),
            ..PostFilter::default()
        })
    }

    /// A key that is unique for each filter. Texts are quoted, so that no text produces the key of another filter.
    pub fn cache_key(&self) -> String {
        format!(
            "{}:{}:{}:{}:{}:{:?}:{:?}",
            self.topic.as_ref().map_or("-", TopicName::as_str),
            self.sentiment_of.as_str(),
            self.source.as_ref().map_or("-", Source::as_str),
            self.sentiment.map_or("-", SentimentFilter::as_str),
            self.emotion.map_or("-", Emotion::as_str),
            self.author.as_ref().map(Author::as_str),
            self.q,
        )
    }
}

/// The filter of the request, as it was parsed.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct CountEcho {
    topic: Option<String>,
    /// Which label counts; absent without `topic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sentiment_of: Option<SentimentOf>,
    source: Option<String>,
    sentiment: Option<SentimentFilter>,
    emotion: Option<Emotion>,
    author: Option<String>,
    q: Option<String>,
}

impl From<CountParams> for CountEcho {
    fn from(params: CountParams) -> Self {
        Self {
            sentiment_of: params.topic.is_some().then_some(params.sentiment_of),
            topic: params.topic.map(|topic| topic.as_str().to_owned()),
            source: params.source.map(Source::into_string),
            sentiment: params.sentiment,
            emotion: params.emotion,
            author: params.author.map(|author| author.as_str().to_owned()),
            q: params.q,
        }
    }
}
