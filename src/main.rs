//! The binary: parses and calls.

use std::process::ExitCode;

fn main() -> ExitCode {
    sentistream::cli::run()
}
