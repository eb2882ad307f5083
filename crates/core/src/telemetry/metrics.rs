//! The recorder of the metrics that `/metrics` returns.

use metrics::Unit;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::TelemetryError;

/// Upper bounds of the buckets of histograms in seconds. They range from a cache hit to a timeout.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Upper bounds of the buckets of histograms that count posts.
const POSTS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1000.0];

/// Upper bounds of the buckets of histograms that count layers of a model.
const LAYERS: [f64; 12] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0, 24.0];

/// Upper bounds of the buckets of histograms that count tokens.
const TOKENS: [f64; 10] = [16.0, 64.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0, 65536.0];

/// The metrics of this process. Clones share them.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the recorder that the `metrics` macros of this process write to.
    ///
    /// # Errors
    /// When a recorder is already installed.
    pub fn install() -> Result<Self, TelemetryError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_posts".to_owned()), &POSTS))
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_tokens".to_owned()), &TOKENS))
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_layers".to_owned()), &LAYERS))
            .map_err(|e| TelemetryError(e.to_string()))?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|e| TelemetryError(e.to_string()))?;
        metrics::describe_gauge!("sentistream_build_info", "Always 1; its labels identify the build.");
        metrics_process::Collector::default().describe();
        metrics::gauge!("sentistream_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Ok(Self(handle))
    }

    /// All metrics in Prometheus' text format. Each call also drains the buffers of histograms. A process that is not
    /// scraped must therefore call [`Self::upkeep`] regularly.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Drains the buffers of histograms, to bound memory. Call it every few seconds.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A number that only increases.
    Counter,
    /// A number that increases and decreases.
    Gauge,
    /// A histogram in seconds.
    Timing,
    /// A histogram of counts.
    Size,
}

/// Describes metrics: name, kind and help text. Names follow Prometheus' conventions: base units,
/// `_total` for counters, `_seconds` for timings.
pub fn describe(metrics: &[(&'static str, Kind, &'static str)]) {
    for (name, kind, help) in metrics {
        match kind {
            Kind::Counter => metrics::describe_counter!(*name, *help),
            Kind::Gauge => metrics::describe_gauge!(*name, *help),
            Kind::Size => metrics::describe_histogram!(*name, *help),
            Kind::Timing => metrics::describe_histogram!(*name, Unit::Seconds, *help),
        }
    }
}
