//! The sets of sentiment and emotion labels.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The error for a text that is not a label of the set. The message lists the labels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {allowed}")]
pub struct LabelError {
    allowed: &'static str,
}

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident: $allowed:literal {
        $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// All labels, in the order of the default model's outputs.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// The label as text, lower case.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The index of the label in [`Self::ALL`].
            pub fn index(self) -> usize {
                self as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = LabelError;

            fn from_str(text: &str) -> Result<Self, LabelError> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(LabelError { allowed: $allowed }),
                }
            }
        }
    };
}

/// The labels of an analysed post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PostLabels {
    /// The sentiment with the largest score.
    pub sentiment: Sentiment,
    /// The emotion with the largest score.
    pub emotion: Emotion,
}

/// Why a stored post has no sentiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unscored {
    /// No model for the post's language was available when the post was stored.
    Language,
}

impl Unscored {
    /// The value as text, lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Language => "language",
        }
    }
}

/// A sentiment to filter posts by; `unscored` selects posts without a sentiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SentimentFilter {
    /// Posts with a negative sentiment.
    Negative,
    /// Posts with a neutral sentiment.
    Neutral,
    /// Posts with a positive sentiment.
    Positive,
    /// Posts without a sentiment.
    Unscored,
}

impl SentimentFilter {
    /// The value as text, lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Negative => "negative",
            Self::Neutral => "neutral",
            Self::Positive => "positive",
            Self::Unscored => "unscored",
        }
    }
}

impl From<Sentiment> for SentimentFilter {
    fn from(sentiment: Sentiment) -> Self {
        match sentiment {
            Sentiment::Negative => Self::Negative,
            Sentiment::Neutral => Self::Neutral,
            Sentiment::Positive => Self::Positive,
        }
    }
}

impl FromStr for SentimentFilter {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        match text.parse::<Sentiment>() {
            Ok(sentiment) => Ok(sentiment.into()),
            Err(_) if text == "unscored" => Ok(Self::Unscored),
            Err(_) => Err(LabelError { allowed: "positive, neutral, negative, unscored" }),
        }
    }
}

labels! {
    /// The sentiment of a text.
    Sentiment: "positive, neutral, negative" {
        /// The text is negative.
        Negative = "negative",
        /// The text is neither negative nor positive.
        Neutral = "neutral",
        /// The text is positive.
        Positive = "positive",
    }
}

labels! {
    /// The emotion that a text expresses: one of Ekman's six basic emotions, or neutral.
    Emotion: "anger, disgust, fear, joy, neutral, sadness, surprise" {
        /// The text expresses anger.
        Anger = "anger",
        /// The text expresses disgust.
        Disgust = "disgust",
        /// The text expresses fear.
        Fear = "fear",
        /// The text expresses joy.
        Joy = "joy",
        /// The text expresses none of the other emotions.
        Neutral = "neutral",
        /// The text expresses sadness.
        Sadness = "sadness",
        /// The text expresses surprise.
        Surprise = "surprise",
    }
}
