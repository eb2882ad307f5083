//! Annotations with placeholders, `{{name}}`.

/// The placeholders that an annotation may contain.
pub const PLACEHOLDERS: [&str; 9] =
    ["value", "threshold", "posts", "baseline", "window", "scope", "source", "rule", "severity"];

/// Replaces each placeholder in `text` by the result of `value` for its name.
///
/// # Errors
/// A description of the first placeholder that is unknown or has no closing braces.
pub fn fill(text: &str, value: &dyn Fn(&str) -> String) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else {
            return Err("has {{ without a closing }}".to_owned());
        };
        let name = name.trim();
        if !PLACEHOLDERS.contains(&name) {
            return Err(format!("has an unknown placeholder {{{{{name}}}}}: use {}", PLACEHOLDERS.join(", ")));
        }
        filled.push_str(before);
        filled.push_str(&value(name));
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_placeholder_is_filled_and_unknown_one_is_rejected() {
        let value = |name: &str| format!("<{name}>");
        assert_eq!(fill("{{ source }}: {{value}} of {x}", &value), Ok("<source>: <value> of {x}".to_owned()));
        assert!(fill("{{valeu}}", &value).is_err_and(|e| e.contains("valeu") && e.contains("threshold")));
        assert!(fill("{{value", &value).is_err());
    }
}
