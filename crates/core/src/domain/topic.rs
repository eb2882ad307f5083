//! A tracked topic: a name, and a query that selects its posts.

use std::fmt;

use serde::Serialize;

use super::{InvalidValue, Sentiment, Timestamp};

/// The id of a topic in the database. It is never reused for another topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TopicId(pub i64);

/// The name of a topic in the interface and in links: 1–64 characters of `[a-z0-9_.-]`. Parsing converts it to lower
/// case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TopicName(String);

/// The maximum length of a name, in characters.
const MAX_NAME_CHARS: usize = 64;
/// Names that would conflict with the paths `/api/topics/…`. Clients remove `.` and `..` from paths.
const RESERVED: &[&str] = &["preview", "share", ".", ".."];

impl TopicName {
    /// Parses a name.
    ///
    /// # Errors
    /// When the text is not a valid name.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let lower = text.to_lowercase();
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
        if lower.is_empty() || lower.len() > MAX_NAME_CHARS || !lower.chars().all(valid) {
            return Err(InvalidValue::Name { max: MAX_NAME_CHARS });
        }
        if RESERVED.contains(&&*lower) {
            return Err(InvalidValue::Reserved(RESERVED));
        }
        Ok(Self(lower))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The origin of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TopicOrigin {
    /// Created through the API, and changed only there.
    Api,
    /// Defined by `[[topics]]` in the configuration, and changed only there.
    Config,
}

/// A tracked topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    /// The id of the topic in the database.
    pub id: TopicId,
    /// The name, unique among topics. It cannot be changed.
    pub name: TopicName,
    /// The query as the user wrote it.
    pub query: String,
    /// A text for users, shown with the topic; may be empty.
    pub description: String,
    /// Whether the API or the configuration defines the topic.
    pub origin: TopicOrigin,
    /// Increases with each change of this topic.
    pub revision: i64,
    /// When the topic was created.
    pub created_at: Timestamp,
    /// When the topic was last changed.
    pub updated_at: Timestamp,
    /// The progress of matching the posts that were stored before the query was created or changed.
    pub backfill: Backfill,
}

/// The progress of matching older posts against a new query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backfill {
    /// The row id up to which posts have been matched.
    pub done: i64,
    /// The last row id to match; 0 if there is nothing to match.
    pub last: i64,
}

impl Backfill {
    /// Whether there are posts left to match.
    pub fn is_running(self) -> bool {
        self.done < self.last
    }
}

/// A topic that a post is about, and the post's sentiment towards it.
#[derive(Clone, Debug, PartialEq)]
pub struct PostTopic {
    /// The topic.
    pub topic: TopicId,
    /// The post's sentiment towards the topic.
    pub towards: Towards,
}

/// Which sentiment a post has towards a topic.
#[derive(Clone, Debug, PartialEq)]
pub enum Towards {
    /// The sentiment is not determined yet. Until then, the label of the whole post applies.
    Pending,
    /// The sentiment of the whole post, for example because the post has only one clause or is unscored.
    Post,
    /// A sentiment that was determined separately from that of the whole post.
    Own(TopicSentiment),
}

/// The sentiment towards a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicSentiment {
    /// The label of the sentiment.
    pub sentiment: Sentiment,
    /// The probability of `sentiment`, in [0, 1].
    pub confidence: f64,
    /// The clause that contributes most to the sentiment; `None` is the whole text.
    pub clause: Option<Clause>,
}

/// A part of a text. Positions count Unicode code points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Clause {
    /// The index of the clause's first code point, from 0.
    pub start: u32,
    /// The index after the clause's last code point.
    pub end: u32,
}

impl Clause {
    /// Converts a range of bytes in `text`. `None` if it does not begin and end at character boundaries.
    pub fn of(text: &str, bytes: &std::ops::Range<usize>) -> Option<Self> {
        let before = u32::try_from(text.get(..bytes.start)?.chars().count()).ok()?;
        let length = u32::try_from(text.get(bytes.clone())?.chars().count()).ok()?;
        Some(Self { start: before, end: before.checked_add(length)? })
    }
}

impl PostTopic {
    /// A topic for which the sentiment is not determined yet.
    pub fn pending(topic: TopicId) -> Self {
        Self { topic, towards: Towards::Pending }
    }
}

/// Which sentiment is used to filter by topic and to count the posts of a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SentimentOf {
    /// The sentiment towards the topic.
    #[default]
    Topic,
    /// The sentiment of the whole post.
    Post,
}

impl SentimentOf {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Post => "post",
        }
    }
}

impl std::str::FromStr for SentimentOf {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "topic" => Ok(Self::Topic),
            "post" => Ok(Self::Post),
            _ => Err("must be topic or post"),
        }
    }
}

/// The properties of a post that queries are matched against.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The text of the post.
    pub content: &'a str,
    /// The name of the author, if it is known.
    pub author: Option<&'a str>,
    /// The name of the source.
    pub source: &'a str,
    /// The BCP 47 tag of the post's language.
    pub lang: Option<&'a str>,
    /// The URL of the post's page.
    pub url: Option<&'a str>,
    /// Whether the post is a reply.
    pub is_reply: bool,
}
