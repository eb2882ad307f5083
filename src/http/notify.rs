//! Receivers, routes, silences, inhibition rules, mute timings, the delivery log, and Alertmanager's API.

#[macro_use]
pub mod managed;

pub mod deliveries;
pub mod inhibit_rules;
pub mod mute_timings;
pub mod preview;
pub mod receivers;
pub mod routing;
pub mod silences;
pub mod template;
pub mod v2;
