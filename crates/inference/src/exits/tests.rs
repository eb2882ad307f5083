use super::*;
use crate::eval::Labelled;
use sentistream_core::domain::Scores;

fn info() -> ModelInfo {
    ModelInfo {
        name: "m".into(),
        architecture: "distilbert".into(),
        precision: "f32".into(),
        max_tokens: 8,
        parameters: 1,
        layers: 6,
        exits: vec![2, 5],
        int8_agreement: None,
        languages: Vec::new(),
        warnings: Vec::new(),
        load_ms: 1,
    }
}

fn analysis(sentiment: [f32; 3], layers: u32) -> Analysis {
    let emotion = [0.0, 0.0, 0.0, 0.9, 0.1, 0.0, 0.0];
    let analysis = Analysis::from_scores("m".into(), Scores { sentiment, emotion }, 10, false);
    Analysis { layers: Some(layers), ..analysis }
}

const GOOD: [f32; 3] = [0.1, 0.1, 0.8];
const BAD: [f32; 3] = [0.8, 0.1, 0.1];

fn record(line: &str) -> Labelled {
    serde_json::from_str(line).unwrap()
}

#[test]
fn depth_report_counts_layers_exits_and_agreement() {
    let label = || record(r#"{"text": "a", "sentiment": "positive"}"#);
    let (records, analyses) = ([label(), label()], [analysis(GOOD, 2), analysis(BAD, 6)]);
    let predictions = Prediction::all(&records, &analyses);
    let full = [analysis(GOOD, 6), analysis(GOOD, 6)];
    let report = DepthReport::new(&info(), &predictions, &full).unwrap();
    // The first text costs 11: ten tokens times one layer, and one exit. The second text costs 53: ten tokens times
    // five layers, two exits, and the last layer.
    assert!((report.layers_per_token - (11.0 + 53.0) / 20.0).abs() < 1e-9, "{report:?}");
    assert!((report.all_layers_per_token - 5.1).abs() < 1e-9, "{report:?}");
    assert_eq!(report.leaving, BTreeMap::from([(2, 0.5), (5, 0.0), (6, 0.5)]));
    assert_eq!((report.same_sentiment, report.same_emotion), (0.5, 1.0));
    assert_eq!(report.all_layers_sentiment.unwrap().accuracy, 1.0);
    let without = ModelInfo { exits: Vec::new(), ..info() };
    assert_eq!(DepthReport::new(&without, &predictions, &full), None);
}

fn exit(gate: f32, analysis: Analysis) -> ExitTrace {
    ExitTrace { gate, analysis }
}

fn labelled(trace: TextTrace) -> TracedRecord {
    TracedRecord { record: record(r#"{"text": "a", "sentiment": "positive"}"#), trace }
}

/// Texts whose first exit is correct if and only if its gate (the value that is compared with the threshold) is above
/// 0.8. The second exit is always correct.
fn traces() -> Vec<TracedRecord> {
    let one = |n: u32| {
        let gate = 0.5 + 0.5 * (n % 100) as f32 / 100.0;
        let first = if gate > 0.8 { GOOD } else { BAD };
        let exits = vec![exit(gate, analysis(first, 2)), exit(0.9, analysis(GOOD, 5))];
        labelled(TextTrace { exits, last: analysis(GOOD, 6) })
    };
    (0..1_000).map(|n| one(n / 2)).collect()
}

#[test]
fn fitted_thresholds_keep_quality_and_agreement() {
    let by_quality = fit(&info(), &traces(), FitGoal::Quality).unwrap();
    assert!((0.79..=0.81).contains(&by_quality.thresholds[&2]), "{by_quality:?}");
    assert!(by_quality.thresholds[&5] < 0.9, "{by_quality:?}");
    assert_eq!((by_quality.agreement, by_quality.quality), (1.0, by_quality.all_layers_quality));
    let by_agreement = fit(&info(), &traces(), FitGoal::Agreement(0.9)).unwrap();
    assert!((0.69..=0.75).contains(&by_agreement.thresholds[&2]), "{by_agreement:?}");
    assert!((by_agreement.agreement - 0.9).abs() < 0.03, "{by_agreement:?}");
    assert!(by_agreement.layers_per_token < by_quality.layers_per_token);
}

#[test]
fn fit_without_texts_or_labels_is_an_error() {
    assert!(matches!(fit(&info(), &traces()[..9], FitGoal::Quality), Err(fit::ExitFitError::TooFew { found: 9 })));
    let unlabelled: Vec<_> =
        traces().into_iter().map(|of| TracedRecord { record: record(r#"{"text": "a"}"#), ..of }).collect();
    assert_eq!(fit(&info(), &unlabelled, FitGoal::Quality), Err(fit::ExitFitError::NoLabels));
    assert!(fit(&info(), &unlabelled, FitGoal::Agreement(0.95)).is_ok());
}

/// The exit is wrong where its gate is above 0.98, so the first steps of the search reduce the quality. Where the gate
/// is below 0.98, the exit is better than the last layer.
#[test]
fn fit_continues_after_a_step_that_loses_quality() {
    let one = |n: u32| {
        // The last layer is wrong for one of ten texts.
        let gate = 0.5 + 0.5 * (n % 100) as f32 / 100.0;
        let exit = if gate > 0.98 { BAD } else { GOOD };
        let last = if n.is_multiple_of(10) { BAD } else { GOOD };
        let exits = vec![self::exit(0.0, analysis(GOOD, 2)), self::exit(gate, analysis(exit, 5))];
        labelled(TextTrace { exits, last: analysis(last, 6) })
    };
    let traces: Vec<_> = (0..1_000).map(|n| one(n / 2)).collect();
    let fitted = fit(&info(), &traces, FitGoal::Quality).unwrap();
    assert!(fitted.thresholds[&5] < 0.9 && fitted.quality >= fitted.all_layers_quality, "{fitted:?}");
}
