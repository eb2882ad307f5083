//! Explains the labels of a text: the contribution of each word, by occlusion.
//!
//! The text is classified once as a whole, and once without each of its words, in one batch. The contribution of a word
//! is the decrease of the label's score without this word. It is negative if the word is evidence against the label.
//! Contributions do not add up to the score, because the effect of a word depends on the other words.

mod words;

use serde::Serialize;

use sentistream_core::domain::Analysis;

use super::{Classifier, InferenceError, LayerDepth, llm};

/// The maximum number of parts of an explanation. In longer texts, adjacent words form one part.
pub const MAX_PARTS: usize = 64;
/// The maximum number of parts of an explanation decreases with the length of the text, but not below this number.
const MIN_PARTS: usize = 8;
/// The approximate maximum number of characters that are classified to explain one text.
const MAX_ANALYSED_CHARS: usize = 100_000;
/// Replaces a text that becomes empty when its only word is removed, because models need at least one token.
const NOTHING: &str = ".";

/// The contributions of the words of a text to its labels.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Explanation {
    /// The words in the order of the text: at most 64, and fewer in texts of more than 1,562 characters. If the text
    /// has more words than this maximum, each entry consists of several adjacent words.
    pub words: Vec<WordContribution>,
}

/// The contribution of one word to the labels. Positions count Unicode code points: in JavaScript,
/// `Array.from(text).slice(start, end).join("") === word.text`.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct WordContribution {
    /// The word, or the adjacent words, as written in the text.
    pub text: String,
    /// The index of the word's first character in the text, from 0.
    pub start: usize,
    /// The index after the word's last character.
    pub end: usize,
    /// The decrease of the probability of the text's sentiment without this word, in [-1, 1].
    pub sentiment: f64,
    /// The decrease of the score of the text's emotion without this word, in [-1, 1].
    pub emotion: f64,
}

/// Classifies `text` and computes the contribution of each word.
///
/// # Errors
/// The error of the classifier; [`InferenceError::Unavailable`] if the classifier is a language model.
pub async fn explain(classifier: &dyn Classifier, text: &str) -> Result<(Analysis, Explanation), InferenceError> {
    // All variants of the text must be classified by the same model.
    let own = classifier.of_text(text).await?;
    let classifier = own.as_deref().unwrap_or(classifier);
    if classifier.info().architecture == llm::ARCHITECTURE {
        return Err(InferenceError::Unavailable("explanations need a local model, and none is loaded".to_owned()));
    }
    let parts = words::parts(text, parts_for(text.chars().count()));
    let variants = parts.iter().map(|part| {
        let rest = format!("{}{}", &text[..part.start], &text[part.end..]);
        if rest.trim().is_empty() { NOTHING.to_owned() } else { rest }
    });
    let texts: Vec<String> = std::iter::once(text.to_owned()).chain(variants).collect();
    let mut analyses = classifier.classify_with(texts, LayerDepth::Full).await?.into_iter();
    let whole = analyses.next().ok_or_else(|| InferenceError::Failed("the model returned no result".to_owned()))?;
    let (sentiment, emotion) = (whole.sentiment.index(), whole.emotion.index());
    let mut chars = Chars { text, byte: 0, char: 0 };
    let words = parts
        .into_iter()
        .zip(analyses)
        .map(|(part, without)| WordContribution {
            text: text[part.clone()].to_owned(),
            start: chars.up_to(part.start),
            end: chars.up_to(part.end),
            sentiment: difference(whole.scores.sentiment[sentiment], without.scores.sentiment[sentiment]),
            emotion: difference(whole.scores.emotion[emotion], without.scores.emotion[emotion]),
        })
        .collect();
    Ok((whole, Explanation { words }))
}

/// The approximate number of texts that are classified to explain `text`: the text itself, and one variant per part.
/// Each variant is about as long as `text`.
pub fn variants(text: &str) -> usize {
    1 + parts_for(text.chars().count()).min(text.split_whitespace().count())
}

fn parts_for(chars: usize) -> usize {
    (MAX_ANALYSED_CHARS / chars.max(1)).clamp(MIN_PARTS, MAX_PARTS)
}

/// The difference of two scores, rounded to their precision.
fn difference(with: f32, without: f32) -> f64 {
    (f64::from(with - without) * 1e6).round() / 1e6
}

/// Converts byte offsets to character indexes in one pass over a text.
struct Chars<'t> {
    text: &'t str,
    byte: usize,
    char: usize,
}

impl Chars<'_> {
    fn up_to(&mut self, byte: usize) -> usize {
        self.char += self.text[self.byte..byte].chars().count();
        self.byte = byte;
        self.char
    }
}

#[cfg(test)]
mod tests;
