//! The labels of alerts, which identify an alert in notifications.

use std::collections::BTreeMap;

/// The values of labels, by the name of the label.
pub type Labels = BTreeMap<String, String>;

/// The labels that SentiStream sets. A rule must not set them.
pub const RESERVED: [&str; 8] = ["alertname", "severity", "kind", "rule_id", "source", "author", "topic", "text"];

/// The fingerprint of a set of labels, which is the same in every process. It is the 64-bit FNV-1a hash of the names
/// and values, each followed by the byte 255, as 16 hexadecimal digits.
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
    fn fingerprint_distinguishes_names_from_values() {
        let of = |pairs: &[(&str, &str)]| {
            fingerprint(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        assert_eq!(of(&[]), "cbf29ce484222325");
        assert_eq!(of(&[("a", "b"), ("c", "d")]), of(&[("c", "d"), ("a", "b")]));
        assert_ne!(of(&[("a", "bc")]), of(&[("ab", "c")]));
    }
}
