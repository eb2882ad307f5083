//! Determines the sentiment of a text towards one of several things that it mentions.
//!
//! The label of a whole text is not valid for everything in it: `I love Acme, but Apex is terrible` is positive about
//! Acme and negative about Apex. [`Target`] finds the parts of a text that are about one target: wide and narrow
//! clauses around its mentions, and the nearest words. The same model classifies the parts, and [`Target::opinion`]
//! combines their scores with those of the whole text. A text that consists of one clause needs no parts.
//!
//! The weights were fitted to the development parts of public data sets with labels for targets. docs/topics.md has the
//! results for the test parts.

mod clauses;

use std::collections::BTreeSet;
use std::ops::Range;

use clauses::Width;
use sentistream_core::domain::{Scores, Sentiment};

pub use clauses::Sentences;

/// The maximum number of mentions of one target that are considered.
const MAX_MENTIONS: usize = 6;
/// The weights of the logarithms of scores: for the whole text, then for the parts in the order of [`Target::scales`].
const WEIGHTS: [f32; 4] = [0.12, 0.20, 0.30, 0.29];
/// The bias of each sentiment, in the order of [`Sentiment::ALL`]. It is a correction, because models classify parts of
/// texts as neutral more often than people do.
const BIAS: [f32; 3] = [0.24, -0.28, 0.27];
/// Added to each score, so that a single score near zero does not determine the result.
const FLOOR: f32 = 1e-4;

/// The parts of a text that are about one target. Ranges are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The wide clauses, the narrow clauses and the nearest words of all mentions. Each list is sorted and has no
    /// duplicates.
    scales: [Vec<Range<usize>>; 3],
    /// The range of the trimmed text, for which the caller already has the scores.
    whole: Range<usize>,
}

/// The sentiment of a text towards a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Opinion {
    /// The sentiment towards the target.
    pub sentiment: Sentiment,
    /// The probability of `sentiment`, in [0, 1].
    pub confidence: f64,
    /// The range of bytes of the narrow clause with the highest score for `sentiment`, among those around the mentions.
    pub clause: Range<usize>,
}

impl Target {
    /// Finds the parts of a text about a target that is mentioned at these ranges of bytes. `None` if the label of the
    /// whole text applies: the target is not mentioned, or only by tags (hashtags, names with `@`) outside of sentences
    /// with words, or the text is a single clause.
    pub fn of(sentences: &Sentences<'_>, mentions: &[Range<usize>]) -> Option<Self> {
        let text = sentences.text();
        let mut all: Vec<Range<usize>> = Vec::new();
        for mention in mentions.iter().take(MAX_MENTIONS) {
            // Tags after the text are about the whole text. A part that consists of tags would always be classified as
            // neutral, so it is not used.
            if !sentences.is_only_tags(mention) {
                all.push(mention.clone());
            }
            all.extend(
                sentences.pronoun_after(mention).filter(|place| !mentions.iter().any(|other| overlap(other, place))),
            );
        }
        let parts = |part: &dyn Fn(&Range<usize>) -> Range<usize>| -> Vec<Range<usize>> {
            let ranges: BTreeSet<(usize, usize)> =
                all.iter().map(part).map(|range| (range.start, range.end)).filter(|(start, end)| start < end).collect();
            ranges.into_iter().map(|(start, end)| start..end).collect()
        };
        let narrow = parts(&|mention| sentences.clause(mention, Width::Narrow));
        let lead = text.len() - text.trim_start().len();
        let whole = lead..lead + text.trim().len();
        if narrow.iter().all(|range| *range == whole) {
            return None;
        }
        let scales = [
            parts(&|mention| sentences.clause(mention, Width::Wide)),
            narrow,
            parts(&|mention| sentences.nearby(mention)),
        ];
        Some(Self { scales, whole })
    }

    /// The parts to classify, without duplicates and without the whole text.
    pub fn parts(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let parts = self.scales.iter().flatten().filter(|range| **range != self.whole);
        let distinct: BTreeSet<(usize, usize)> = parts.map(|range| (range.start, range.end)).collect();
        distinct.into_iter().map(|(start, end)| start..end)
    }

    /// Combines the scores of the whole text with those of the parts. `scores_of` returns the scores of a part.
    pub fn opinion(&self, whole: &Scores, scores_of: impl Fn(&Range<usize>) -> Option<[f32; 3]>) -> Opinion {
        let mut logits = BIAS;
        let mut add = |scores: &[f32; 3], weight: f32| {
            for (logit, score) in logits.iter_mut().zip(scores) {
                *logit += weight * (score + FLOOR).ln();
            }
        };
        let scores_of = |range: &Range<usize>| {
            if *range == self.whole { Some(whole.sentiment) } else { scores_of(range) }
        };
        add(&whole.sentiment, WEIGHTS[0]);
        for (ranges, weight) in self.scales.iter().zip(&WEIGHTS[1..]) {
            let found: Vec<[f32; 3]> = ranges.iter().filter_map(&scores_of).collect();
            add(&if found.is_empty() { whole.sentiment } else { mean(&found) }, *weight);
        }
        let probabilities = softmax(logits);
        let (sentiment, confidence) = Scores { sentiment: probabilities, emotion: whole.emotion }.top_sentiment();
        let score = |range: &Range<usize>| scores_of(range).map_or(0.0, |scores| scores[sentiment.index()]);
        let clause = self.scales[1].iter().max_by(|one, other| score(one).total_cmp(&score(other)));
        Opinion {
            sentiment,
            confidence: f64::from(confidence).clamp(0.0, 1.0),
            clause: clause.cloned().unwrap_or_default(),
        }
    }
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

fn mean(all: &[[f32; 3]]) -> [f32; 3] {
    let share = 1.0 / all.len() as f32;
    all.iter().fold([0.0; 3], |sum, scores| std::array::from_fn(|class| sum[class] + share * scores[class]))
}

fn softmax(logits: [f32; 3]) -> [f32; 3] {
    let largest = logits.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.map(|logit| (logit - largest).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}

#[cfg(test)]
mod tests;
