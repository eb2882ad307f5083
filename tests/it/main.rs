//! Tests of the whole program through its public interfaces.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod abuse;
mod accounts;
mod alert_quality;
mod alert_takeover;
mod api;
mod backups;
mod chaos;
mod cli;
mod cli_server;
mod crashes;
mod demo;
mod fakes;
mod fuzz;
mod layering;
mod llm;
mod maintenance;
mod models;
#[path = "../support/ports.rs"]
mod ports;
mod process;
mod services;
mod settings;
mod soak;
mod sources;
mod tracing;
mod web;
