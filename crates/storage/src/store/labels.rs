//! The columns that store the labels of posts.
//!
//! Posts and rollups have two columns for labels. For an unscored post the sentiment column is empty, and the emotion
//! column contains the language as `lang:de`. This lets the rollups count unscored posts by language without additional
//! columns.

use std::borrow::Cow;

use sentistream_core::domain::{Emotion, PostLabels, Sentiment, language};

/// The sentiment column of an unscored post.
pub const UNSCORED: &str = "";
const LANGUAGE: &str = "lang:";
/// The stored language if the post has no language tag, or a tag that is not a language code.
const OTHER: &str = "other";

/// The values of the two label columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelColumns {
    /// The sentiment; empty for an unscored post.
    pub sentiment: &'static str,
    /// The emotion; `lang:` and the language for an unscored post.
    pub emotion: Cow<'static, str>,
}

impl LabelColumns {
    /// The columns of a post with these labels, or of an unscored post in this language.
    pub fn of(labels: Option<PostLabels>, lang: Option<&str>) -> Self {
        match labels {
            Some(labels) => {
                Self { sentiment: labels.sentiment.as_str(), emotion: Cow::Borrowed(labels.emotion.as_str()) }
            }
            None => {
                // Sources may send any text as the language. Only known codes are used, so that the number of rollup
                // rows stays limited.
                let lang = lang.and_then(language::code);
                let emotion = format!("{LANGUAGE}{}", lang.as_deref().unwrap_or(OTHER));
                Self { sentiment: UNSCORED, emotion: Cow::Owned(emotion) }
            }
        }
    }

    /// The labels; `None` for an unscored post.
    pub fn parsed(&self) -> Option<PostLabels> {
        Some(PostLabels { sentiment: self.sentiment.parse().ok()?, emotion: self.emotion.parse().ok()? })
    }

    /// Converts the values of the stored columns.
    pub fn read(sentiment: &str, emotion: String) -> Self {
        match (sentiment.parse::<Sentiment>(), emotion.parse::<Emotion>()) {
            (Ok(sentiment), Ok(emotion)) => Self::of(Some(PostLabels { sentiment, emotion }), None),
            _ => Self { sentiment: UNSCORED, emotion: Cow::Owned(emotion) },
        }
    }
}

/// Whether `column`, the value of a sentiment or emotion column, belongs to an unscored post.
pub fn is_unscored(column: &str) -> bool {
    column == UNSCORED || column.starts_with(LANGUAGE)
}

/// The language in the emotion column of an unscored post; `None` for the emotion of a scored post.
pub fn language_of(emotion: &str) -> Option<&str> {
    emotion.strip_prefix(LANGUAGE)
}
