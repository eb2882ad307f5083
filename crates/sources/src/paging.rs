//! Further pages of an answer: links in the `Link` header (RFC 8288), and the limit of pages.

use reqwest::header::LINK;
use url::Url;

use sentistream_core::outbound::Answer;

/// The warning of a poll that read the maximum number of pages and reached no item of an earlier poll. `known` names
/// the items of earlier polls, and `older` names the items that the poll may have missed.
pub fn pages_exhausted(pages: usize, known: &str, older: &str) -> String {
    format!("read {pages} pages without reaching known {known}; {older} may be missing")
}

/// The URL of the page after the page in `answer`, if a link has the relation `next`.
pub fn next_page(answer: &Answer) -> Option<Url> {
    let headers = answer.headers.get_all(LINK).iter().filter_map(|header| header.to_str().ok());
    let target = headers.flat_map(links).find_map(|link| next_target(link).map(str::to_owned))?;
    answer.url.join(&target).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// Splits the header into links. A URL in angle brackets may contain commas.
fn links(header: &str) -> impl Iterator<Item = &str> {
    let mut in_url = false;
    header.split(move |c: char| {
        in_url = if in_url { c != '>' } else { c == '<' };
        c == ',' && !in_url
    })
}

/// The URL of `<URL>; rel="next"`.
fn next_target(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = |parameter: &str| {
        let (name, value) = parameter.split_once('=')?;
        let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
        let is_relation = name.trim().eq_ignore_ascii_case("rel");
        (is_relation && relations.any(|relation| relation.eq_ignore_ascii_case("next"))).then_some(())
    };
    parameters.split(';').find_map(is_next).map(|()| target)
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    #[test]
    fn next_page_is_read_from_the_link_header() {
        for (header, expected) in [
            (r#"<https://api.example/a?page=2>; rel="next", <https://api.example/a?page=9>; rel="last""#, "a?page=2"),
            (r#"<https://api.example/x>; rel="prev", </a?ids=1,2>; title="more"; rel="start next""#, "a?ids=1,2"),
            ("<a>; rel=next", "a"),
        ] {
            assert_eq!(next(header).unwrap().as_str(), format!("https://api.example/{expected}"), "{header}");
        }
        for header in [r#"<https://api.example/x>; rel="last""#, "<file:///etc/passwd>; rel=next", "rel=next", "<x"] {
            assert_eq!(next(header), None, "{header}");
        }
    }

    fn next(header: &str) -> Option<Url> {
        let headers = HeaderMap::from_iter([(LINK, header.parse().unwrap())]);
        let url = "https://api.example/list".parse().unwrap();
        next_page(&Answer { status: StatusCode::OK, headers, body: Vec::new(), truncated: false, url })
    }
}
