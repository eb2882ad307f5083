//! Sets of labels. A set contains the analysis results for which a condition holds.

use std::ops::{BitAnd, BitOr, Not};

use super::{Emotion, PostLabels, Sentiment};

/// A set of label pairs, each a sentiment and an emotion. It may also contain unscored posts.
///
/// Conditions on labels can be combined before a post is analysed. After the analysis, [`Self::contains`] says
/// whether the combined condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LabelSet(u32);

/// The index of the bit for unscored posts. It follows the bits of all pairs.
const UNSCORED: usize = Sentiment::ALL.len() * Emotion::ALL.len();

impl LabelSet {
    /// No post.
    pub const NONE: Self = Self(0);
    /// Every post, including unscored posts.
    pub const ALL: Self = Self((1 << (UNSCORED + 1)) - 1);

    /// Posts of this sentiment.
    pub fn sentiment(sentiment: Sentiment) -> Self {
        Self::pairs(|labels| labels.sentiment == sentiment)
    }

    /// Posts of this emotion.
    pub fn emotion(emotion: Emotion) -> Self {
        Self::pairs(|labels| labels.emotion == emotion)
    }

    /// [`Self::ALL`] if `holds`, otherwise [`Self::NONE`].
    pub fn all_if(holds: bool) -> Self {
        if holds { Self::ALL } else { Self::NONE }
    }

    /// Whether a post with these labels is in the set; `None` is an unscored post.
    pub fn contains(self, labels: Option<PostLabels>) -> bool {
        self.0 & (1 << bit(labels)) != 0
    }

    fn pairs(belongs: impl Fn(PostLabels) -> bool) -> Self {
        let pairs = Sentiment::ALL
            .into_iter()
            .flat_map(|sentiment| Emotion::ALL.into_iter().map(move |emotion| PostLabels { sentiment, emotion }));
        Self(pairs.filter(|labels| belongs(*labels)).fold(0, |set, labels| set | 1 << bit(Some(labels))))
    }
}

fn bit(labels: Option<PostLabels>) -> usize {
    labels.map_or(UNSCORED, |labels| labels.sentiment.index() * Emotion::ALL.len() + labels.emotion.index())
}

impl BitAnd for LabelSet {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for LabelSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Not for LabelSet {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_operations_combine_conditions() {
        let angry = Some(PostLabels { sentiment: Sentiment::Negative, emotion: Emotion::Anger });
        let sad = Some(PostLabels { sentiment: Sentiment::Negative, emotion: Emotion::Sadness });
        let (negative, anger) = (LabelSet::sentiment(Sentiment::Negative), LabelSet::emotion(Emotion::Anger));
        assert!(negative.contains(angry) && negative.contains(sad) && !negative.contains(None));
        assert!((negative & anger).contains(angry) && !(negative & anger).contains(sad));
        assert!((!anger).contains(sad) && (!anger).contains(None) && !(!anger).contains(angry));
        assert_eq!(negative | !negative, LabelSet::ALL);
        assert_eq!(anger & !anger, LabelSet::NONE);
    }
}
