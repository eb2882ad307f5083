//! The command `sentistream eval --checks`.

use serde::Serialize;

use super::CommandResult;
use super::output::Output;
use crate::app;
use crate::config::Config;
use crate::inference::checks::{self, CapabilityReport};

/// The pass rates of a model.
#[derive(Serialize)]
struct Checks {
    model: String,
    cases: usize,
    passed: usize,
    /// The pass rate in percent.
    pass_rate: f64,
    capabilities: Vec<CapabilityReport>,
}

/// Classifies the cases and prints the pass rate of each capability.
pub async fn run(config: &Config, as_json: bool) -> anyhow::Result<CommandResult> {
    let classifier = app::load_classifier(config).await?;
    let cases = checks::all();
    let analyses = classifier.classify(checks::texts(&cases)).await?;
    let capabilities = checks::report(&cases, &analyses);
    let passed = capabilities.iter().map(|capability| capability.passed).sum();
    let checks = Checks {
        model: classifier.info().name.clone(),
        cases: cases.len(),
        passed,
        pass_rate: (passed as f64 * 1e3 / cases.len().max(1) as f64).round() / 10.0,
        capabilities,
    };
    let mut output = Output::new();
    if as_json {
        output.json(&checks)?;
    } else {
        print(&checks, &mut output)?;
    }
    output.flush()?;
    Ok(CommandResult::Good)
}

fn print(checks: &Checks, output: &mut Output) -> anyhow::Result<()> {
    let Checks { model, cases, passed, pass_rate, .. } = checks;
    output.line(format!("{model}: {passed} of {cases} cases passed ({pass_rate:.1} %)\n"))?;
    let mut rows = vec![["capability", "test", "passed", "first failure"].map(str::to_owned)];
    for capability in &checks.capabilities {
        let failure = capability.failures.first().map(|failure| {
            let labels: Vec<&str> = failure.labels.iter().map(|label| label.as_str()).collect();
            format!("{:?}: {}", failure.texts.last().map_or("", String::as_str), labels.join(", then "))
        });
        rows.push([
            capability.capability.to_owned(),
            capability.test.to_owned(),
            format!("{:.0} %", capability.pass_rate),
            failure.unwrap_or_default(),
        ]);
    }
    Ok(output.table(&rows)?)
}
