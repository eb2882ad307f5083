//! `sentistream eval`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::output::Output;
use super::{Context, Misuse, Verdict, analyze, eval_checks};
use crate::app;
use crate::config::{CalibrationRef, Config, ModelRef};
use crate::domain::Analysis;
use crate::inference::eval::intervals::{Comparison, Estimate, Intervals, Quality, compare, intervals};
use crate::inference::eval::targets::{self, TargetReport};
use crate::inference::eval::{ClassReport, Labelled, Report, read_labelled};
use crate::inference::exits::{self, DepthReport, FitGoal};
use crate::inference::models::{self, Calibration, CalibrationFiles, fit};
use crate::inference::{Depth, ExitPolicy};
use crate::language;

/// Measure the quality of the model on labelled texts.
///
/// A line of a file is {"text": "…", "sentiment": "positive", "emotions": ["joy"], "lang": "en"}; `lang`, and either
/// `sentiment` or `emotions`, may be missing. With "target": "Acme" the sentiment is the one towards Acme, and the
/// report compares it with the label of the whole text and with the label for the target. Reports have 95 % bootstrap intervals, for all texts, by language and by
/// length.
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
    /// As JSON.
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
    /// Write the calibration to this file and not beside the model; set inference.calibration to use it.
    #[arg(long, value_name = "FILE", requires = "fit_calibration")]
    calibration_out: Option<PathBuf>,
}

/// The maximum number of texts per call of the model.
const CHUNK: usize = 1_024;

/// Classifies all records and compares.
pub async fn run(args: EvalArgs, context: &Context) -> anyhow::Result<Verdict> {
    if args.checks {
        return eval_checks::run(&context.config, args.json).await;
    }
    let mut records = Vec::new();
    for path in &args.files {
        records.extend(read_labelled(analyze::open(path)?).with_context(|| path.display().to_string())?);
    }
    anyhow::ensure!(!records.is_empty(), "there are no records");

    if let Some(agreement) = args.fit_exits {
        return fit_exits(records, agreement, &args, &context.config).await;
    }
    let mut config = context.config.clone();
    let places = match args.fit_calibration {
        true => Some(places(&args, &config).await?),
        false => None,
    };
    if args.fit_calibration {
        config.inference.calibration = CalibrationRef::Off;
    }
    let classifier = app::load_classifier(&config).await?;
    let start = Instant::now();
    let mut analyses = Vec::with_capacity(records.len());
    for chunk in records.chunks(CHUNK) {
        let texts = chunk.iter().map(|record| record.text.clone()).collect();
        analyses.extend(classifier.classify(texts).await?);
    }
    let elapsed = start.elapsed();
    let mut full = Vec::with_capacity(records.len());
    if !classifier.info().exits.is_empty() {
        for chunk in records.chunks(CHUNK) {
            let texts = chunk.iter().map(|record| record.text.clone()).collect();
            full.extend(classifier.classify_with(texts, Depth::Full).await?);
        }
    }
    let judged: Vec<_> = records.into_iter().zip(analyses).collect();
    let depth = DepthReport::new(classifier.info(), &judged, &full);
    let report = Report::new(classifier.info(), &judged, elapsed);
    let report = Report { targets: targets::report(classifier.as_ref(), &judged).await?, ..report };
    let intervals = intervals(&judged, &language::detect);
    let comparison = match &args.compare {
        Some(model) => compare_with(model, &context.config, (&report.model, &judged)).await?,
        None => None,
    };

    let kept = match &places {
        Some(places) => Some(keep(&fit(&judged)?, places)?),
        None => None,
    };

    let mut output = Output::new();
    if args.json {
        let calibration = kept.as_ref().map(|kept| &kept.calibration);
        output.json(&Answer { report, intervals, comparison, depth, calibration })?;
    } else {
        print(&report, &mut output)?;
        if let Some(targets) = &report.targets {
            print_targets(targets, &mut output)?;
        }
        if let Some(intervals) = &intervals {
            print_intervals(intervals, &mut output)?;
        }
        if let Some(comparison) = &comparison {
            print_comparison(comparison, &mut output)?;
        }
        if let Some(depth) = &depth {
            print_depth(depth, &mut output)?;
        }
        if let Some(kept) = kept {
            print_calibration(&kept, &mut output)?;
        }
    }
    output.flush()?;
    Ok(Verdict::Good)
}

/// Classifies the same texts with another model.
async fn compare_with(
    model: &ModelRef,
    config: &Config,
    (name, judged): (&str, &[(Labelled, Analysis)]),
) -> anyhow::Result<Option<Comparison>> {
    let mut config = config.clone();
    config.inference.model = model.clone();
    let classifier = app::load_classifier(&config).await?;
    let mut others = Vec::with_capacity(judged.len());
    for chunk in judged.chunks(CHUNK) {
        let texts = chunk.iter().map(|(record, _)| record.text.clone()).collect();
        others.extend(classifier.classify(texts).await?);
    }
    Ok(compare((name, judged), (&classifier.info().name, &others)))
}

