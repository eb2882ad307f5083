//! The binary. It runs the command line of [`sentistream::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    sentistream::cli::run()
}
