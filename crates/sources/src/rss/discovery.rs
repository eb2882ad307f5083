//! Finds the feeds that a web page links to (<https://www.rssboard.org/rss-autodiscovery>).

use url::Url;

use super::super::html;

/// The types of a `<link rel="alternate">` that refer to a feed.
const TYPES: [&str; 4] = ["application/rss+xml", "application/atom+xml", "application/feed+json", "application/json"];
/// The number of bytes of a page that are searched for links. The links are in the head of the page.
const MAX_BYTES: usize = 512 * 1_024;

/// The first feed that the page at `url` links to.
pub fn feed_of_page(page: &[u8], url: &Url) -> Option<Url> {
    let page = String::from_utf8_lossy(&page[..page.len().min(MAX_BYTES)]);
    let lower = page.to_ascii_lowercase();
    if !lower.contains("<html") && !lower.contains("<head") {
        return None;
    }
    let mut at = 0;
    while let Some(found) = lower[at..].find("<link") {
        let start = at + found;
        let end = start + lower[start..].find('>')?;
        let attribute = |name: &str| attribute(&page[start..end], name);
        let is_alternate = attribute("rel")
            .is_some_and(|rel| rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("alternate")));
        let is_feed = attribute("type").is_some_and(|kind| TYPES.contains(&kind.trim().to_ascii_lowercase().as_str()));
        if is_alternate
            && is_feed
            && let Some(href) = attribute("href")
        {
            return url.join(html::text(&href).trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        }
        at = end;
    }
    None
}

/// The value of an attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let mut at = 0;
    loop {
        let start = at + lower[at..].find(name)?;
        at = start + name.len();
        let is_whole = lower[..start].ends_with(|c: char| c.is_ascii_whitespace() || c == '"' || c == '\'');
        let Some(rest) = tag[at..].trim_start().strip_prefix('=').filter(|_| is_whole) else { continue };
        let rest = rest.trim_start();
        let value = match rest.chars().next()? {
            quote @ ('"' | '\'') => rest[1..].split(quote).next(),
            _ => rest.split(|c: char| c.is_ascii_whitespace() || c == '>').next(),
        };
        return value.map(str::to_owned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feed_url_is_found_only_in_feed_links_of_a_page() {
        let base: Url = "https://blog.example/posts/".parse().unwrap();
        for (page, expected) in [
            (
                r#"<html><head><link rel="stylesheet" href="/a.css"><link rel="alternate" type="application/rss+xml" href="/feed.xml?a=1&amp;b=2"></head></html>"#,
                Some("https://blog.example/feed.xml?a=1&b=2"),
            ),
            (
                "<HTML><HEAD><LINK REL='alternate' TYPE='application/atom+xml' HREF='atom.xml'></HEAD>",
                Some("https://blog.example/posts/atom.xml"),
            ),
            (
                r#"<html><link rel=alternate type=application/feed+json href=https://cdn.example/f.json>"#,
                Some("https://cdn.example/f.json"),
            ),
            (r#"<html><link rel="alternate" hreflang="de" href="/de">"#, None),
            (r#"<html><link rel="alternate" type="application/rss+xml" href="file:///etc/passwd">"#, None),
            (r#"<rss><link rel="alternate" type="application/rss+xml" href="/x"></rss>"#, None),
            ("<html><link", None),
        ] {
            let found = feed_of_page(page.as_bytes(), &base);
            assert_eq!(found.as_ref().map(Url::as_str), expected, "{page}");
        }
    }
}
