//! The whole program, used as people use it.

#![expect(clippy::unwrap_used, reason = "a case that cannot go on has failed")]

mod api;
mod cli;
mod cli_server;
mod crashes;
mod layering;
mod llm;
mod models;
mod process;
mod services;
mod web;
