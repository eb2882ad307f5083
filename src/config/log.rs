//! The typed `[log]` and `[tracing]` sections.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::values::*;

/// The format of log lines.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum LogFormat {
    /// `human` on a terminal, otherwise JSON.
    Auto,
    /// Text that is easy to read.
    Human,
    /// One JSON object per line.
    Json,
}

/// `[log]`: the log on stderr.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// A level, or directives that set the level of each module.
    #[serde(deserialize_with = "parsed")]
    pub level: LogLevel,
    /// The format of log lines on stderr.
    #[serde(deserialize_with = "word")]
    pub format: LogFormat,
}

/// `[tracing]`: the export of traces.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracingConfig {
    /// The base URL of an OTLP collector; `None`: no traces.
    #[serde(deserialize_with = "optional")]
    pub otlp_endpoint: Option<url::Url>,
    /// The share of appends that are traced, 0 to 1. For a request with a `traceparent` header, the header decides.
    #[serde(deserialize_with = "share")]
    pub sample_ratio: f64,
    /// The longest time to send a batch of spans.
    #[serde(deserialize_with = "positive_duration")]
    pub timeout: Duration,
}

/// What is logged: a level such as `info`, or directives such as `warn,sentistream=debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel(String);

impl LogLevel {
    /// The directives for `tracing-subscriber`. A plain level applies to this crate. Libraries then log only warnings
    /// and errors. The HTTP library logs nothing, because any client could fill the log with malformed requests.
    pub fn directives(&self) -> String {
        match self.0.as_str() {
            level @ ("error" | "warn") => format!("{level},actix_http=off"),
            level @ ("info" | "debug" | "trace") => format!("warn,actix_http=off,sentistream={level}"),
            directives => directives.to_owned(),
        }
    }
}

impl FromStr for LogLevel {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        let lower = text.trim().to_lowercase();
        let level = match lower.as_str() {
            "warning" => "warn",
            "critical" | "fatal" => "error",
            "" => return Err(not_a_level(text)),
            other => other,
        };
        tracing_subscriber::EnvFilter::builder().parse(level).map_err(|_| not_a_level(text))?;
        let plain = ["error", "warn", "info", "debug", "trace"].contains(&level);
        // `tracing-subscriber` would parse a single word that is not a level as the name of a module.
        if plain || level.contains('=') { Ok(Self(level.to_owned())) } else { Err(not_a_level(text)) }
    }
}

fn not_a_level(text: &str) -> InvalidSetting {
    let expected = "error, warn, info, debug or trace, or directives such as \"warn,sentistream=debug\"";
    InvalidSetting::Form { expected, found: text.to_owned() }
}
