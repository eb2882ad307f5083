//! `sentistream eval`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;

use super::output::Output;
use super::{Context, Verdict, analyze};
use crate::app;
use crate::inference::eval::{ClassReport, Report, read_labelled};

/// Measure the model against texts that people labelled.
///
/// A line of a file is {"text": "…", "sentiment": "positive", "emotions": ["joy"]}; one of sentiment
/// and emotions may be missing.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream eval labelled.ndjson
  sentistream eval a.ndjson b.ndjson --json | jq .sentiment.macro_f1
  sentistream --set inference.model=./my-model eval labelled.ndjson")]
pub struct EvalArgs {
    /// NDJSON files, or `-` for stdin; all of them make one report.
    #[arg(required = true, value_name = "FILE|-")]
    files: Vec<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Most texts that are handed to the model at once.
const CHUNK: usize = 1_024;

/// Judges all records and compares.
pub async fn run(args: EvalArgs, context: &Context) -> anyhow::Result<Verdict> {
    let mut records = Vec::new();
    for path in &args.files {
        records.extend(read_labelled(analyze::open(path)?).with_context(|| path.display().to_string())?);
    }
    anyhow::ensure!(!records.is_empty(), "there are no records to judge");

    let classifier = app::load_classifier(&context.config).await?;
    let start = Instant::now();
    let mut analyses = Vec::with_capacity(records.len());
    for chunk in records.chunks(CHUNK) {
        let texts = chunk.iter().map(|record| record.text.clone()).collect();
        analyses.extend(classifier.classify(texts).await?);
    }
    let elapsed = start.elapsed();
    let judged: Vec<_> = records.into_iter().zip(analyses).collect();
    let report = Report::new(classifier.info(), &judged, elapsed);

    let mut output = Output::new();
    if args.json {
        output.json(&report)?;
    } else {
        print(&report, &mut output)?;
    }
    output.flush()?;
    Ok(Verdict::Good)
}

fn print(report: &Report, output: &mut Output) -> anyhow::Result<()> {
    output.line(format!(
        "{} ({}): {} posts, {:.0} posts/s",
        report.model, report.precision, report.posts, report.posts_per_second
    ))?;
    if let Some(sentiment) = &report.sentiment {
        output.line(format!(
            "\nSentiment: accuracy {:.4}, macro recall {:.4}, macro F1 {:.4}, calibration error {:.4}",
            sentiment.accuracy, sentiment.macro_recall, sentiment.macro_f1, sentiment.ece
        ))?;
        print_classes(&sentiment.per_class, output)?;
        output.line("\nLabelled (rows) and judged (columns):")?;
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
            "\nEmotion: macro F1 {:.4} (present above {}), top emotion among the labels {:.4}",
            emotion.macro_f1, emotion.threshold, emotion.top1
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
