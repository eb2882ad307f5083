//! Traces of sampled posts from the append to the live feed, sent with OTLP over HTTP.
//!
//! A trace crosses processes as a W3C `traceparent` (<https://www.w3.org/TR/trace-context/>): in the stream entry from
//! the appender to the worker, and in the live event from the worker to the API. Whether a post is traced is
//! decided once, at its append.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Handle;

use super::TelemetryError;
use crate::domain::RawFields;
use crate::outbound;

/// The name of the tracer in exported spans.
const TRACER: &str = "sentistream";
/// The field of a stream entry that carries the context of its trace.
pub const FIELD: &str = "traceparent";

/// Where traces are sent, and which appends are traced.
#[derive(Clone, Debug)]
pub struct TraceOptions {
    /// The base URL of the collector; traces go to `/v1/traces` below it.
    pub endpoint: String,
    /// The share of appends that are traced, 0 to 1. A request that brings its own trace context is traced if the
    /// sampling flag of this context is set, regardless of the share.
    pub sample_ratio: f64,
    /// The maximum time to send a batch of spans.
    pub timeout: Duration,
}

/// The running exporter of traces.
pub struct Tracing(SdkTracerProvider);

impl Tracing {
    /// Starts the exporter. Its requests run on `runtime`. Spans are created only while an exporter runs.
    ///
    /// # Errors
    /// When the URL is malformed, or TLS cannot be set up.
    pub fn start(options: &TraceOptions, runtime: Handle) -> Result<Self, TelemetryError> {
        let failed = |e: &dyn fmt::Display| TelemetryError(format!("traces: {e}"));
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(outbound::tls().map_err(|e| failed(&e))?)
            .timeout(options.timeout)
            .build()
            .map_err(|e| failed(&e))?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(OnRuntime { client, runtime })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", options.endpoint.trim_end_matches('/')))
            .with_timeout(options.timeout)
            .build()
            .map_err(|e| failed(&e))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(options.sample_ratio))))
            .with_resource(
                Resource::builder()
                    .with_service_name("sentistream")
                    .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
                    .build(),
            )
            .build();
        global::set_tracer_provider(provider.clone());
        Ok(Self(provider))
    }

    /// Sends the remaining spans. Blocks for at most `limit`.
    pub fn stop(self, limit: Duration) {
        if let Err(error) = self.0.shutdown_with_timeout(limit) {
            tracing::warn!(%error, "last traces not sent");
        }
    }
}

/// An HTTP client that sends its requests on the given runtime, because the exporter's own thread has no runtime.
#[derive(Debug)]
struct OnRuntime {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}

/// The trace context of a span, which is passed to other processes. Exists only for sampled traces.
#[derive(Clone, Debug, PartialEq)]
pub struct Traceparent(SpanContext);

impl Traceparent {
    /// Parses the value of a `traceparent` field or header; `None` if it is missing, malformed or not sampled.
    pub fn read(value: Option<&[u8]>) -> Option<Self> {
        std::str::from_utf8(value?).ok()?.parse().ok()
    }

    /// The trace's id, 32 hex digits.
    pub fn trace_id(&self) -> String {
        self.0.trace_id().to_string()
    }
}

/// Formats the context as `00-TRACE-SPAN-FLAGS`.
impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.0.trace_id(), self.0.span_id(), self.0.trace_flags())
    }
}

impl FromStr for Traceparent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const MALFORMED: &str = "is not a traceparent: expected VERSION-TRACE-SPAN-FLAGS";
        let mut parts = text.trim().split('-');
        let mut part = |digits: usize| {
            let hex = |part: &&str| part.len() == digits && part.bytes().all(|b| b.is_ascii_hexdigit());
            parts.next().filter(hex).ok_or(MALFORMED)
        };
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let flags = TraceFlags::new(u8::from_str_radix(flags, 16).map_err(|_| MALFORMED)?);
        let trace = TraceId::from_hex(trace).map_err(|_| MALFORMED)?;
        let span = SpanId::from_hex(span).map_err(|_| MALFORMED)?;
        let context = SpanContext::new(trace, span, flags, true, TraceState::default());
        if version == "ff" || !context.is_valid() {
            return Err(MALFORMED);
        }
        if context.is_sampled() { Ok(Self(context)) } else { Err("is not sampled") }
    }
}

/// Starts a trace for entries before their append, or continues the trace in the first entry, and stores the context in
/// each entry. `None` when the trace is not sampled.
pub fn append(entries: &mut [RawFields]) -> Option<Span> {
    let parent = Traceparent::read(entries.first()?.get(FIELD));
    let span = Span::begin("append", SpanKind::Producer, parent.as_ref())?;
    span.set("messaging.batch.message_count", entries.len() as i64);
    let context = span.context().to_string();
    for entry in entries {
        entry.set(FIELD, context.as_str());
    }
    Some(span)
}

/// A running span. It ends when it is dropped.
pub struct Span(Context);

impl Span {
    /// Starts a child span of `parent`; `None` when this process sends no traces.
    pub fn below(parent: &Traceparent, name: &'static str) -> Option<Self> {
        Self::begin(name, SpanKind::Consumer, Some(parent))
    }

    fn begin(name: &'static str, kind: SpanKind, parent: Option<&Traceparent>) -> Option<Self> {
        let tracer = global::tracer_provider().tracer(TRACER);
        let above = parent.map_or_else(Context::new, |at| Context::new().with_remote_span_context(at.0.clone()));
        let span = tracer.span_builder(name).with_kind(kind).start_with_context(&tracer, &above);
        span.span_context().is_sampled().then(|| Self(above.with_span(span)))
    }

    /// The trace context of this span, for child spans.
    pub fn context(&self) -> Traceparent {
        Traceparent(self.0.span().span_context().clone())
    }

    /// Sets an attribute of the span.
    pub fn set(&self, name: &'static str, value: impl Into<opentelemetry::Value>) {
        self.0.span().set_attribute(KeyValue::new(name, value));
    }

    /// Adds a child span that ends now and lasted for `took`.
    pub fn part(&self, name: &'static str, took: Duration) {
        let ended = opentelemetry::time::now();
        let tracer = global::tracer_provider().tracer(TRACER);
        let begun = ended.checked_sub(took).unwrap_or(ended);
        let builder = tracer.span_builder(name).with_kind(SpanKind::Internal).with_start_time(begun);
        builder.start_with_context(&tracer, &self.0).end_with_timestamp(ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_trace_context_is_rejected() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context: Traceparent = text.parse().unwrap();
        assert_eq!(context.to_string(), text);
        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        for other in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0Äf7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ] {
            assert!(other.parse::<Traceparent>().is_err(), "{other}");
        }
    }

    #[test]
    fn no_span_starts_without_an_exporter() {
        let mut entries = [RawFields::default()];
        assert!(append(&mut entries).is_none());
        assert_eq!(entries[0].get(FIELD), None);
    }
}
