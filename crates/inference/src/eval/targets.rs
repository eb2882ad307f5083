//! The quality of the sentiment towards targets. Compares the label of the whole text and the label for the target.

use std::ops::Range;
use std::time::Instant;

use serde::Serialize;

use crate::towards::{Sentences, Target};
use crate::{Classifier, InferenceError};
use sentistream_core::domain::Sentiment;

use super::intervals::{Quality, quality_of};
use super::{Labelled, Prediction};

/// The maximum number of texts per call of the classifier.
const CHUNK: usize = 1_024;

/// The quality over the records with a target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetReport {
    /// The number of records with a target and a sentiment.
    pub posts: usize,
    /// The number of these records whose text mentions the target in a clause that is not the whole text.
    pub divided: usize,
    /// The number of parts of texts that were classified in addition to the whole texts.
    pub parts: usize,
    /// The time to classify the parts, in seconds.
    pub seconds: f64,
    /// The quality if the label of the whole text is used.
    pub whole: Quality,
    /// The quality if the label for the target is used.
    pub targets: Quality,
}

/// Classifies the parts of the records with a target; `None` if there are no such records.
///
/// # Errors
/// The error of the classifier.
pub async fn report(
    classifier: &dyn Classifier,
    predictions: &[Prediction<'_>],
) -> Result<Option<TargetReport>, InferenceError> {
    let found: Vec<Case<'_>> = predictions.iter().filter_map(|of| Case::of(*of)).collect();
    let parts: Vec<String> = found.iter().flat_map(Case::parts).collect();
    let started = Instant::now();
    let mut scores = Vec::with_capacity(parts.len());
    for chunk in parts.chunks(CHUNK) {
        scores.extend(classifier.classify(chunk.to_vec()).await?.into_iter().map(|analysis| analysis.scores.sentiment));
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut rest = scores.as_slice();
    let (mut whole, mut targets) = (Vec::with_capacity(found.len()), Vec::with_capacity(found.len()));
    for Case { label, prediction: Prediction { analysis, .. }, target } in &found {
        let opinion = target.as_ref().map(|target| {
            let parts: Vec<Range<usize>> = target.parts().collect();
            let (own, others) = rest.split_at(parts.len());
            rest = others;
            let scores_of = |range: &Range<usize>| parts.iter().position(|part| part == range).map(|at| own[at]);
            target.opinion(&analysis.scores, scores_of).sentiment
        });
        whole.push((label.index(), analysis.sentiment.index()));
        targets.push((label.index(), opinion.unwrap_or(analysis.sentiment).index()));
    }
    if found.is_empty() {
        return Ok(None);
    }
    Ok(Some(TargetReport {
        posts: found.len(),
        divided: found.iter().filter(|case| case.target.is_some()).count(),
        parts: parts.len(),
        seconds,
        whole: quality_of(&whole),
        targets: quality_of(&targets),
    }))
}

/// A record with a target.
struct Case<'a> {
    prediction: Prediction<'a>,
    label: Sentiment,
    /// The parts of the text about the target; `None` if the label of the whole text applies.
    target: Option<Target>,
}

impl<'a> Case<'a> {
    /// Creates the case of a record; `None` if the record has no target or no sentiment.
    fn of(prediction: Prediction<'a>) -> Option<Self> {
        let record = prediction.record;
        let label = record.sentiment.filter(|_| record.target.is_some())?;
        let target = Target::of(&Sentences::of(&record.text), &mentions(record));
        Some(Self { prediction, label, target })
    }

    /// The texts to classify in addition to the whole text.
    fn parts(&self) -> Vec<String> {
        let text = &self.prediction.record.text;
        self.target.iter().flat_map(Target::parts).map(|part| text[part].to_owned()).collect()
    }
}

/// The ranges of bytes at which the record's text mentions its target.
fn mentions(record: &Labelled) -> Vec<Range<usize>> {
    let (text, Some(target)) = (&record.text, record.target.as_deref().filter(|target| !target.is_empty())) else {
        return Vec::new();
    };
    let at_start = record.start.and_then(|start| text.char_indices().nth(start)).map(|(at, _)| at);
    match at_start.filter(|at| text[*at..].starts_with(target)) {
        Some(at) => std::iter::once(at..at + target.len()).collect(),
        None => text.match_indices(target).map(|(at, found)| at..at + found.len()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: &str) -> Labelled {
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn target_is_found_at_given_start_or_at_every_mention() {
        let found = |line: &str| mentions(&record(line));
        assert_eq!(found(r#"{"text": "é Acme, Acme", "target": "Acme"}"#), [3..7, 9..13]);
        assert_eq!(
            found(r#"{"text": "é Acme, Acme", "target": "Acme", "start": 8}"#),
            std::iter::once(9..13).collect::<Vec<_>>()
        );
        assert_eq!(
            found(r#"{"text": "é Acme, Acme", "target": "Acme", "start": 3}"#).len(),
            2,
            "a start that is not at the target is ignored"
        );
        assert!(found(r#"{"text": "Acme"}"#).is_empty() && found(r#"{"text": "Acme", "target": ""}"#).is_empty());
    }
}
