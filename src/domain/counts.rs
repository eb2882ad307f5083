//! Counts of posts by sentiment and emotion.

use super::{Emotion, PostLabels, Sentiment, SentimentFilter};

/// How many posts of each sentiment and emotion, and the sum of their confidences; beside them the unscored posts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    cells: [[i64; 7]; 3],
    unscored: i64,
    confidence_sum: f64,
}

impl Counts {
    /// Adds `count` posts whose confidences sum to `confidence_sum`; negative numbers subtract. Without labels they are
    /// unscored, and have no confidence.
    pub fn add(&mut self, labels: Option<PostLabels>, count: i64, confidence_sum: f64) {
        match labels {
            Some(PostLabels { sentiment, emotion }) => {
                self.cells[sentiment.index()][emotion.index()] += count;
                self.confidence_sum += confidence_sum;
            }
            None => self.unscored += count,
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (row, other_row) in self.cells.iter_mut().zip(&other.cells) {
            for (cell, other_cell) in row.iter_mut().zip(other_row) {
                *cell += other_cell;
            }
        }
        self.unscored += other.unscored;
        self.confidence_sum += other.confidence_sum;
    }

    /// The posts of one sentiment (or the unscored ones), one emotion or both, where given. The sum of confidences is not
    /// known by label: it is 0 of what is narrowed.
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

    /// All stored posts: [`Self::total`] and [`Self::unscored`].
    pub fn posts(&self) -> i64 {
        self.total() + self.unscored
    }

    /// Posts without a sentiment: no model that is in use knows their language.
    pub fn unscored(&self) -> i64 {
        self.unscored
    }

    /// Posts with a sentiment.
    pub fn total(&self) -> i64 {
        self.cells.iter().flatten().sum()
    }

    /// Posts of one sentiment.
    pub fn sentiment(&self, sentiment: Sentiment) -> i64 {
        self.cells[sentiment.index()].iter().sum()
    }

    /// Posts of one emotion.
    pub fn emotion(&self, emotion: Emotion) -> i64 {
        self.cells.iter().map(|row| row[emotion.index()]).sum()
    }

    /// Share of one sentiment in percent, rounded to two decimal places; 0 when there are no posts.
    pub fn percentage(&self, sentiment: Sentiment) -> f64 {
        percentage(self.sentiment(sentiment), self.total())
    }

    /// Mean confidence, in [0, 1], rounded to four decimal places; 0 when there are no posts.
    pub fn average_confidence(&self) -> f64 {
        match self.total() {
            0 => 0.0,
            total => ((self.confidence_sum / total as f64).clamp(0.0, 1.0) * 1e4).round() / 1e4,
        }
    }

    /// Emotions that occur, most frequent first, then in the order of their names.
    pub fn top_emotions(&self) -> Vec<(Emotion, i64)> {
        let mut counts: Vec<_> =
            Emotion::ALL.iter().map(|&emotion| (emotion, self.emotion(emotion))).filter(|&(_, n)| n > 0).collect();
        counts.sort_by_key(|&(emotion, count)| (std::cmp::Reverse(count), emotion));
        counts
    }
}

/// `part` of `total` in percent, rounded to two decimal places; 0 when `total` is 0.
pub fn percentage(part: i64, total: i64) -> f64 {
    if total == 0 { 0.0 } else { (part as f64 * 1e4 / total as f64).round() / 1e2 }
}
