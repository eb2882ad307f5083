//! Converts HTML to text.

use std::borrow::Cow;

use html2text::config;
use html2text::render::TrivialDecorator;

/// The maximum length of markup, in bytes. Longer markup is truncated before it is parsed.
const MAX_BYTES: usize = 512 * 1024;
/// The maximum number of tags that html2text parses, because more would take too long. In a document with more tags,
/// the tags are removed without parsing.
const MAX_TAGS: usize = 20_000;
/// The line width for html2text, which is large enough that no line is wrapped.
const WIDTH: usize = 1_000_000;

/// The text of `html`: one line per paragraph or line break, with entities resolved, and without scripts and styles. If
/// the markup cannot be parsed, only its tags are removed.
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

/// `html` without the first element with the class `class`. Mastodon and mail programs mark quotations with a class.
pub fn without_class<'a>(html: &'a str, class: &str) -> Cow<'a, str> {
    element(html, class)
        .map_or(Cow::Borrowed(html), |(start, end)| Cow::Owned(format!("{}{}", &html[..start], &html[end..])))
}

/// The start and the end of the first element with the class `class`.
fn element(html: &str, class: &str) -> Option<(usize, usize)> {
    let named = html.find(class)?;
    let start = html[..named].rfind('<')?;
    let tag = &html[start..start + html[start..].find('>')?];
    if !tag.contains("class=") || !(start..start + tag.len()).contains(&named) {
        return None;
    }
    let name: String = tag[1..].chars().take_while(char::is_ascii_alphanumeric).collect();
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let (mut depth, mut at) = (0, start);
    loop {
        let next_close = at + html[at..].find(&close)?;
        match html[at..next_close].find(&open) {
            Some(nested) => {
                depth += 1;
                at += nested + open.len();
            }
            None if depth == 1 => return Some((start, next_close + close.len())),
            None => {
                depth -= 1;
                at = next_close + close.len();
            }
        }
    }
}

/// Removes spaces at the ends of lines, and reduces consecutive blank lines to one.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = 0;
    for line in text.lines() {
        // Control characters are removed: U+0000 is not valid in a post, and the others are not visible.
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
    fn markup_becomes_text() {
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
    fn quote_element_is_removed() {
        for (html, expected) in [
            (
                r#"<p class="quote-inline">RE: <a href="https://m.example/@a/1">x</a></p><p>So true</p>"#,
                "<p>So true</p>",
            ),
            (r#"<p>So true<span class="quote-inline"><br>RE: <a><span>m</span></a></span></p>"#, "<p>So true</p>"),
            ("<p>about quote-inline</p>", "<p>about quote-inline</p>"),
            (r#"<p class="quote-inline">never closed"#, r#"<p class="quote-inline">never closed"#),
        ] {
            assert_eq!(without_class(html, "quote-inline"), expected);
        }
    }

    #[test]
    fn hostile_markup_is_read_in_bounded_time() {
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
