//! The whole program, used as people use it.

#![expect(clippy::unwrap_used, reason = "a case that cannot go on has failed")]

mod api;
mod cli;
mod cli_server;
mod crashes;
mod fakes;
mod layering;
mod models;
mod process;
mod services;
mod sources;
mod web;
