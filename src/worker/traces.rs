//! Records the stages of a batch as metrics and as spans of its traced entries.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::EntryKey;
use crate::stream::Entry;
use crate::telemetry::trace::{self, Span, Traceparent};

/// The spans of a batch's traced entries. The spans end when this value is dropped.
pub struct Traces(HashMap<EntryKey, Span>);

impl Traces {
    /// Starts a span for each entry with a trace.
    pub fn begin<'e>(entries: impl Iterator<Item = &'e Entry>) -> Self {
        let traced = entries.filter_map(|entry| {
            let parent = Traceparent::read(entry.fields.get(trace::FIELD))?;
            let span = Span::below(&parent, "process")?;
            span.set("messaging.message.id", entry.key.id.to_string());
            Some((entry.key.clone(), span))
        });
        Self(traced.collect())
    }

    /// Records that the batch has just spent `took` in this stage.
    pub fn stage(&self, name: &'static str, took: Duration) {
        metrics::histogram!("sentistream_stage_duration_seconds", "stage" => name).record(took);
        for span in self.0.values() {
            span.part(name, took);
        }
    }

    /// The trace context of the entry, for the live event of its post.
    pub fn context(&self, entry: &EntryKey) -> Option<String> {
        self.0.get(entry).map(|span| span.context().to_string())
    }
}