fn print_targets(report: &TargetReport, output: &mut Output) -> anyhow::Result<()> {
    let TargetReport { posts, divided, parts, seconds, whole, targets } = report;
    output.line(format!(
        "\nTowards the target, over {posts} texts, of which {divided} have several clauses ({parts} parts, {seconds:.1} s):"
    ))?;
    let row = |name: &str, quality: &Quality| {
        let shown = |of: Estimate| format!("{:.3} ({:.3} to {:.3})", of.value, of.low, of.high);
        [name.to_owned(), shown(quality.accuracy), shown(quality.macro_f1)]
    };
    let head = ["label of", "accuracy", "macro F1"].map(str::to_owned);
    Ok(output.table(&[head, row("the whole text", whole), row("the target", targets)])?)
}

fn print_intervals(intervals: &Intervals, output: &mut Output) -> anyhow::Result<()> {
    output.line("\nWith 95 % intervals:")?;
    let mut rows = vec![["texts", "posts", "accuracy", "macro F1"].map(str::to_owned)];
    let row = |name: &str, quality: &Quality| {
        let shown = |of: Estimate| format!("{:.3} ({:.3} to {:.3})", of.value, of.low, of.high);
        [name.to_owned(), quality.posts.to_string(), shown(quality.accuracy), shown(quality.macro_f1)]
    };
    rows.push(row("all", &intervals.all));
    rows.extend(intervals.by_language.iter().map(|(lang, quality)| row(&format!("language {lang}"), quality)));
    rows.extend(intervals.by_length.iter().map(|(length, quality)| row(&format!("{length} characters"), quality)));
    Ok(output.table(&rows)?)
}

fn print_comparison(comparison: &Comparison, output: &mut Output) -> anyhow::Result<()> {
    let Comparison { model, other, only_model, only_other, accuracy, macro_f1, p_value, .. } = comparison;
    let shown = |of: &Estimate| format!("{:+.4} ({:+.4} to {:+.4})", of.value, of.low, of.high);
    output.line(format!(
        "\n{other} against {model}: accuracy {}, macro F1 {}; only one model right: {only_other} against {only_model} texts, \
         p = {p_value:.4} (McNemar)",
        shown(accuracy),
        shown(macro_f1)
    ))?;
    Ok(())
}

/// Fits the thresholds of exits and prints them.
async fn fit_exits(
    records: Vec<Labelled>,
    agreement: Option<f64>,
    args: &EvalArgs,
    config: &Config,
) -> anyhow::Result<Verdict> {
    let goal = match agreement {
        Some(agreement) if !(0.5..=1.0).contains(&agreement) => {
            return Err(Misuse(format!("--fit-exits must be between 0.5 and 1, is {agreement}")).into());
        }
        Some(agreement) => FitGoal::Agreement(agreement),
        None => FitGoal::Quality,
    };
    let mut options = app::inference_options(config)?;
    options.exits = ExitPolicy::Auto;
    let fitted = tokio::task::spawn_blocking(move || {
        let texts: Vec<String> = records.iter().map(|record| record.text.clone()).collect();
        let (info, traces) = exits::trace(&options, &texts)?;
        anyhow::Ok(exits::fit(&info, &records.into_iter().zip(traces).collect::<Vec<_>>(), goal)?)
    });
    let fitted = fitted.await??;
    let mut output = Output::new();
    if args.json {
        output.json(&fitted)?;
    } else {
        output.line(format!(
            "fitted on {} texts; of {} other texts {:.1} % get the labels of all layers, with {:.2} layers per token on average",
            fitted.fitted_on,
            fitted.measured_on,
            100.0 * fitted.agreement,
            fitted.layers_per_token
        ))?;
        if let (Some(quality), Some(all)) = (fitted.quality, fitted.all_layers_quality) {
            output.line(format!("quality {quality:.4}, with all layers {all:.4}"))?;
        }
        let thresholds = fitted.thresholds.iter().map(|(layer, threshold)| format!("{layer} = {threshold}"));
        let thresholds = thresholds.collect::<Vec<_>>().join(", ");
        output.line(format!("to use them: --set 'inference.exit_thresholds={{{thresholds}}}'"))?;
    }
    output.flush()?;
    Ok(Verdict::Good)
}

fn print_depth(depth: &DepthReport, output: &mut Output) -> anyhow::Result<()> {
    let leaving = depth.leaving.iter().map(|(layer, share)| format!("{layer}: {:.1} %", 100.0 * share));
    output.line(format!(
        "\nExits: {:.2} of {:.2} layers per token; exits after layer {}; same labels as all layers: sentiment {:.1} %, \
         emotion {:.1} %",
        depth.layers_per_token,
        depth.all_layers_per_token,
        leaving.collect::<Vec<_>>().join(", "),
        100.0 * depth.same_sentiment,
        100.0 * depth.same_emotion
    ))?;
    if let Some(sentiment) = &depth.all_layers_sentiment {
        output.line(format!(
            "All layers, sentiment: accuracy {:.4}, macro recall {:.4}, macro F1 {:.4}",
            sentiment.accuracy, sentiment.macro_recall, sentiment.macro_f1
        ))?;
    }
    if let Some(emotion) = &depth.all_layers_emotion {
        output.line(format!(
            "All layers, emotion: macro F1 {:.4}, top emotion among the labels {:.4}",
            emotion.macro_f1, emotion.top1
        ))?;
    }
    Ok(())
}

