//! The binary, which runs the commands of [`sentistream::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    sentistream::cli::run()
}
