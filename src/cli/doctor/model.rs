//! Checks that the model loads and classifies a text.

use std::time::Instant;

use super::Check;
use crate::app;
use crate::config::{Config, Role};
use crate::domain::Sentiment;

/// A clearly positive text.
const SAMPLE: &str = "I love this, it is wonderful and makes me so happy!";

const WARNED: &str = "see `sentistream models list` for other models, and measure with `sentistream eval`";

/// Loads the models of the configured routes, if they are on this machine.
pub async fn routes(config: &Config) -> Vec<Check> {
    const REMEDY: &str = "correct inference.routes, or run `sentistream models pull` for the model of the route";
    let mut checks = Vec::new();
    if !config.has_role(Role::Worker) && !config.has_role(Role::Api) {
        return checks;
    }
    for route in &config.inference.routes {
        let languages = route.languages.join(", ");
        checks.push(match app::routes::load_local(config, route).await {
            Ok(Some(classifier)) => {
                let info = classifier.info();
                let finding = format!("{languages}: {} ({}) loaded in {} ms", info.name, info.precision, info.load_ms);
                match info.warnings.first() {
                    Some(warning) => Check::warning("routes", format!("{finding}; {warning}"), WARNED),
                    None => Check::good("routes", finding),
                }
            }
            Ok(None) => Check::warning(
                "routes",
                format!(
                    "{languages}: the model is not on this machine, and is downloaded for the first post in one of \
                     these languages"
                ),
                "run `sentistream models pull` for this model",
            ),
            Err(e) => Check::broken("routes", format!("{languages}: {e:#}"), REMEDY),
        });
    }
    checks
}

/// Loads the model and classifies a text.
pub async fn check(config: &Config) -> Check {
    const REMEDY: &str = "set inference.model to \"builtin\" or to a folder with a model";
    if !config.has_role(Role::Worker) && !config.has_role(Role::Api) {
        return Check::skipped("model", "the roles of this process need no model");
    }
    let classifier = match app::load_classifier(config).await {
        Ok(classifier) => classifier,
        Err(e) => return Check::broken("model", format!("{e:#}"), REMEDY),
    };
    let start = Instant::now();
    match classifier.classify(vec![SAMPLE.to_owned()]).await.as_deref() {
        Ok([analysis]) => {
            let info = classifier.info();
            let finding = format!(
                "{} ({}) loaded in {} ms, classifies a sentence in {} ms",
                info.name,
                info.precision,
                info.load_ms,
                start.elapsed().as_millis()
            );
            if analysis.sentiment == Sentiment::Positive {
                match info.warnings.first() {
                    Some(warning) => Check::warning("model", format!("{finding}; {warning}"), WARNED),
                    None => Check::good("model", finding),
                }
            } else {
                let unexpected = format!("{finding}, but classifies a positive text as {}", analysis.sentiment);
                Check::warning("model", unexpected, "check inference.labels, and the model with `sentistream eval`")
            }
        }
        Ok(_) => Check::broken("model", "the model loaded but returns no result", REMEDY),
        Err(e) => Check::broken("model", e.to_string(), REMEDY),
    }
}
