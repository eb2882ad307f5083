//! Counts of posts by sentiment and emotion.

use super::{Emotion, PostLabels, Sentiment, SentimentFilter};

/// The number of posts of each sentiment and each emotion, with the sum of their confidences, and the number of
/// unscored posts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    cells: [[i64; 7]; 3],
    unscored: i64,
    confidence_sum: f64,
}

impl Counts {
    /// Adds `count` posts whose confidences sum to `confidence_sum`. Negative numbers subtract. Posts without labels
    /// are unscored and have no confidence.
    pub fn add(&mut self, labels: Option<PostLabels>, count: i64, confidence_sum: f64) {
        match labels {
            Some(PostLabels { sentiment, emotion }) => {
                self.cells[sentiment.index()][emotion.index()] += count;
                self.confidence_sum += confidence_sum;
            }
            None => self.unscored += count,
        }
    }

    /// Adds all counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (row, other_row) in self.cells.iter_mut().zip(&other.cells) {
            for (cell, other_cell) in row.iter_mut().zip(other_row) {
                *cell += other_cell;
            }
        }
        self.unscored += other.unscored;
        self.confidence_sum += other.confidence_sum;
    }

    /// The counts of the posts that match both filters; `None` matches every post. The sum of confidences is not stored
    /// by label, so it is 0 if the filters leave out posts with a sentiment.
    pub fn only(&self, sentiment: Option<SentimentFilter>, emotion: Option<Emotion>) -> Self {
        let mut kept = *self;
        for label in Sentiment::ALL {
            for other in Emotion::ALL {
                let is_kept = sentiment.is_none_or(|wanted| wanted == label.into())
                    && emotion.is_none_or(|wanted| wanted == other);
                if !is_kept {
                    kept.cells[label.index()][other.index()] = 0;
                }
            }
        }
        if emotion.is_some() || sentiment.is_some_and(|wanted| wanted != SentimentFilter::Unscored) {
            kept.unscored = 0;
        }
        if kept.cells != self.cells {
            kept.confidence_sum = 0.0;
        }
        kept
    }

    /// The number of all stored posts: [`Self::total`] plus [`Self::unscored`].
    pub fn posts(&self) -> i64 {
        self.total() + self.unscored
    }

    /// The number of posts without a sentiment, because no model for their language was available.
    pub fn unscored(&self) -> i64 {
        self.unscored
    }

    /// The number of posts with a sentiment.
    pub fn total(&self) -> i64 {
        self.cells.iter().flatten().sum()
    }

    /// The number of posts with this sentiment.
    pub fn sentiment(&self, sentiment: Sentiment) -> i64 {
        self.cells[sentiment.index()].iter().sum()
    }

    /// The number of posts with this emotion.
    pub fn emotion(&self, emotion: Emotion) -> i64 {
        self.cells.iter().map(|row| row[emotion.index()]).sum()
    }

    /// The percentage of a sentiment among the posts with a sentiment, rounded to two decimal places; 0 if there are no
    /// such posts.
    pub fn percentage(&self, sentiment: Sentiment) -> f64 {
        percentage(self.sentiment(sentiment), self.total())
    }

    /// The mean confidence of the posts with a sentiment, in [0, 1], rounded to four decimal places; 0 if there are no
    /// such posts, or if [`Self::only`] left out some.
    pub fn average_confidence(&self) -> f64 {
        match self.total() {
            0 => 0.0,
            total => ((self.confidence_sum / total as f64).clamp(0.0, 1.0) * 1e4).round() / 1e4,
        }
    }

    /// Emotions with at least one post, most frequent first, then by name.
    pub fn top_emotions(&self) -> Vec<(Emotion, i64)> {
        let mut counts: Vec<_> =
            Emotion::ALL.iter().map(|&emotion| (emotion, self.emotion(emotion))).filter(|&(_, n)| n > 0).collect();
        counts.sort_by_key(|&(emotion, count)| (std::cmp::Reverse(count), emotion));
        counts
    }
}

/// `part` of `total` in percent, rounded to two decimal places; 0 if `total` is 0.
pub fn percentage(part: i64, total: i64) -> f64 {
    if total == 0 { 0.0 } else { (part as f64 * 1e4 / total as f64).round() / 1e2 }
}
