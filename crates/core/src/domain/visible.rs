//! Characters that change how a text is shown without being visible themselves.

/// The Unicode characters of the categories Cf (format), Zl and Zp (line and paragraph separators), as inclusive ranges.
const INVISIBLE: [(char, char); 21] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{2064}'),
    ('\u{2066}', '\u{206f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0001}', '\u{e0001}'),
    ('\u{e0020}', '\u{e007f}'),
];

/// Whether `text` has no control characters, format characters or line separators. These characters could make one name
/// look like another, or break a line of the log.
pub fn is_visible(text: &str) -> bool {
    let is_hidden = |c: char| c.is_control() || INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&c));
    !text.contains(is_hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_format_characters_are_not_visible() {
        for name in ["grafana", "Zoë 2", "日本", "a-b_c.d"] {
            assert!(is_visible(name), "{name}");
        }
        for name in ["a\nb", "a\u{1b}[31m", "a\0", "evil\u{202e}", "e\u{feff}", "a\u{200b}b", "a\u{2028}b", "\u{e0041}"]
        {
            assert!(!is_visible(name), "{name:?}");
        }
    }
}
