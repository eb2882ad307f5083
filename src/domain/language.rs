//! Language tags.

/// The language of a BCP 47 tag without its region or script, in lower case: `en` for `en-US`.
pub fn primary(tag: &str) -> String {
    let end = tag.find(['-', '_']).unwrap_or(tag.len());
    tag[..end].trim().to_lowercase()
}

/// The same as [`primary`], if the result is a language code of two or three letters. Sources may send any text.
pub fn code(tag: &str) -> Option<String> {
    let code = primary(tag);
    ((2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase())).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_tag_has_no_region_and_no_other_text() {
        for (tag, expected) in [
            ("en", Some("en")),
            ("EN_us", Some("en")),
            ("fil-PH", Some("fil")),
            ("", None),
            ("x", None),
            ("日本", None),
        ] {
            assert_eq!(code(tag).as_deref(), expected, "{tag}");
        }
    }
}
