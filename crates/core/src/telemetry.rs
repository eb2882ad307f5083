//! Logs to stderr, metrics in the text format of Prometheus, and traces with OTLP.

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

/// The error when logs, metrics or traces cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up logs, metrics or traces: {0}")]
pub struct TelemetryError(String);

/// Directives that limit the log level of the crate `async_imap`. At the level `trace`, the crate logs the commands of
/// mail sessions, which contain passwords.
const SECRETIVE: [&str; 2] = ["async_imap=info", "async_imap::imap_stream=info"];

fn filter(directives: &str) -> Result<EnvFilter, TelemetryError> {
    let filter = EnvFilter::builder().parse(directives).map_err(|e| TelemetryError(e.to_string()))?;
    let limits = SECRETIVE.iter().filter_map(|directive| directive.parse().ok());
    Ok(limits.fold(filter, EnvFilter::add_directive))
}

/// Sends the logs of this process to stderr. `directives` select them, in the syntax of `tracing-subscriber`.
///
/// # Errors
/// When the directives are invalid, or logging is already set up.
pub fn init_logs(directives: &str, style: LogStyle) -> Result<(), TelemetryError> {
    let filter = filter(directives)?;
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = if style == LogStyle::Json || (style == LogStyle::Auto && !terminal) {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        lines.with_ansi(terminal).with_target(false).try_init()
    };
    set.map_err(|e| TelemetryError(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_filter_never_includes_commands_of_mail_sessions() {
        for directives in ["trace", "warn,async_imap=trace", "async_imap::imap_stream=trace"] {
            let filter = filter(directives).unwrap().to_string();
            assert!(!filter.contains("async_imap=trace") && !filter.contains("imap_stream=trace"), "{filter}");
            assert!(filter.contains("async_imap::imap_stream=info"), "{filter}");
        }
    }
}
