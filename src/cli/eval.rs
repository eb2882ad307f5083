//! The command `sentistream eval`.

mod calibration;
mod exits;
mod print;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::output::Output;
use super::{CommandResult, Context, analyze, eval_checks};
use crate::app;
use crate::config::{CalibrationRef, Config, ModelRef};
use crate::domain::Analysis;
use crate::inference::eval::intervals::{self, Comparison, Intervals, ModelPredictions, compare};
use crate::inference::eval::{Labelled, Prediction, Report, read_labelled, targets};
use crate::inference::exits::DepthReport;
use crate::inference::models::{Calibration, fit};
use crate::inference::{InferenceError, LayerDepth, SharedClassifier};
use crate::language;

/// Measure the quality of the model on labelled texts.
///
/// A line of a file is {"text": "…", "sentiment": "positive", "emotions": ["joy"], "lang": "en"}; `lang`, and either
/// `sentiment` or `emotions`, may be missing. With "target": "Acme" `sentiment` is the sentiment towards Acme, and
/// the report compares it with the predicted label of the whole text and with the predicted label for Acme. Reports
/// have 95 % bootstrap intervals, for all texts, by language and by length.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream eval labelled.ndjson
  sentistream eval a.ndjson b.ndjson --json | jq .sentiment.macro_f1
  sentistream --set inference.model=./my-model eval labelled.ndjson
  sentistream eval labelled.ndjson --compare hf:cardiffnlp/twitter-roberta-base-sentiment-latest
  sentistream eval --checks
  sentistream eval labelled.ndjson --fit-calibration --calibration-out calibration.json
  sentistream eval posts.ndjson --fit-exits 0.97")]
pub struct EvalArgs {
    /// NDJSON files, or `-` for stdin. They are evaluated together.
    #[arg(required_unless_present = "checks", value_name = "FILE|-")]
    files: Vec<PathBuf>,
    /// Also classify with this model, and test whether the difference is statistically significant.
    ///
    /// The name has the form of inference.model: `builtin`, a folder, or hf:OWNER/NAME[@REVISION].
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["fit_calibration", "fit_exits", "checks"])]
    compare: Option<ModelRef>,
    /// Run 600 templated English cases in twenty capabilities instead of labelled texts.
    #[arg(long, conflicts_with_all = ["files", "fit_calibration", "fit_exits"])]
    checks: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Fit a calibration of the confidence, and store it beside the model.
    ///
    /// Half of the texts are used for the fit, the other half for the measurement. The report shows the uncalibrated
    /// model.
    #[arg(long)]
    fit_calibration: bool,
    /// Fit the thresholds of the model's early exits, and print them as a setting.
    ///
    /// Without a number, the thresholds minimise the work at the same quality, which needs labels. With a number from
    /// 0.5 to 1, they minimise the work while at least this share of texts gets the same labels as from all layers,
    /// which needs no labels. Half of the texts are used for the fit, the other half for the measurement.
    #[arg(long, value_name = "AGREEMENT", num_args = 0..=1, conflicts_with = "fit_calibration")]
    fit_exits: Option<Option<f64>>,
    /// Write the calibration to this file instead of beside the model; set inference.calibration to use it.
    #[arg(long, value_name = "FILE", requires = "fit_calibration")]
    calibration_out: Option<PathBuf>,
}

/// The maximum number of texts per call of the model.
const CHUNK: usize = 1_024;

/// Classifies all records and compares the results with their labels.
pub async fn run(args: EvalArgs, context: &Context) -> anyhow::Result<CommandResult> {
    if args.checks {
        return eval_checks::run(&context.config, args.json).await;
    }
    let mut records = Vec::new();
    for path in &args.files {
        records.extend(read_labelled(analyze::open(path)?).with_context(|| path.display().to_string())?);
    }
    anyhow::ensure!(!records.is_empty(), "the files contain no records");

    if let Some(agreement) = args.fit_exits {
        return exits::fit(records, agreement, &args, &context.config).await;
    }
    let mut config = context.config.clone();
    let places = match args.fit_calibration {
        true => Some(calibration::files(&args, &config).await?),
        false => None,
    };
    if args.fit_calibration {
        config.inference.calibration = CalibrationRef::Off;
    }
    let classifier = app::load_classifier(&config).await?;
    let start = Instant::now();
    let analyses = classify(&classifier, &records, LayerDepth::Adaptive).await?;
    let elapsed = start.elapsed();
    let full = match classifier.info().exits.is_empty() {
        true => Vec::new(),
        false => classify(&classifier, &records, LayerDepth::Full).await?,
    };
    let predictions = Prediction::all(&records, &analyses);
    let depth = DepthReport::new(classifier.info(), &predictions, &full);
    let report = Report::new(classifier.info(), &predictions, elapsed);
    let report = Report { targets: targets::report(classifier.as_ref(), &predictions).await?, ..report };
    let intervals = intervals::intervals(&predictions, &language::detect);
    let comparison = match &args.compare {
        Some(model) => {
            let one = ModelPredictions { model: &report.model, predictions: &predictions };
            compare_with(model, &context.config, one, &records).await?
        }
        None => None,
    };

    let kept = match &places {
        Some(places) => Some(calibration::store(&fit(&predictions)?, places)?),
        None => None,
    };

    let mut output = Output::new();
    if args.json {
        let calibration = kept.as_ref().map(|kept| &kept.calibration);
        output.json(&Answer { report, intervals, comparison, depth, calibration })?;
    } else {
        print::report(&report, &mut output)?;
        if let Some(targets) = &report.targets {
            print::targets(targets, &mut output)?;
        }
        if let Some(intervals) = &intervals {
            print::intervals(intervals, &mut output)?;
        }
        if let Some(comparison) = &comparison {
            print::comparison(comparison, &mut output)?;
        }
        if let Some(depth) = &depth {
            exits::print_depth(depth, &mut output)?;
        }
        if let Some(kept) = kept {
            calibration::print(&kept, &mut output)?;
        }
    }
    output.flush()?;
    Ok(CommandResult::Good)
}

/// Classifies the same texts with the model of `--compare`.
async fn compare_with(
    model: &ModelRef,
    config: &Config,
    one: ModelPredictions<'_>,
    records: &[Labelled],
) -> anyhow::Result<Option<Comparison>> {
    let mut config = config.clone();
    config.inference.model = model.clone();
    let classifier = app::load_classifier(&config).await?;
    let analyses = classify(&classifier, records, LayerDepth::Adaptive).await?;
    let other = ModelPredictions { model: &classifier.info().name, predictions: &Prediction::all(records, &analyses) };
    Ok(compare(one, other))
}

/// Classifies the texts of the records.
async fn classify(
    classifier: &SharedClassifier,
    records: &[Labelled],
    depth: LayerDepth,
) -> Result<Vec<Analysis>, InferenceError> {
    let mut analyses = Vec::with_capacity(records.len());
    for chunk in records.chunks(CHUNK) {
        let texts = chunk.iter().map(|record| record.text.clone()).collect();
        analyses.extend(match depth {
            LayerDepth::Adaptive => classifier.classify(texts).await?,
            LayerDepth::Full => classifier.classify_with(texts, depth).await?,
        });
    }
    Ok(analyses)
}

/// The report of the evaluation, and the calibration that was fitted.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    intervals: Option<Intervals>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Comparison>,
    #[serde(skip_serializing_if = "Option::is_none")]
    depth: Option<DepthReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<&'a Calibration>,
}
