//! Sends random and malicious input to every parser and every API operation. Nothing may panic, hang, or respond with
//! 5xx.
//!
//! Every run has the same cases. `SENTISTREAM_FUZZ_SEED` sets another seed, and `SENTISTREAM_FUZZ_CASES` sets the
//! number of cases per target; `make fuzz` runs many cases. If an input fails, add it to the tests of its parser.

mod api;
mod models;
mod mutate;
mod parsers;

use rand::SeedableRng;
use rand::rngs::StdRng;

use mutate::Mutator;

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "the environment sets the size of a fuzzing run")]
    std::env::var(name).ok()?.parse().ok()
}

/// The number of cases of a target. `ordinary` is the default.
fn cases(ordinary: u64) -> u64 {
    setting("SENTISTREAM_FUZZ_CASES").unwrap_or(ordinary)
}

/// The mutator for `target`. It produces the same mutations in each run with the same seed.
fn mutator(target: &str) -> Mutator {
    let seed = setting("SENTISTREAM_FUZZ_SEED").unwrap_or(1);
    let target = target.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    Mutator(StdRng::seed_from_u64(seed ^ target))
}
