//! Tests against the real program.

mod cli;
