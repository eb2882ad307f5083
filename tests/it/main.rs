//! Tests against the real program.

mod cli;
mod cli_server;
mod crashes;
mod layering;
mod process;
mod services;
