//! Fits the thresholds of early exits, and prints how many layers are computed with them.

use crate::app;
use crate::cli::output::Output;
use crate::cli::{CommandResult, Misuse};
use crate::config::Config;
use crate::inference::ExitPolicy;
use crate::inference::eval::Labelled;
use crate::inference::exits::{self, DepthReport, FitGoal, TracedRecord};

use super::EvalArgs;

/// Fits the thresholds of early exits and prints them.
pub(super) async fn fit(
    records: Vec<Labelled>,
    agreement: Option<f64>,
    args: &EvalArgs,
    config: &Config,
) -> anyhow::Result<CommandResult> {
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
        let join = |(record, trace)| TracedRecord { record, trace };
        let traced: Vec<_> = records.into_iter().zip(traces).map(join).collect();
        anyhow::Ok(exits::fit(&info, &traced, goal)?)
    });
    let fitted = fitted.await??;
    let mut output = Output::new();
    if args.json {
        output.json(&fitted)?;
    } else {
        output.line(format!(
            "fitted on {} texts; {:.1} % of {} other texts get the same labels as from all layers, with {:.2} layers per token",
            fitted.fitted_on,
            100.0 * fitted.agreement,
            fitted.measured_on,
            fitted.layers_per_token
        ))?;
        if let (Some(quality), Some(all)) = (fitted.quality, fitted.all_layers_quality) {
            output.line(format!(
                "quality {quality:.4}, with all layers {all:.4} (macro recall of sentiment, macro F1 of emotion, or \
                 their mean)"
            ))?;
        }
        let thresholds = fitted.thresholds.iter().map(|(layer, threshold)| format!("{layer} = {threshold}"));
        let thresholds = thresholds.collect::<Vec<_>>().join(", ");
        output.line(format!("to use them: --set 'inference.exit_thresholds={{{thresholds}}}'"))?;
    }
    output.flush()?;
    Ok(CommandResult::Good)
}

pub(super) fn print_depth(depth: &DepthReport, output: &mut Output) -> anyhow::Result<()> {
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
