//! Types that several responses share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Counts, Emotion, Scores, Sentiment};

/// A value for each sentiment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BySentiment<T> {
    /// The value of the sentiment `positive`.
    pub positive: T,
    /// The value of the sentiment `neutral`.
    pub neutral: T,
    /// The value of the sentiment `negative`.
    pub negative: T,
}

impl<T> BySentiment<T> {
    /// The result of `value` for each sentiment.
    pub fn from_fn(value: impl Fn(Sentiment) -> T) -> Self {
        Self {
            positive: value(Sentiment::Positive),
            neutral: value(Sentiment::Neutral),
            negative: value(Sentiment::Negative),
        }
    }
}

/// A value for each emotion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ByEmotion<T> {
    /// The value of the emotion `anger`.
    pub anger: T,
    /// The value of the emotion `disgust`.
    pub disgust: T,
    /// The value of the emotion `fear`.
    pub fear: T,
    /// The value of the emotion `joy`.
    pub joy: T,
    /// The value of the emotion `neutral`.
    pub neutral: T,
    /// The value of the emotion `sadness`.
    pub sadness: T,
    /// The value of the emotion `surprise`.
    pub surprise: T,
}

impl<T> ByEmotion<T> {
    /// The result of `value` for each emotion.
    pub fn from_fn(value: impl Fn(Emotion) -> T) -> Self {
        Self {
            anger: value(Emotion::Anger),
            disgust: value(Emotion::Disgust),
            fear: value(Emotion::Fear),
            joy: value(Emotion::Joy),
            neutral: value(Emotion::Neutral),
            sadness: value(Emotion::Sadness),
            surprise: value(Emotion::Surprise),
        }
    }
}

/// The number of posts of each sentiment.
pub fn sentiments(counts: &Counts) -> BySentiment<i64> {
    BySentiment::from_fn(|sentiment| counts.sentiment(sentiment))
}

/// The share of each sentiment in percent.
pub fn percentages(counts: &Counts) -> BySentiment<f64> {
    BySentiment::from_fn(|sentiment| counts.percentage(sentiment))
}

/// The number of posts of each emotion.
pub fn emotions(counts: &Counts) -> ByEmotion<i64> {
    ByEmotion::from_fn(|emotion| counts.emotion(emotion))
}

/// Unscored posts of one language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LanguageCount {
    /// The language code, such as `de`; `other` for tags that are not language codes.
    pub lang: String,
    /// The number of unscored posts in this language.
    pub count: i64,
}

/// The languages of unscored posts, most frequent first.
pub fn languages(counts: BTreeMap<String, i64>) -> Vec<LanguageCount> {
    let mut languages: Vec<_> = counts.into_iter().map(|(lang, count)| LanguageCount { lang, count }).collect();
    languages.sort_by_key(|language| std::cmp::Reverse(language.count));
    languages
}

/// An emotion, and how many posts have it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TopEmotion {
    /// An emotion that at least one post has.
    pub emotion: Emotion,
    /// The number of posts with this emotion.
    pub count: i64,
    /// The percentage of all scored posts that have this emotion, 0 to 100, rounded to two decimal places.
    pub percentage: f64,
}

/// The emotions that occur, most frequent first.
pub fn top_emotions(counts: &Counts) -> Vec<TopEmotion> {
    let total = counts.total();
    let share = |count| crate::domain::counts::percentage(count, total);
    counts
        .top_emotions()
        .into_iter()
        .map(|(emotion, count)| TopEmotion { emotion, count, percentage: share(count) })
        .collect()
}

/// The measures of a set of posts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Measures {
    /// Posts with a sentiment: positive, neutral and negative ones.
    pub total: i64,
    /// Unscored posts, which `total` excludes: no model in use supports their language, or the model for their language
    /// has not analysed them yet.
    #[serde(default)]
    #[schema(required = false)]
    pub unscored_count: i64,
    /// The number of posts of each sentiment.
    pub distribution: BySentiment<i64>,
    /// The percentage of `total` of each sentiment, rounded to two decimal places; 0 if there are no posts.
    pub percentages: BySentiment<f64>,
    /// The share of positive posts minus the share of negative posts, in points from -100 to 100.
    pub net_sentiment: f64,
    /// The mean confidence of the scored posts, 0 to 1, rounded to four decimal places; 0 if there are none.
    pub average_confidence: f64,
}

impl Measures {
    /// All posts, including unscored ones.
    pub fn posts(&self) -> i64 {
        self.total + self.unscored_count
    }

    /// The measures of `counts`.
    pub fn of(counts: &Counts) -> Self {
        let share = |sentiment| counts.percentage(sentiment);
        let net = share(Sentiment::Positive) - share(Sentiment::Negative);
        Self {
            total: counts.total(),
            unscored_count: counts.unscored(),
            distribution: sentiments(counts),
            percentages: percentages(counts),
            net_sentiment: (net * 1e2).round() / 1e2,
            average_confidence: counts.average_confidence(),
        }
    }
}

/// The score of every class, each in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct AllScores {
    /// The scores of the sentiments. They sum to 1.
    pub sentiment: BySentiment<f64>,
    /// The scores of the emotions. They are independent of each other, so that several may be high.
    pub emotion: ByEmotion<f64>,
}

impl From<Scores> for AllScores {
    fn from(scores: Scores) -> Self {
        let rounded = |score: f32| (f64::from(score) * 1e6).round() / 1e6;
        Self {
            sentiment: BySentiment::from_fn(|sentiment| rounded(scores.sentiment[sentiment.index()])),
            emotion: ByEmotion::from_fn(|emotion| rounded(scores.emotion[emotion.index()])),
        }
    }
}
