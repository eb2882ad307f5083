//! The whole program, used as people use it.

mod api;
mod cli;
mod cli_server;
mod crashes;
mod layering;
mod process;
mod services;
