//! Limits how much longer the normalizers of a tokenizer can make a text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::error::LoadError;

/// The maximum factor by which normalizers may lengthen a text. The factor of a tokenizer is computed as an upper
/// bound: it assumes that each normalizer lengthens the whole result of the normalizer before. For the builtin
/// tokenizer, which shortens texts, the bound is 20.
const MAX_FACTOR: f64 = 64.0;
/// The maximum number of bytes that a normalizer may insert before a text.
const MAX_PREFIX: usize = 1_024;
/// The maximum number of normalizers.
const MAX_NORMALIZERS: usize = 64;
/// A precompiled normalizer counts as one that lengthens texts if it has a replacement of more than this number of
/// bytes. Replacements of Unicode's NFKC have at most 33 bytes.
const USUAL_ENTRY: usize = 64;

#[derive(Deserialize)]
struct Outline {
    normalizer: Option<Value>,
}

/// Checks the normalizers in a `tokenizer.json`.
///
/// # Errors
/// When there are too many normalizers, or they can lengthen a text too much.
pub fn check(json: &[u8]) -> Result<(), LoadError> {
    let outline: Outline =
        serde_json::from_slice(json).map_err(|error| LoadError::Files(format!("tokenizer.json: {error}")))?;
    let mut flat = Vec::new();
    flatten(&outline.normalizer.unwrap_or_default(), &mut flat);
    if flat.len() > MAX_NORMALIZERS {
        let reason = format!(
            "tokenizer.json has {} normalizers, but the limit is {MAX_NORMALIZERS}; use another model",
            flat.len()
        );
        return Err(LoadError::Files(reason));
    }
    let factor: f64 = flat.iter().map(factor).product();
    if factor > MAX_FACTOR {
        let reason = format!(
            "tokenizer.json: the normalizers can make a text {factor:.0} times as long, but the limit is {MAX_FACTOR}; \
             use another model"
        );
        return Err(LoadError::Files(reason));
    }
    Ok(())
}

/// Collects all normalizers, including those in nested sequences. They are recognised by their fields, because the
/// field `type` is optional.
fn flatten(normalizer: &Value, flat: &mut Vec<Value>) {
    match normalizer.get("normalizers").and_then(Value::as_array) {
        Some(sequence) => sequence.iter().for_each(|part| flatten(part, flat)),
        None => flat.push(normalizer.clone()),
    }
}

/// The factor by which a normalizer can lengthen a text.
fn factor(normalizer: &Value) -> f64 {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map_or(0, str::len);
    if text(normalizer.get("prepend")) > MAX_PREFIX {
        return f64::INFINITY;
    }
    let entry = normalizer.get("precompiled_charsmap").and_then(Value::as_str).map_or(0, longest_entry);
    if entry > USUAL_ENTRY {
        return entry as f64;
    }
    // A pattern without `String` is a regular expression, which may match a single byte.
    let replaced = text(normalizer.get("pattern").and_then(|pattern| pattern.get("String"))).max(1);
    (text(normalizer.get("content")) as f64 / replaced as f64).max(1.0)
}

/// The length of the longest replacement in a precompiled table, in bytes. The table contains, in this order: the
/// length of an index, the index, and the replacements, each with a zero byte at its end.
fn longest_entry(table: &str) -> usize {
    let Ok(bytes) = STANDARD.decode(table) else { return 0 };
    let index = bytes.first_chunk().map_or(0, |length| u32::from_le_bytes(*length)) as usize;
    let texts = bytes.get(4 + index..).unwrap_or_default();
    texts.split(|byte| *byte == 0).map(<[u8]>::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(normalizer: &Value) -> Option<String> {
        let tokenizer = json!({"version": "1.0", "normalizer": normalizer, "model": {"vocab": {}}});
        check(tokenizer.to_string().as_bytes()).err().map(|error| error.to_string())
    }

    fn replace(pattern: &str, content: &str) -> Value {
        json!({"type": "Replace", "pattern": {"String": pattern}, "content": content})
    }

    #[test]
    fn normalizer_that_multiplies_a_text_is_rejected() {
        let long = "a".repeat(100_000);
        let twice = json!({"type": "Sequence", "normalizers": [replace("a", &long), replace("a", &long)]});
        let nested = json!({"normalizers": [{"normalizers": vec![replace("a", "aa"); 7]}]});
        let many = json!({"type": "Sequence", "normalizers": vec![json!({"type": "NFC"}); 100]});
        let table = [&4_u32.to_le_bytes()[..], &[0; 4], b"b\0", &[b'a'; 1_000], b"\0"].concat();
        let precompiled = json!({"type": "Precompiled", "precompiled_charsmap": STANDARD.encode(table)});
        let prefix = json!({"type": "Prepend", "prepend": long});
        for normalizer in [twice, nested, precompiled, prefix] {
            let reason = refusal(&normalizer).unwrap();
            assert!(reason.contains("times as long"), "{reason}");
        }
        assert!(refusal(&many).unwrap().contains("100 normalizers"));
    }

    #[test]
    fn normalizers_of_known_models_are_accepted() {
        let usual = json!({"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"}, replace(" ", "▁"), replace("``", "\""), {"type": "NFKD"},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}, {"type": "Lowercase"},
        ]});
        assert_eq!((refusal(&usual), refusal(&Value::Null)), (None, None));
    }
}
