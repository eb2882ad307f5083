//! The class of posts that a rule counts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::label::LabelError;
use crate::domain::{Counts, Emotion, Sentiment};

/// A class of posts, written as `posts`, `sentiment:LABEL` or `emotion:LABEL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Every post.
    Posts,
    /// Posts with this sentiment.
    Sentiment(Sentiment),
    /// Posts with this emotion.
    Emotion(Emotion),
}

impl Class {
    /// The number of posts of this class in `counts`.
    pub fn of(self, counts: &Counts) -> i64 {
        match self {
            Self::Posts => counts.posts(),
            Self::Sentiment(label) => counts.sentiment(label),
            Self::Emotion(label) => counts.emotion(label),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Posts => f.write_str("posts"),
            Self::Sentiment(label) => write!(f, "sentiment:{label}"),
            Self::Emotion(label) => write!(f, "emotion:{label}"),
        }
    }
}

/// Why a text does not name a class of posts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClassError {
    /// The text does not have a valid form.
    #[error("must be posts, sentiment:LABEL or emotion:LABEL")]
    Form,
    /// The label is not a sentiment.
    #[error("sentiment: {0}")]
    Sentiment(#[source] LabelError),
    /// The label is not an emotion.
    #[error("emotion: {0}")]
    Emotion(#[source] LabelError),
}

impl FromStr for Class {
    type Err = ClassError;

    fn from_str(text: &str) -> Result<Self, ClassError> {
        match text.split_once(':') {
            None if text == "posts" => Ok(Self::Posts),
            Some(("sentiment", label)) => label.parse().map(Self::Sentiment).map_err(ClassError::Sentiment),
            Some(("emotion", label)) => label.parse().map(Self::Emotion).map_err(ClassError::Emotion),
            _ => Err(ClassError::Form),
        }
    }
}

impl Serialize for Class {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Class {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
