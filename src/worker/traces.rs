//! The stages of a batch, as metrics and in the traces of those of its entries that are traced.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::EntryKey;
use crate::stream::Entry;
use crate::telemetry::trace::{self, Span, Traceparent};

/// The spans of a batch's traced entries. They end with it.
pub struct Traces(HashMap<EntryKey, Span>);

impl Traces {
    /// Begins a span for each entry that carries a trace.
    pub fn begin<'e>(entries: impl Iterator<Item = &'e Entry>) -> Self {
        let traced = entries.filter_map(|entry| {
            let parent = Traceparent::read(entry.fields.get(trace::FIELD))?;
            let span = Span::below(&parent, "process")?;
            span.tell("messaging.message.id", entry.key.id.to_string());
            Some((entry.key.clone(), span))
        });
        Self(traced.collect())
    }

    /// Records that the batch was in this stage for `took`, until now.
    pub fn stage(&self, name: &'static str, took: Duration) {
        metrics::histogram!("sentistream_stage_duration_seconds", "stage" => name).record(took);
        for span in self.0.values() {
            span.part(name, took);
        }
    }

    /// The trace of the entry, for whoever hears of its post.
    pub fn context(&self, entry: &EntryKey) -> Option<String> {
        self.0.get(entry).map(|span| span.context().to_string())
    }
}
