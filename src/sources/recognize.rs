//! Finds the source for an address that a user pastes: a handle, a page, a community or an app.

use serde_json::{Map, Value, json};
use url::Url;

use crate::domain::managed_source::SourceDefinition;

/// The maximum length of a suggested name.
const MAX_NAME: usize = 48;

/// The source that reads `address`; `None` if the address cannot be read by any source.
pub fn recognize(address: &str) -> Option<SourceDefinition> {
    let address = address.trim();
    account(address).or_else(|| tag(address)).or_else(|| subreddit(address)).or_else(|| page(address))
}

fn definition(kind: &str, name: &str, settings: Value) -> SourceDefinition {
    let settings = match settings {
        Value::Object(settings) => settings,
        _ => Map::new(),
    };
    SourceDefinition { name: slug(name), kind: kind.to_owned(), settings }
}

fn feed(name: &str, url: &str) -> SourceDefinition {
    definition("rss", name, json!({"feeds": [url]}))
}

/// Converts `name` to a valid name of a source.
fn slug(name: &str) -> String {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let mut slug = words.join("-");
    slug.truncate(MAX_NAME);
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "source".to_owned() } else { slug.to_owned() }
}

/// `@name@instance` (Mastodon publishes a feed of each account) and `@name.bsky.social`.
fn account(address: &str) -> Option<SourceDefinition> {
    let handle = address.strip_prefix('@').or_else(|| address.ends_with(".bsky.social").then_some(address))?;
    match handle.split_once('@') {
        Some((name, instance)) if is_host(instance) && is_word(name) => {
            Some(feed(&format!("{name}-{instance}"), &format!("https://{instance}/@{name}.rss")))
        }
        None if is_host(handle) => Some(bluesky(handle)),
        _ => None,
    }
}

fn bluesky(handle: &str) -> SourceDefinition {
    definition("bluesky", &format!("bluesky-{handle}"), json!({"authors": [handle.to_lowercase()]}))
}

/// `#tag`, which is searched on Bluesky.
fn tag(address: &str) -> Option<SourceDefinition> {
    let tag = address
        .strip_prefix('#')
        .filter(|tag| !tag.is_empty() && tag.chars().all(|c| c.is_alphanumeric() || c == '_'))?;
    Some(definition("bluesky", &format!("bluesky-{tag}"), json!({"keywords": [format!("#{tag}")]})))
}

/// `r/name`
fn subreddit(address: &str) -> Option<SourceDefinition> {
    let name = address.trim_start_matches('/').strip_prefix("r/").map(|name| name.trim_end_matches('/'))?;
    is_word(name).then(|| reddit(name))
}

/// Reddit publishes a feed for each community, which can be read without an OAuth application.
fn reddit(name: &str) -> SourceDefinition {
    let name = name.to_lowercase();
    feed(&format!("reddit-{name}"), &format!("https://www.reddit.com/r/{name}/new/.rss"))
}

fn page(address: &str) -> Option<SourceDefinition> {
    let with_scheme = if address.contains("://") { address.to_owned() } else { format!("https://{address}") };
    let url = Url::parse(&with_scheme).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let host = url.host_str().filter(|host| address.contains("://") || is_host(host))?;
    if !url.username().is_empty() && !address.contains("://") {
        return None;
    }
    let host = host.strip_prefix("www.").unwrap_or(host);
    let path: Vec<&str> =
        url.path_segments().map(|parts| parts.filter(|part| !part.is_empty()).collect()).unwrap_or_default();
    let known = match (host, path.as_slice()) {
        ("bsky.app", ["profile", handle, ..]) if is_host(handle) || handle.starts_with("did:") => Some(bluesky(handle)),
        ("reddit.com" | "old.reddit.com", ["r", name, ..]) if !url.path().ends_with(".rss") => Some(reddit(name)),
        ("news.ycombinator.com", []) => Some(definition("hackernews", "hackernews", json!({}))),
        ("apps.apple.com", path) => app_reviews(path),
        ("news.google.com", ["search"]) => Some(google_news(&url)),
        ("stackoverflow.com", ["questions", "tagged", tag]) => {
            Some(feed(&format!("stackoverflow-{tag}"), &format!("https://stackoverflow.com/feeds/tag/{tag}")))
        }
        (site, ["questions", "tagged", tag]) if site.ends_with(".stackexchange.com") => {
            Some(feed(&format!("{site}-{tag}"), &format!("https://{site}/feeds/tag/{tag}")))
        }
        ("github.com", [owner, name, "discussions"]) => Some(feed(
            &format!("{owner}-{name}-discussions"),
            &format!("https://github.com/{owner}/{name}/discussions.atom"),
        )),
        (instance, ["tags", tag]) => {
            Some(definition("mastodon", &format!("{instance}-{tag}"), json!({"instances": [instance], "tags": [tag]})))
        }
        (instance, [account]) if account.starts_with('@') && !account.contains('.') => {
            Some(feed(&format!("{}-{instance}", &account[1..]), &format!("https://{instance}/{account}.rss")))
        }
        (instance, ["c", community]) if is_word(community) => Some(feed(
            &format!("{instance}-{community}"),
            &format!("https://{instance}/feeds/c/{community}.xml?sort=New"),
        )),
        _ => None,
    };
    // Any other page may link to its feed.
    known.or_else(|| Some(feed(host, url.as_str())))
}

