//! Prints the report of `eval` as text.

use std::collections::BTreeMap;

use crate::cli::output::Output;
use crate::inference::eval::intervals::{Comparison, Estimate, Intervals, Quality};
use crate::inference::eval::targets::TargetReport;
use crate::inference::eval::{ClassReport, Report};

pub(super) fn report(report: &Report, output: &mut Output) -> anyhow::Result<()> {
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
        classes(&sentiment.per_class, output)?;
        output.line("\nLabels (rows) and predictions (columns):")?;
        let labels = ["negative", "neutral", "positive"];
        let mut rows = vec![["".to_owned(), labels[0].to_owned(), labels[1].to_owned(), labels[2].to_owned()]];
        for label in labels {
            let count = |predicted: &str| {
                let row = sentiment.confusion.get(label);
                row.and_then(|row| row.get(predicted)).copied().unwrap_or_default().to_string()
            };
            rows.push([label.to_owned(), count(labels[0]), count(labels[1]), count(labels[2])]);
        }
        output.table(&rows)?;
    }
    if let Some(emotion) = &report.emotion {
        output.line(format!(
            "\nEmotion: macro F1 {:.4} (an emotion is present above {}), top emotion among the labels {:.4}, calibration error {:.4}",
            emotion.macro_f1, emotion.threshold, emotion.top1, emotion.ece
        ))?;
        classes(&emotion.per_class, output)?;
    }
    Ok(())
}

fn classes(classes: &BTreeMap<&'static str, ClassReport>, output: &mut Output) -> anyhow::Result<()> {
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

pub(super) fn targets(report: &TargetReport, output: &mut Output) -> anyhow::Result<()> {
    let TargetReport { posts, divided, parts, seconds, whole, targets } = report;
    output.line(format!(
        "\nSentiment towards the target of {posts} texts; {divided} of them have several clauses ({parts} parts of \
         texts classified in {seconds:.1} s):"
    ))?;
    let row = |name: &str, quality: &Quality| {
        let shown = |of: Estimate| format!("{:.3} ({:.3} to {:.3})", of.value, of.low, of.high);
        [name.to_owned(), shown(quality.accuracy), shown(quality.macro_f1)]
    };
    let head = ["label of", "accuracy", "macro F1"].map(str::to_owned);
    Ok(output.table(&[head, row("the whole text", whole), row("the target", targets)])?)
}

pub(super) fn intervals(intervals: &Intervals, output: &mut Output) -> anyhow::Result<()> {
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

pub(super) fn comparison(comparison: &Comparison, output: &mut Output) -> anyhow::Result<()> {
    let Comparison { model, other, only_model, only_other, accuracy, macro_f1, p_value, .. } = comparison;
    let shown = |of: &Estimate| format!("{:+.4} ({:+.4} to {:+.4})", of.value, of.low, of.high);
    output.line(format!(
        "\n{other} minus {model}: accuracy {}, macro F1 {}; texts correct only with {other}: {only_other}, only with \
         {model}: {only_model}, p = {p_value:.4} (McNemar)",
        shown(accuracy),
        shown(macro_f1)
    ))?;
    Ok(())
}
