//! What people read of the HTML that servers send: its text.

use html2text::config;
use html2text::render::TrivialDecorator;

/// Longer markup is cut before it is read: no post of a person needs more.
const MAX_BYTES: usize = 512 * 1024;
/// Elements nested deeper than this are no text that somebody wrote.
const MAX_TAGS: usize = 20_000;
/// Lines are not to be broken where they were not.
const WIDTH: usize = 1_000_000;

/// The text of `html`: one line per paragraph or break, entities resolved, scripts and styles left out. Markup that
/// cannot be understood, or holds more tags than a page of text has, is taken without its tags.
pub fn text(html: &str) -> String {
    let html = &html[..html.floor_char_boundary(MAX_BYTES)];
    let tags = html.bytes().filter(|byte| *byte == b'<').count();
    if tags == 0 && !html.contains('&') {
        return tidy(html);
    }
    let rendered = (tags <= MAX_TAGS)
        .then(|| {
            config::with_decorator(TrivialDecorator::new())
                .raw_mode(true)
                .no_link_wrapping()
                .string_from_read(html.as_bytes(), WIDTH)
        })
        .and_then(Result::ok);
    tidy(&rendered.unwrap_or_else(|| without_tags(html)))
}

/// Blank lines at most once in a row, no spaces at the ends of lines.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = 0;
    for line in text.lines() {
        // Control characters are no text; a post with U+0000 would be refused.
        let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        let line = line.trim();
        if line.is_empty() {
            blank += 1;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if blank > 0 { "\n\n" } else { "\n" });
        }
        blank = 0;
        out.push_str(line);
    }
    out
}

fn without_tags(html: &str) -> String {
    let mut inside = false;
    html.chars()
        .filter(|c| match c {
            '<' => {
                inside = true;
                false
            }
            '>' if inside => {
                inside = false;
                false
            }
            _ => !inside,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_what_people_read() {
        for (html, expected) in [
            ("plain text", "plain text"),
            ("a &amp; b &lt;3 &#x27;quoted&#x27; &nbsp;x", "a & b <3 'quoted' \u{a0}x"),
            ("<p>first</p><p>second<br>line</p>", "first\n\nsecond\nline"),
            (
                r#"<p>by <a href="https://m.example/@ada" class="u-url mention">@<span>ada</span></a> <a href="/tags/rust">#<span>rust</span></a></p>"#,
                "by @ada #rust",
            ),
            ("<script>alert(1)</script><style>p{}</style>hello<img src=x onerror=alert(1)>", "hello"),
            ("<b>bold", "bold"),
            ("a\t\u{e}\n\u{1}\nb", "a\n\nb"),
            ("", ""),
        ] {
            assert_eq!(text(html), expected, "{html}");
        }
    }

    #[test]
    fn hostile_markup_neither_breaks_nor_stops_anything() {
        let deep = format!("{}deep{}", "<div>".repeat(200_000), "</div>".repeat(200_000));
        assert!(text(&deep).len() < 100);
        let deep = format!("{}deep", "<blockquote>".repeat(15_000));
        assert!(text(&deep).contains("deep"));
        let table = format!("{}cell", "<table><tr><td>".repeat(3_000));
        assert!(text(&table).contains("cell"));
        assert_eq!(text(&"&".repeat(1_000)), "&".repeat(1_000));
        assert!(!text("nul\0byte &#0; <p>x").contains('\0'));
        assert!(text(&format!("{}é", "a".repeat(MAX_BYTES - 1))).len() < MAX_BYTES);
    }
}
