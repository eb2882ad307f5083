//! The posts that a rule watches.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::{Author, InvalidValue, Source, TopicName};

/// The maximum length of WORDS in `text:WORDS`, in characters.
const MAX_TEXT_CHARS: usize = 200;

/// The posts that a rule watches, written as `all`, `source:NAME`, `author:NAME`, `topic:NAME` or `text:WORDS`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Every post.
    All,
    /// Posts of this source.
    Source(Source),
    /// Posts of this author, on any source.
    Author(Author),
    /// Posts that a tracked topic matches.
    Topic(TopicName),
    /// Posts whose text contains all of these words as whole words, ignoring case.
    Text(String),
}

impl Scope {
    /// Whether rollups contain the counts of this scope. Otherwise an evaluation must read the posts.
    pub fn is_rolled_up(&self) -> bool {
        matches!(self, Self::All | Self::Source(_) | Self::Topic(_))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Source(name) => write!(f, "source:{}", name.as_str()),
            Self::Author(name) => write!(f, "author:{}", name.as_str()),
            Self::Topic(name) => write!(f, "topic:{name}"),
            Self::Text(words) => write!(f, "text:{words}"),
        }
    }
}

/// Why a text does not name a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The text does not have a valid form.
    #[error("must be all, source:NAME, author:NAME, topic:NAME or text:WORDS")]
    Form,
    /// The name of the source, author or topic is not valid.
    #[error(transparent)]
    Name(#[from] InvalidValue),
    /// The words are missing or too long, or contain U+0000.
    #[error("text: must contain 1 to {MAX_TEXT_CHARS} characters without U+0000")]
    Text,
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            Some(("source", name)) => Ok(Self::Source(Source::parse(name)?)),
            Some(("author", name)) => Ok(Self::Author(Author::parse(name)?)),
            Some(("topic", name)) => Ok(Self::Topic(TopicName::parse(name)?)),
            Some(("text", words)) => {
                let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
                match words.chars().count() {
                    1..=MAX_TEXT_CHARS if !words.contains('\0') => Ok(Self::Text(words)),
                    _ => Err(ScopeError::Text),
                }
            }
            _ => Err(ScopeError::Form),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
