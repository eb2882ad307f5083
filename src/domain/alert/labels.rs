//! What identifies an alert to the outside: its labels.

use std::collections::BTreeMap;

/// Names and their values, in the order of the names.
pub type Labels = BTreeMap<String, String>;

/// The labels that the engine sets itself, which a rule may not set.
pub const RESERVED: [&str; 8] = ["alertname", "severity", "kind", "rule_id", "source", "author", "topic", "text"];

/// A name for a set of labels that stays the same wherever it is computed: 64 bits of FNV-1a over names and values, each
/// ended by the byte 255, as 16 hexadecimal digits (what Prometheus and its Alertmanager call a fingerprint).
pub fn fingerprint(labels: &Labels) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        for byte in text.bytes().chain([255]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_names_from_values() {
        let of = |pairs: &[(&str, &str)]| {
            fingerprint(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        assert_eq!(of(&[]), "cbf29ce484222325");
        assert_eq!(of(&[("a", "b"), ("c", "d")]), of(&[("c", "d"), ("a", "b")]));
        assert_ne!(of(&[("a", "bc")]), of(&[("ab", "c")]));
    }
}
