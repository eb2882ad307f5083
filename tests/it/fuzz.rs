//! Random and hostile input to every parser and every operation of the API: nothing may panic, hang, or answer 5xx.
//!
//! Each run draws the same cases. `SENTISTREAM_FUZZ_SEED` draws others, `SENTISTREAM_FUZZ_CASES` sets how many each target
//! gets; `make fuzz` runs many. An input that once failed is kept in the `CORPUS` of its target.

mod api;
mod models;
mod mutate;
mod parsers;

use rand::SeedableRng;
use rand::rngs::StdRng;

use mutate::Mutator;

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "the size of a fuzzing run is set by the environment")]
    std::env::var(name).ok()?.parse().ok()
}

/// How many cases a target gets: `ordinary` in ordinary tests.
fn cases(ordinary: u64) -> u64 {
    setting("SENTISTREAM_FUZZ_CASES").unwrap_or(ordinary)
}

/// The mutations of `target`, the same in each run with the same seed.
fn mutator(target: &str) -> Mutator {
    let seed = setting("SENTISTREAM_FUZZ_SEED").unwrap_or(1);
    let target = target.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    Mutator(StdRng::seed_from_u64(seed ^ target))
}
