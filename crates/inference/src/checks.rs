//! Behavioural checks of a model: 600 templated cases in twenty capabilities, in the manner of CheckList (Ribeiro et
//! al., "Beyond Accuracy", 2020).
//!
//! A labelled data set measures how often a model is right; these cases show which kinds of texts it classifies
//! wrongly. The cases are in English. They were written before any model was measured with them, and no model is tuned
//! on them.

mod cases;

use serde::Serialize;

use sentistream_core::domain::{Analysis, Sentiment};

pub use cases::{PER_CAPABILITY, all};

/// A case of a capability.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The name of the capability that the case tests.
    pub capability: &'static str,
    /// One text, or two texts whose results are compared.
    pub texts: Vec<String>,
    /// The result with which the case passes.
    pub expect: Expect,
}

/// The expected result of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The text has this label.
    Label(Sentiment),
    /// The text has any label except this one.
    Not(Sentiment),
    /// Both texts have the same label (an invariance test).
    Same,
    /// The score of this label for the second text is higher than for the first, equal, or at most 0.05 lower (a
    /// direction test).
    More(Sentiment),
}

/// The maximum decrease of a score with which a direction test passes.
const TOLERANCE: f32 = 0.05;
/// The maximum number of failures in the report of a capability.
const SHOWN: usize = 2;

/// The result of a model in one capability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CapabilityReport {
    /// The name of the capability.
    pub capability: &'static str,
    /// The kind of test: `label`, `invariance` or `direction`.
    pub test: &'static str,
    /// The number of cases.
    pub cases: usize,
    /// The number of cases that passed.
    pub passed: usize,
    /// The pass rate in percent.
    pub pass_rate: f64,
    /// The first failures, at most two, as examples.
    pub failures: Vec<Failure>,
}

/// A case that failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// The text of the case, or its two texts.
    pub texts: Vec<String>,
    /// The sentiment that the model gave to each text, in the same order.
    pub labels: Vec<Sentiment>,
}

/// The texts of all cases, in order.
pub fn texts(cases: &[Case]) -> Vec<String> {
    cases.iter().flat_map(|case| case.texts.iter().cloned()).collect()
}

/// Compares the analyses of [`texts`] with the expected results of the cases.
pub fn report(cases: &[Case], analyses: &[Analysis]) -> Vec<CapabilityReport> {
    let mut reports: Vec<CapabilityReport> = Vec::new();
    let mut rest = analyses;
    for case in cases {
        let (answers, others) = rest.split_at(case.texts.len().min(rest.len()));
        rest = others;
        if reports.last().is_none_or(|report| report.capability != case.capability) {
            reports.push(CapabilityReport {
                capability: case.capability,
                test: case.expect.test(),
                cases: 0,
                passed: 0,
                pass_rate: 0.0,
                failures: Vec::new(),
            });
        }
        let Some(report) = reports.last_mut() else { continue };
        report.cases += 1;
        if case.expect.holds(answers) {
            report.passed += 1;
        } else if report.failures.len() < SHOWN {
            let labels = answers.iter().map(|answer| answer.sentiment).collect();
            report.failures.push(Failure { texts: case.texts.clone(), labels });
        }
    }
    for report in &mut reports {
        report.pass_rate = (report.passed as f64 * 1e3 / report.cases.max(1) as f64).round() / 10.0;
    }
    reports
}

impl Expect {
    fn test(self) -> &'static str {
        match self {
            Self::Label(_) | Self::Not(_) => "label",
            Self::Same => "invariance",
            Self::More(_) => "direction",
        }
    }

    fn holds(self, answers: &[Analysis]) -> bool {
        match (self, answers) {
            (Self::Label(label), [answer]) => answer.sentiment == label,
            (Self::Not(label), [answer]) => answer.sentiment != label,
            (Self::Same, [first, second]) => first.sentiment == second.sentiment,
            (Self::More(label), [first, second]) => {
                let score = |answer: &Analysis| answer.scores.sentiment[label.index()];
                score(second) >= score(first) - TOLERANCE
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use sentistream_core::domain::Scores;

    #[test]
    fn suite_has_six_hundred_different_cases() {
        let cases = all();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for case in &cases {
            *counts.entry(case.capability).or_default() += 1;
        }
        assert_eq!((cases.len(), counts.len()), (600, 20));
        assert!(counts.values().all(|count| *count == PER_CAPABILITY), "{counts:?}");
        let different: BTreeSet<&Vec<String>> = cases.iter().map(|case| &case.texts).collect();
        assert_eq!(different.len(), 600);
        for case in &cases {
            let pair = matches!(case.expect, Expect::Same | Expect::More(_));
            assert_eq!(case.texts.len(), if pair { 2 } else { 1 }, "{case:?}");
            assert!(case.texts.iter().all(|text| !text.contains('{')), "{case:?}");
            assert!(case.texts.len() == 1 || case.texts[0] != case.texts[1], "{case:?}");
        }
    }

    #[test]
    fn report_counts_passed_cases_and_lists_failures() {
        let answer = |sentiment: [f32; 3]| {
            Analysis::from_scores("m".into(), Scores { sentiment, ..Scores::default() }, 3, false)
        };
        let case = |capability, texts: &[&str], expect| Case {
            capability,
            texts: texts.iter().map(|text| (*text).to_owned()).collect(),
            expect,
        };
        let cases = [
            case("praise", &["a"], Expect::Label(Sentiment::Positive)),
            case("praise", &["b"], Expect::Not(Sentiment::Negative)),
            case("shouting", &["c", "C"], Expect::Same),
            case("stress", &["d", "D"], Expect::More(Sentiment::Negative)),
        ];
        let (bad, good) = ([0.8, 0.1, 0.1], [0.1, 0.1, 0.8]);
        let analyses: Vec<Analysis> = [good, bad, good, bad, bad, [0.76, 0.2, 0.04]].map(answer).into();
        let reports = report(&cases, &analyses);
        let rates: Vec<_> = reports.iter().map(|report| (report.capability, report.pass_rate, report.test)).collect();
        assert_eq!(rates, [("praise", 50.0, "label"), ("shouting", 0.0, "invariance"), ("stress", 100.0, "direction")]);
        assert_eq!(reports[1].failures[0].labels, [Sentiment::Positive, Sentiment::Negative]);
    }
}
