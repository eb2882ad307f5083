//! Mutations of inputs.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

/// Texts that many parsers handle incorrectly.
const INTERESTING: [&str; 28] = [
    "",
    " ",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "é",
    "😀",
    "\u{10ffff}",
    "-1",
    "0",
    "1e400",
    "-0.0",
    "NaN",
    "9223372036854775808",
    "18446744073709551616",
    "%",
    "%00",
    "%ff",
    "../../etc/passwd",
    "<script>",
    "' OR 1=1 --",
    "\"",
    "\\",
    "{}",
    "[]",
    "null",
    "2026-02-30T25:61:61Z",
    "9999-12-31T23:59:60+99:99",
];

/// Generates cases.
pub struct Mutator(pub StdRng);

impl Mutator {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0.random_range(0..limit.max(1))
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// Returns `seed` with up to eight changed bytes, ranges or copies.
    pub fn bytes(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(8) {
            let at = self.below(bytes.len() + 1);
            match self.below(7) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = self.0.random(),
                2 => bytes.truncate(at),
                3 => bytes.insert(at, self.0.random()),
                4 => {
                    let end = (at + self.below(64)).min(bytes.len());
                    bytes.drain(at.min(end)..end);
                }
                5 => {
                    let end = (at + self.below(64)).min(bytes.len());
                    let copy = bytes[at.min(end)..end].repeat(1 + self.below(16));
                    bytes.splice(at..at, copy);
                }
                _ => {
                    let text = self.pick(&INTERESTING);
                    bytes.splice(at..at, text.bytes());
                }
            }
        }
        bytes
    }

    /// Does the same as [`Self::bytes`] for a text.
    pub fn text(&mut self, seed: &str) -> String {
        String::from_utf8_lossy(&self.bytes(seed.as_bytes())).into_owned()
    }

    /// Any short text.
    pub fn any_text(&mut self) -> String {
        let text = self.pick(&INTERESTING).to_owned();
        let text = if self.below(3) == 0 { self.text(&text) } else { text };
        if self.below(40) == 0 { text.repeat(1 + self.below(2_000)) } else { text }
    }

    /// Any JSON value of at most this depth.
    pub fn any_json(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.0.random::<i64>()),
            3 => json!(self.0.random::<f64>() * 1e9),
            4 | 5 => json!(self.any_text()),
            6 => (0..self.below(4)).map(|_| self.any_json(depth - 1)).collect(),
            _ => Value::Object((0..self.below(4)).map(|_| (self.any_text(), self.any_json(depth - 1))).collect()),
        }
    }

    /// `value` with some members replaced, removed or added.
    pub fn json(&mut self, value: &Value) -> Value {
        if self.below(8) == 0 {
            return self.any_json(2);
        }
        match value {
            Value::Object(fields) => {
                let mut changed = Map::new();
                for (name, value) in fields {
                    match self.below(6) {
                        0 => {}
                        1 => _ = changed.insert(name.clone(), self.any_json(2)),
                        _ => _ = changed.insert(name.clone(), self.json(value)),
                    }
                }
                if self.below(6) == 0 {
                    changed.insert(self.any_text(), self.any_json(1));
                }
                Value::Object(changed)
            }
            Value::Array(values) => {
                let mut changed: Vec<Value> = values.iter().map(|value| self.json(value)).collect();
                if self.below(6) == 0 {
                    changed.push(self.any_json(1));
                }
                Value::Array(changed)
            }
            Value::String(text) => json!(self.text(text)),
            other => other.clone(),
        }
    }
}
