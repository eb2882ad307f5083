//! Fuzzes the parsers of untrusted input with libFuzzer. `FUZZ_TARGET` selects the parser; the arguments are those of
//! libFuzzer.
#![no_main]

mod model;
mod targets;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

/// Parses one input. Panics if the parser violates a property.
type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 6] = [
    ("entry", targets::entry),
    ("query", targets::query),
    ("feed", targets::feed),
    ("file", targets::file),
    ("websocket", targets::websocket),
    ("model", model::load),
];

fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(target)(data);
});

#[expect(clippy::disallowed_methods, reason = "libFuzzer owns the arguments")]
fn target() -> Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("unknown FUZZ_TARGET {name:?}: use one of {:?}", TARGETS.map(|(known, _)| known))).1
}
