//! What every crate of SentiStream uses: the types of the domain, the rules for texts, the clock, supervision, requests
//! to configured URLs, logs and metrics.

pub mod clock;
pub mod domain;
pub mod language;
pub mod lifecycle;
pub mod outbound;
pub mod secrets;
pub mod telemetry;
pub mod terms;