/// Apple's feed of an app's customer reviews, from the path of the app's page: `/us/app/name/id123`.
fn app_reviews(path: &[&str]) -> Option<SourceDefinition> {
    let id = path.iter().find_map(|part| part.strip_prefix("id").filter(|id| is_number(id)))?;
    let country = path.first().filter(|part| part.len() == 2).copied().unwrap_or("us");
    let name = path.iter().position(|part| *part == "app").and_then(|at| path.get(at + 1)).copied().unwrap_or(id);
    let url = format!("https://itunes.apple.com/{country}/rss/customerreviews/page=1/id={id}/sortby=mostrecent/xml");
    Some(feed(&format!("app-store-{name}"), &url))
}

fn google_news(url: &Url) -> SourceDefinition {
    let words = url.query_pairs().find(|(key, _)| key == "q").map(|(_, words)| words.into_owned()).unwrap_or_default();
    let query = url.query().unwrap_or_default();
    feed(&format!("news-{words}"), &format!("https://news.google.com/rss/search?{query}"))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_host(text: &str) -> bool {
    text.contains('.')
        && text.split('.').all(|label| !label.is_empty())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(address: &str) -> (String, String, Value) {
        let SourceDefinition { name, kind, settings } = recognize(address).unwrap_or_default();
        (kind, name, Value::Object(settings))
    }

    fn of_feed(name: &str, url: &str) -> (String, String, Value) {
        ("rss".to_owned(), name.to_owned(), json!({"feeds": [url]}))
    }

    #[test]
    fn accounts_become_their_sources() {
        let mastodon = of_feed("ada-fosstodon-org", "https://fosstodon.org/@ada.rss");
        assert_eq!(found("@ada@fosstodon.org"), mastodon);
        assert_eq!(found("https://fosstodon.org/@ada"), mastodon);
        let bluesky =
            ("bluesky".to_owned(), "bluesky-ada-bsky-social".to_owned(), json!({"authors": ["ada.bsky.social"]}));
        for address in ["ada.bsky.social", "@Ada.bsky.social", "https://bsky.app/profile/ada.bsky.social/post/3k"] {
            assert_eq!((found(address).0, found(address).2), (bluesky.0.clone(), bluesky.2.clone()), "{address}");
        }
        assert_eq!(found("#rust").2, json!({"keywords": ["#rust"]}));
    }

    #[test]
    fn communities_become_their_feeds() {
        let reddit = of_feed("reddit-rust", "https://www.reddit.com/r/rust/new/.rss");
        for address in ["r/rust", "/r/rust/", "https://www.reddit.com/r/Rust/", "reddit.com/r/rust/top"] {
            assert_eq!(found(address), reddit, "{address}");
        }
        let tag = (
            "mastodon".to_owned(),
            "mastodon-social-rust".to_owned(),
            json!({"instances": ["mastodon.social"], "tags": ["rust"]}),
        );
        assert_eq!(found("https://mastodon.social/tags/rust"), tag);
        assert_eq!(
            found("https://lemmy.world/c/rust").2,
            json!({"feeds": ["https://lemmy.world/feeds/c/rust.xml?sort=New"]})
        );
        assert_eq!(
            found("https://stackoverflow.com/questions/tagged/rust").2,
            json!({"feeds": ["https://stackoverflow.com/feeds/tag/rust"]})
        );
        assert_eq!(found("https://news.ycombinator.com/").0, "hackernews");
    }

    #[test]
    fn apps_and_searches_become_their_feeds() {
        let reviews = "https://itunes.apple.com/de/rss/customerreviews/page=1/id=284882215/sortby=mostrecent/xml";
        assert_eq!(found("https://apps.apple.com/de/app/facebook/id284882215"), of_feed("app-store-facebook", reviews));
        let search = found("https://news.google.com/search?q=acme%20phone&hl=en");
        assert_eq!(search, of_feed("news-acme-phone", "https://news.google.com/rss/search?q=acme%20phone&hl=en"));
    }

    #[test]
    fn other_pages_become_feed_sources() {
        assert_eq!(found("blog.example.org/posts"), of_feed("blog-example-org", "https://blog.example.org/posts"));
        assert_eq!(found("http://127.0.0.1:81/feed.xml"), of_feed("127-0-0-1", "http://127.0.0.1:81/feed.xml"));
        for address in ["", "hello", "two words", "ftp://example.org", "mailto:a@b.c"] {
            assert_eq!(recognize(address), None, "{address}");
        }
    }
}
