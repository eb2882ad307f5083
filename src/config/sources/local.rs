//! Settings of sources that generate posts or read them from files and standard input.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::super::values::*;
use super::Settings;

/// The settings of a source with `kind = "synthetic"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticConfig {
    /// Posts per second, 0.1 to 50000.
    #[serde(deserialize_with = "rate")]
    pub rate: f64,
    /// The seed of the generator. Equal seeds generate equal posts in the same order, with other ids and times. `None`:
    /// a new seed at each start.
    #[serde(deserialize_with = "optional_count")]
    pub seed: Option<u64>,
    /// The number of posts since its start after which the source ends. `None`: no end.
    #[serde(deserialize_with = "optional_count")]
    pub limit: Option<u64>,
    /// The mean time between incidents. Zero: no incidents.
    #[serde(deserialize_with = "any_duration")]
    pub incident_every: Duration,
}

impl Settings for SyntheticConfig {}

/// The settings of a source with `kind = "replay"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayConfig {
    /// The NDJSON or CSV file to read. Required when the source is read.
    #[serde(deserialize_with = "optional")]
    pub path: Option<PathBuf>,
    /// Posts per second; `None`: as fast as the stream accepts them.
    #[serde(deserialize_with = "optional_rate")]
    pub rate: Option<f64>,
    /// Whether each post gets the time at which it is appended, instead of its own time.
    pub retime: bool,
    /// Whether the source starts again at the end of the file, with new post ids.
    #[serde(rename = "loop")]
    pub repeat: bool,
}

impl Settings for ReplayConfig {
    fn lacks(&self) -> Option<&'static str> {
        self.path.is_none().then_some("path")
    }
}

/// The settings of a source with `kind = "folder"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderConfig {
    /// The folder whose files are read, without its subfolders. Required when the source is read.
    #[serde(deserialize_with = "optional")]
    pub path: Option<PathBuf>,
    /// The time between two polls when nothing is new.
    #[serde(deserialize_with = "positive_duration")]
    pub interval: Duration,
    /// The names of fields in the input, by the name of the post's field.
    pub map: BTreeMap<String, String>,
}

impl Settings for FolderConfig {
    fn lacks(&self) -> Option<&'static str> {
        self.path.is_none().then_some("path")
    }
}

/// The settings of a source with `kind = "stdin"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StdinConfig {
    /// The names of fields in the input, by the name of the post's field.
    pub map: BTreeMap<String, String>,
}

impl Settings for StdinConfig {}
