//! The settings of sources in the words of the room.

use anyhow::Context as _;

use crate::clock::Clock;
use crate::config::{Config, SourceConfig};
use crate::sources::file::FieldMap;
use crate::sources::{ReplayOptions, SourceSpec, SyntheticOptions};

/// The sources that `ingester.sources` names.
///
/// # Errors
/// When a source lacks a setting that it needs.
pub fn sources(config: &Config, clock: &Clock) -> anyhow::Result<Vec<SourceSpec>> {
    let table = |name: &String| config.sources.get(name).with_context(|| format!("there is no table sources.{name}"));
    config.ingester.sources.iter().map(|name| source(name, table(name)?, clock)).collect()
}

fn source(name: &str, settings: &SourceConfig, clock: &Clock) -> anyhow::Result<SourceSpec> {
    match settings {
        SourceConfig::Synthetic(synthetic) => {
            let options = SyntheticOptions {
                rate: synthetic.rate,
                seed: synthetic.seed,
                limit: synthetic.limit,
                incident_every: (!synthetic.incident_every.is_zero()).then_some(synthetic.incident_every),
            };
            Ok(SourceSpec::synthetic(name, options, clock.clone()))
        }
        SourceConfig::Replay(replay) => {
            let options = ReplayOptions {
                path: replay.path.clone().with_context(|| format!("sources.{name}.path is required"))?,
                rate: replay.rate,
                retime: replay.retime,
                repeat: replay.repeat,
                map: FieldMap::default(),
            };
            Ok(SourceSpec::replay(name, options, clock.clone()))
        }
    }
}
