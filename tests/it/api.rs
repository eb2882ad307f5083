//! Tests every endpoint with valid and invalid input, on both set-ups, only through HTTP and WebSocket.

mod access;
mod alert_engine;
mod alert_rules;
mod alerts;
mod analyze;
mod append;
mod counts;
mod dead_letters;
mod export;
mod insights;
mod languages;
mod live;
pub mod notify;
mod oidc;
mod operations;
mod posts;
mod protocol;
mod routes;
mod second_opinion;
pub mod socket;
pub mod test_app;
mod topics;
