//! The settings of sources in the words of the room.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;

use crate::clock::Clock;
use crate::config::{BlueskyConfig, Config, SourceConfig};
use crate::sources::bluesky::{self, BlueskyOptions, Filter};
use crate::sources::file::FieldMap;
use crate::sources::folder::{self, FolderOptions};
use crate::sources::{ReplayOptions, SourceSpec, SyntheticOptions, stdin};

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
        SourceConfig::Folder(settings) => {
            let options = FolderOptions {
                path: settings.path.clone().with_context(|| format!("sources.{name}.path is required"))?,
                interval: settings.interval,
                map: field_map(name, &settings.map)?,
            };
            Ok(folder::spec(name, options, clock.clone()))
        }
        SourceConfig::Stdin(settings) => Ok(stdin::spec(name, field_map(name, &settings.map)?, clock.clone())),
        SourceConfig::Bluesky(settings) => {
            let BlueskyConfig { languages, keywords, authors, sample, .. } = settings;
            let filter = Filter::new(languages, keywords, authors, *sample);
            let options = BlueskyOptions {
                hosts: settings.hosts.clone(),
                filter: Arc::new(filter.map_err(|reason| anyhow::anyhow!("sources.{name}: {reason}"))?),
                look_back: settings.look_back,
                idle_limit: settings.idle_timeout,
            };
            Ok(bluesky::spec(name, options, clock.clone()))
        }
    }
}

fn field_map(name: &str, fields: &BTreeMap<String, String>) -> anyhow::Result<FieldMap> {
    let mut map = FieldMap::default();
    for (ours, theirs) in fields {
        map.add(&format!("{ours}={theirs}")).map_err(|reason| anyhow::anyhow!("sources.{name}.map: {reason}"))?;
    }
    Ok(map)
}