/// The report, and the calibration that was fitted.
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

/// A calibration, and the files that it was written to.
struct StoredCalibration {
    calibration: Calibration,
    files: Vec<PathBuf>,
}

/// The files to write the calibration to. They are checked first, because the evaluation takes long.
async fn places(args: &EvalArgs, config: &Config) -> anyhow::Result<CalibrationFiles> {
    if let Some(path) = &args.calibration_out {
        return Ok(CalibrationFiles { sentiment: Some(path.clone()), emotion: Some(path.clone()) });
    }
    let options = app::inference_options(config)?;
    let places = tokio::task::spawn_blocking(move || models::calibration_files(&options)).await??;
    if places.sentiment.is_none() && places.emotion.is_none() {
        let reason = "the builtin model is part of this program: pass a file with --calibration-out, and set \
                      inference.calibration to it";
        return Err(Misuse(reason.to_owned()).into());
    }
    Ok(places)
}

fn keep(calibration: &Calibration, places: &CalibrationFiles) -> anyhow::Result<StoredCalibration> {
    let parts = [
        (&places.sentiment, Calibration { sentiment: calibration.sentiment.clone(), emotion: None }),
        (&places.emotion, Calibration { sentiment: None, emotion: calibration.emotion.clone() }),
    ];
    let mut files = Vec::new();
    for (path, part) in parts {
        if let Some(path) = path.as_ref().filter(|_| part != Calibration::default()) {
            models::store_calibration(path, &part)?;
            files.push(path.clone());
        }
    }
    files.dedup();
    Ok(StoredCalibration { calibration: calibration.clone(), files })
}

fn print_calibration(kept: &StoredCalibration, output: &mut Output) -> anyhow::Result<()> {
    let heads = [("Sentiment", &kept.calibration.sentiment), ("Emotion", &kept.calibration.emotion)];
    for (name, fit) in heads {
        if let Some(fit) = fit {
            output.line(format!(
                "\n{name}: temperature {} from {} posts; on {} others the calibration error goes from {:.4} to {:.4}, \
                 the loss from {:.4} to {:.4}",
                fit.temperature,
                fit.fitted_on,
                fit.measured_on,
                fit.ece_before,
                fit.ece_after,
                fit.nll_before,
                fit.nll_after
            ))?;
        }
    }
    for file in &kept.files {
        output.line(format!("stored in {}", file.display()))?;
    }
    Ok(())
}

fn print(report: &Report, output: &mut Output) -> anyhow::Result<()> {
    output.line(format!(
        "{} ({}): {} posts, {:.0} posts/s",
        report.model, report.precision, report.posts, report.posts_per_second
    ))?;
    for warning in &report.warnings {
        output.line(format!("warning: {warning}"))?;
    }
    if let Some(sentiment) = &report.sentiment {
        output.line(format!(
            "\nSentiment: accuracy {:.4}, macro recall {:.4}, macro F1 {:.4}, calibration error {:.4}",
            sentiment.accuracy, sentiment.macro_recall, sentiment.macro_f1, sentiment.ece
        ))?;
        print_classes(&sentiment.per_class, output)?;
        output.line("\nLabels (rows) and predictions (columns):")?;
        let labels = ["negative", "neutral", "positive"];
        let mut rows = vec![["".to_owned(), labels[0].to_owned(), labels[1].to_owned(), labels[2].to_owned()]];
        for label in labels {
            let count = |judged: &str| {
                let row = sentiment.confusion.get(label);
                row.and_then(|row| row.get(judged)).copied().unwrap_or_default().to_string()
            };
            rows.push([label.to_owned(), count(labels[0]), count(labels[1]), count(labels[2])]);
        }
        output.table(&rows)?;
    }
    if let Some(emotion) = &report.emotion {
        output.line(format!(
            "\nEmotion: macro F1 {:.4} (present above {}), top emotion among the labels {:.4}, calibration error {:.4}",
            emotion.macro_f1, emotion.threshold, emotion.top1, emotion.ece
        ))?;
        print_classes(&emotion.per_class, output)?;
    }
    Ok(())
}

fn print_classes(classes: &BTreeMap<&'static str, ClassReport>, output: &mut Output) -> anyhow::Result<()> {
    let mut rows = vec![["class", "precision", "recall", "F1", "posts"].map(str::to_owned)];
    for (name, class) in classes {
        let number = |value: f64| format!("{value:.4}");
        rows.push([
            (*name).to_owned(),
            number(class.precision),
            number(class.recall),
            number(class.f1),
            class.support.to_string(),
        ]);
    }
    Ok(output.table(&rows)?)
}
