//! Logs to stderr, and metrics in the text format of Prometheus.

pub mod metrics;
pub mod trace;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

pub use self::metrics::Metrics;

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStyle {
    /// Readable text on a terminal, otherwise JSON.
    Auto,
    /// Readable text, with colours only on a terminal.
    Human,
    /// One JSON object per line.
    Json,
}

/// The error when logging cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up logging: {0}")]
pub struct TelemetryError(String);

/// Sends the logs of this process to stderr. `directives` select them, in the syntax of `tracing-subscriber`.
///
/// # Errors
/// When the directives are invalid, or logging is already set up.
pub fn init_logs(directives: &str, style: LogStyle) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().parse(directives).map_err(|e| TelemetryError(e.to_string()))?;
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = if style == LogStyle::Json || (style == LogStyle::Auto && !terminal) {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        lines.with_ansi(terminal).with_target(false).try_init()
    };
    set.map_err(|e| TelemetryError(e.to_string()))
}
