//! What every crate of SentiStream uses: the types of the domain, language detection, the search terms of texts, the
//! clock, supervision, requests to configured URLs, encryption of secrets, logs, metrics and traces.

pub mod clock;
pub mod domain;
pub mod language;
pub mod lifecycle;
pub mod outbound;
pub mod secrets;
pub mod telemetry;
pub mod terms;
