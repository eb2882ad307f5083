//! The calibration that `eval` fits, and the files that it is written to.

use std::path::PathBuf;

use crate::app;
use crate::cli::Misuse;
use crate::cli::output::Output;
use crate::config::Config;
use crate::inference::models::{self, Calibration, CalibrationFiles};

use super::EvalArgs;

/// A calibration, and the files that it was written to.
pub(super) struct StoredCalibration {
    pub(super) calibration: Calibration,
    files: Vec<PathBuf>,
}

/// The files to write the calibration to. They are checked before the evaluation, because the evaluation takes long.
pub(super) async fn files(args: &EvalArgs, config: &Config) -> anyhow::Result<CalibrationFiles> {
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

pub(super) fn store(calibration: &Calibration, places: &CalibrationFiles) -> anyhow::Result<StoredCalibration> {
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

pub(super) fn print(kept: &StoredCalibration, output: &mut Output) -> anyhow::Result<()> {
    let heads = [("Sentiment", &kept.calibration.sentiment), ("Emotion", &kept.calibration.emotion)];
    for (name, fit) in heads {
        if let Some(fit) = fit {
            output.line(format!(
                "\n{name}: temperature {} from {} posts; on {} other posts the calibration error changes from {:.4} to {:.4}, \
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
