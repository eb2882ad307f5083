//! The quality of the sentiment towards targets: labels of whole texts against labels for the target.

use std::ops::Range;
use std::time::Instant;

use serde::Serialize;

use crate::domain::{Analysis, Sentiment};
use crate::inference::towards::{Sentences, Target};
use crate::inference::{Classifier, InferenceError};

use super::Labelled;
use super::intervals::{Quality, quality_of};

/// The maximum number of texts per call of the model.
const CHUNK: usize = 1_024;

/// The quality over the records with a target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetReport {
    /// The number of records.
    pub posts: usize,
    /// The number of records whose text has several clauses.
    pub divided: usize,
    /// The number of parts that were classified in addition to the texts.
    pub parts: usize,
    /// The time that the parts took, in seconds.
    pub seconds: f64,
    /// The label of the whole text.
    pub whole: Quality,
    /// The label for the target.
    pub targets: Quality,
}

/// Classifies the parts of the records with a target; `None` if there are no such records.
///
/// # Errors
/// Those of the classifier.
pub async fn report(
    classifier: &dyn Classifier,
    judged: &[(Labelled, Analysis)],
) -> Result<Option<TargetReport>, InferenceError> {
    let found: Vec<(&Labelled, &Analysis, Sentiment, Option<Target>)> = judged
        .iter()
        .filter_map(|(record, analysis)| {
            let mentions = mentions(record);
            let target = Target::of(&Sentences::of(&record.text), &mentions);
            record.sentiment.filter(|_| record.target.is_some()).map(|label| (record, analysis, label, target))
        })
        .collect();
    let parts: Vec<String> = found
        .iter()
        .filter_map(|(record, _, _, target)| Some((record, target.as_ref()?)))
        .flat_map(|(record, target)| target.parts().map(|part| record.text[part].to_owned()))
        .collect();
    let started = Instant::now();
    let mut scores = Vec::with_capacity(parts.len());
    for chunk in parts.chunks(CHUNK) {
        scores.extend(classifier.classify(chunk.to_vec()).await?.into_iter().map(|analysis| analysis.scores.sentiment));
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut rest = scores.as_slice();
    let mut pairs = Vec::with_capacity(found.len());
    for (_, analysis, label, target) in &found {
        let opinion = target.as_ref().map(|target| {
            let parts: Vec<Range<usize>> = target.parts().collect();
            let (own, others) = rest.split_at(parts.len());
            rest = others;
            let scores_of = |range: &Range<usize>| parts.iter().position(|part| part == range).map(|at| own[at]);
            target.judge(&analysis.scores, scores_of).sentiment
        });
        pairs.push((label.index(), analysis.sentiment.index(), opinion.unwrap_or(analysis.sentiment).index()));
    }
    if pairs.is_empty() {
        return Ok(None);
    }
    Ok(Some(TargetReport {
        posts: pairs.len(),
        divided: found.iter().filter(|(_, _, _, target)| target.is_some()).count(),
        parts: parts.len(),
        seconds,
        whole: quality_of(&pairs.iter().map(|(label, whole, _)| (*label, *whole)).collect::<Vec<_>>()),
        targets: quality_of(&pairs.iter().map(|(label, _, target)| (*label, *target)).collect::<Vec<_>>()),
    }))
}

/// Where the record's text mentions its target.
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
    fn target_is_found_at_its_start_or_everywhere() {
        let found = |line: &str| mentions(&record(line));
        assert_eq!(found(r#"{"text": "é Acme, Acme", "target": "Acme"}"#), [3..7, 9..13]);
        assert_eq!(
            found(r#"{"text": "é Acme, Acme", "target": "Acme", "start": 8}"#),
            std::iter::once(9..13).collect::<Vec<_>>()
        );
        assert_eq!(found(r#"{"text": "é Acme, Acme", "target": "Acme", "start": 3}"#).len(), 2, "not at the target");
        assert!(found(r#"{"text": "Acme"}"#).is_empty() && found(r#"{"text": "Acme", "target": ""}"#).is_empty());
    }
}
