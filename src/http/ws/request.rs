//! The messages that clients send.

use std::error::Error;

use serde::{Deserialize, Serialize};

use crate::domain::{Emotion, PostEvent, Sentiment, Source, TopicName};

use super::super::params::language;

/// A client's message.
#[derive(Debug, PartialEq)]
pub enum Request {
    /// A ping, which is answered with a pong.
    Ping,
    /// Replaces the filters of the client.
    Subscribe(Filters),
}

/// The posts that a client subscribes to. An empty list matches all posts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Filters {
    topic: Vec<String>,
    source: Vec<String>,
    sentiment: Vec<Sentiment>,
    emotion: Vec<Emotion>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lang: Vec<String>,
}

/// The maximum number of values of one filter.
const MAX_VALUES: usize = 100;

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    filters: Option<RawFilters>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFilters {
    #[serde(default)]
    topic: Option<OneOrMany>,
    #[serde(default)]
    source: Option<OneOrMany>,
    #[serde(default)]
    sentiment: Option<OneOrMany>,
    #[serde(default)]
    emotion: Option<OneOrMany>,
    #[serde(default)]
    lang: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Why a message is refused. The client gets the text.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The frame is not JSON in the form of a message.
    #[error("expected {{\"type\": \"subscribe\", \"filters\": {{…}}}} or {{\"type\": \"ping\"}}: {0}")]
    Form(#[from] serde_json::Error),
    /// The kind of message is unknown. The value is the beginning of its name.
    #[error("type must be subscribe or ping, is {0:?}")]
    Kind(String),
    /// A filter has too many values.
    #[error("filters.{filter} must be at most {MAX_VALUES} values, found {found}")]
    TooMany {
        /// The name of the filter.
        filter: &'static str,
        /// The number of values.
        found: usize,
    },
    /// A value of a filter is not valid.
    #[error("filters.{filter} {source}")]
    Value {
        /// The name of the filter.
        filter: &'static str,
        /// What is allowed.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Request {
    /// Reads a text frame.
    ///
    /// # Errors
    /// When the frame is not a known message, or a filter is not valid.
    pub fn parse(text: &str) -> Result<Self, RequestError> {
        let message: Message = serde_json::from_str(text)?;
        match message.kind.as_str() {
            "ping" => Ok(Self::Ping),
            "subscribe" => {
                let raw = message.filters.unwrap_or_default();
                Ok(Self::Subscribe(Filters {
                    topic: values("topic", raw.topic, |text| TopicName::parse(text).map(|name| name.to_string()))?,
                    source: values("source", raw.source, |text| Source::parse(text).map(Source::into_string))?,
                    sentiment: values("sentiment", raw.sentiment, str::parse)?,
                    emotion: values("emotion", raw.emotion, str::parse)?,
                    lang: values("lang", raw.lang, language)?,
                }))
            }
            other => Err(RequestError::Kind(crate::domain::op::preview(other, 40).to_owned())),
        }
    }
}

fn values<T, E: Into<Box<dyn Error + Send + Sync>>>(
    filter: &'static str,
    given: Option<OneOrMany>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, RequestError> {
    let texts = match given {
        None => Vec::new(),
        Some(OneOrMany::One(text)) => vec![text],
        Some(OneOrMany::Many(texts)) => texts,
    };
    if texts.len() > MAX_VALUES {
        return Err(RequestError::TooMany { filter, found: texts.len() });
    }
    let invalid = |error: E| RequestError::Value { filter, source: error.into() };
    texts.iter().map(|text| parse(text).map_err(invalid)).collect()
}

impl Filters {
    /// Whether the filters match this post.
    pub fn match_post(&self, post: &PostEvent) -> bool {
        fn wants<T: PartialEq>(wanted: &[T], value: &T) -> bool {
            wanted.is_empty() || wanted.contains(value)
        }
        // An unscored post has no label, so only a client without a filter of labels gets it.
        fn wants_label<T: PartialEq>(wanted: &[T], label: Option<T>) -> bool {
            wanted.is_empty() || label.is_some_and(|label| wanted.contains(&label))
        }
        // With a filter by topic, `sentiment` refers to the sentiment towards this topic.
        let towards = |topic: &String| post.topic_sentiments.get(topic).copied().or(post.sentiment_label);
        let about = |topic: &String| post.topics.contains(topic) && wants_label(&self.sentiment, towards(topic));
        let wants_sentiment = match self.topic.as_slice() {
            [] => wants_label(&self.sentiment, post.sentiment_label),
            topics => topics.iter().any(about),
        };
        wants_sentiment
            && wants(&self.source, &post.source)
            && wants_label(&self.emotion, post.emotion)
            && self.wants_language(post.lang.as_deref())
    }

    fn wants_language(&self, lang: Option<&str>) -> bool {
        let form_of = |wanted: &String, lang: &str| {
            lang.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let lang = || lang.and_then(|lang| language(lang).ok());
        self.lang.is_empty() || lang().is_some_and(|lang| self.lang.iter().any(|wanted| form_of(wanted, &lang)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_accepts_value_or_list() {
        let read = |text| match Request::parse(text) {
            Ok(Request::Subscribe(filters)) => serde_json::to_value(filters).unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            read(
                r#"{"type": "subscribe", "filters": {"source": "Web", "sentiment": ["positive", "negative"], "lang": "pt_BR"}}"#
            ),
            serde_json::json!({"topic": [], "source": ["web"], "sentiment": ["positive", "negative"], "emotion": [], "lang": ["pt-br"]})
        );
        let none = serde_json::json!({"topic": [], "source": [], "sentiment": [], "emotion": []});
        assert_eq!(read(r#"{"type": "subscribe"}"#), none);
        assert_eq!(read(r#"{"type": "subscribe", "filters": {"emotion": null}}"#), none);
    }

    #[test]
    fn invalid_messages_are_explained() {
        for (text, part) in [
            ("", "expected"),
            ("[]", "expected"),
            (r#"{"type": "shout"}"#, "shout"),
            (r#"{"type": "subscribe", "filters": {"color": "red"}}"#, "color"),
            (r#"{"type": "subscribe", "filters": {"sentiment": "happy"}}"#, "filters.sentiment must be one of"),
            (r#"{"type": "subscribe", "filters": {"source": 7}}"#, "expected"),
        ] {
            let message = Request::parse(text).unwrap_err().to_string();
            assert!(message.contains(part), "{part} in {message}");
        }
    }
}
