//! Annotations with placeholders, `{{name}}`.

/// The placeholders that an annotation may contain.
pub const PLACEHOLDERS: [&str; 9] =
    ["value", "threshold", "posts", "baseline", "window", "scope", "source", "rule", "severity"];

/// Why the placeholders of an annotation are not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    /// A placeholder has no closing braces.
    #[error("has {{{{ without a closing }}}}")]
    Unclosed,
    /// The placeholder with this name is unknown.
    #[error("has an unknown placeholder {{{{{0}}}}}: use {list}", list = PLACEHOLDERS.join(", "))]
    Unknown(String),
}

/// Replaces each placeholder `{{name}}` in `text` with the result of `value(name)`.
///
/// # Errors
/// When a placeholder is unknown or has no closing braces.
pub fn fill(text: &str, value: &dyn Fn(&str) -> String) -> Result<String, PlaceholderError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else {
            return Err(PlaceholderError::Unclosed);
        };
        let name = name.trim();
        if !PLACEHOLDERS.contains(&name) {
            return Err(PlaceholderError::Unknown(name.to_owned()));
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
        assert!(fill("{{valeu}}", &value).is_err_and(|e| e == PlaceholderError::Unknown("valeu".to_owned())));
        assert_eq!(fill("{{value", &value), Err(PlaceholderError::Unclosed));
        let shown = PlaceholderError::Unknown("valeu".to_owned()).to_string();
        assert!(shown.starts_with("has an unknown placeholder {{valeu}}: use value, threshold"), "{shown}");
    }
}
