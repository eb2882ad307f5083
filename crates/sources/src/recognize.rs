//! Finds the source for an address that a user pastes: a handle, a page, a community or an app.

mod page;

use serde_json::{Map, Value, json};
use url::Url;

use sentistream_core::domain::managed_source::SourceDefinition;

use page::page;

/// Mail servers whose name is not `imap.DOMAIN`, with the domains of the addresses that they serve.
const MAIL_SERVERS: [(&[&str], &str); 5] = [
    (&["googlemail.com"], "imap.gmail.com"),
    (&["icloud.com", "me.com", "mac.com"], "imap.mail.me.com"),
    (&["yahoo.com", "ymail.com"], "imap.mail.yahoo.com"),
    (&["gmx.de", "gmx.at", "gmx.ch"], "imap.gmx.net"),
    (&["aol.com"], "imap.aol.com"),
];
/// The maximum length of a suggested name.
const MAX_NAME: usize = 48;

/// The definition of a source that reads `address`; `None` if no source can read the address.
pub fn recognize(address: &str) -> Option<SourceDefinition> {
    let address = address.trim();
    let named = account(address).or_else(|| tag(address)).or_else(|| subreddit(address)).or_else(|| lemmy(address));
    named.or_else(|| mailbox(address)).or_else(|| page(address))
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

/// An account: `@name@instance` (Mastodon publishes a feed of each account), or the handle of a Bluesky account, such
/// as `@name.example.org` or `name.bsky.social`.
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

/// A tag `#tag`, which becomes a keyword on Bluesky.
fn tag(address: &str) -> Option<SourceDefinition> {
    let tag = address
        .strip_prefix('#')
        .filter(|tag| !tag.is_empty() && tag.chars().all(|c| c.is_alphanumeric() || c == '_'))?;
    Some(definition("bluesky", &format!("bluesky-{tag}"), json!({"keywords": [format!("#{tag}")]})))
}

/// A mailbox: `name@example.org`, or `imaps://host` as mail programs display it. The password is entered in the form.
fn mailbox(address: &str) -> Option<SourceDefinition> {
    if address.starts_with("imaps://") || address.starts_with("imap://") {
        let url = Url::parse(address).ok()?;
        let host = url.host_str()?;
        let user = percent_encoding::percent_decode_str(url.username()).decode_utf8().ok()?;
        return Some(definition("imap", &format!("mail-{host}"), json!({"host": host, "user": user})));
    }
    let (name, domain) = address.split_once('@')?;
    let domain = domain.to_lowercase();
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || ".!#$%&'*+-=?^_`{|}~".contains(c));
    let known = MAIL_SERVERS.iter().find(|(domains, _)| domains.contains(&&*domain));
    let host = known.map_or_else(|| format!("imap.{domain}"), |(_, host)| (*host).to_owned());
    let settings = json!({"host": host, "user": address});
    (is_name && is_host(&domain)).then(|| definition("imap", &format!("mail-{name}-{domain}"), settings))
}

/// A subreddit `r/name`.
fn subreddit(address: &str) -> Option<SourceDefinition> {
    let name = address.trim_start_matches('/').strip_prefix("r/").map(|name| name.trim_end_matches('/'))?;
    is_word(name).then(|| reddit(name))
}

/// A community `!community@instance` of Lemmy.
fn lemmy(address: &str) -> Option<SourceDefinition> {
    let (name, instance) = address.strip_prefix('!')?.split_once('@')?;
    (is_word(name) && is_host(instance)).then(|| community(instance, name))
}

/// The feed of a Lemmy community, which the instance of the community publishes.
fn community(instance: &str, name: &str) -> SourceDefinition {
    feed(&format!("{instance}-{name}"), &format!("https://{instance}/feeds/c/{name}.xml?sort=New"))
}

/// The feed of a subreddit, which can be read without an OAuth application.
fn reddit(name: &str) -> SourceDefinition {
    let name = name.to_lowercase();
    feed(&format!("reddit-{name}"), &format!("https://www.reddit.com/r/{name}/new/.rss"))
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
        for (page, name, path) in [
            ("t/how-it-works/1234/5", "how-it-works", "t/how-it-works/1234"),
            ("c/support/sub/12", "sub", "c/support/sub/12"),
        ] {
            let name = format!("forum-example-org-{name}");
            let feed = of_feed(&name, &format!("https://forum.example.org/{path}.rss"));
            assert_eq!(found(&format!("https://forum.example.org/{page}")), feed, "{page}");
        }
        assert_eq!(found("https://news.ycombinator.com/").0, "hackernews");
    }

    #[test]
    fn lemmy_and_stack_exchange_become_their_feeds() {
        let lemmy = of_feed("lemmy-ml-rust", "https://lemmy.ml/feeds/c/rust.xml?sort=New");
        for address in ["!rust@lemmy.ml", "https://lemmy.ml/c/rust", "https://lemmy.world/c/rust@lemmy.ml"] {
            assert_eq!(found(address), lemmy, "{address}");
        }
        for (page, name, feed) in [
            (
                "https://serverfault.com/questions/tagged/nginx",
                "serverfault-nginx",
                "https://serverfault.com/feeds/tag/nginx",
            ),
            (
                "https://unix.stackexchange.com/questions/45/how-to",
                "unix-45",
                "https://unix.stackexchange.com/feeds/question/45",
            ),
            ("https://stackoverflow.com/questions?tab=Newest", "stackoverflow", "https://stackoverflow.com/feeds"),
        ] {
            assert_eq!(found(page), of_feed(name, feed), "{page}");
        }
    }

    #[test]
    fn repositories_videos_and_apis_become_their_sources() {
        let source = |kind: &str, name: &str, settings: Value| (kind.to_owned(), name.to_owned(), settings);
        let github = source("github", "github-acme-phone", json!({"repositories": ["acme/phone"]}));
        for address in ["https://github.com/Acme/Phone", "github.com/acme/phone/issues/12?x=1"] {
            assert_eq!(found(address), github, "{address}");
        }
        let feed = "https://github.com/acme/phone/discussions.atom";
        assert_eq!(found("https://github.com/acme/phone/discussions"), of_feed("acme-phone-discussions", feed));
        assert_eq!(found("https://github.com/topics/rust").0, "rss");
        let video = source("youtube", "youtube-dqw4w9wgxcq", json!({"videos": ["dQw4w9WgXcQ"]}));
        for address in ["https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=1s", "youtu.be/dQw4w9WgXcQ"] {
            assert_eq!(found(address), video, "{address}");
        }
        let channel = source("youtube", "youtube-acme", json!({"channels": ["@acme"]}));
        assert_eq!(found("https://www.youtube.com/@acme/videos"), channel);
        let api = "https://api.shop.example/v1/reviews?sort=new";
        assert_eq!(found(api), source("json", "api-shop-example", json!({"url": api})));
        assert_eq!(found("https://blog.example/feed.json").0, "rss");
    }

    #[test]
    fn apps_and_searches_become_their_feeds() {
        let reviews = "https://itunes.apple.com/de/rss/customerreviews/page=1/id=284882215/sortby=mostrecent/xml";
        assert_eq!(found("https://apps.apple.com/de/app/facebook/id284882215"), of_feed("app-store-facebook", reviews));
        let steam = ("steam".to_owned(), "steam-portal-2".to_owned(), json!({"apps": ["620"]}));
        assert_eq!(found("https://store.steampowered.com/app/620/Portal_2/?curator=1"), steam);
        // The third segment is the name of the game only in the store.
        assert_eq!(found("steamcommunity.com/app/620/reviews"), (steam.0, "steam-620".to_owned(), steam.2));
        let search = found("https://news.google.com/search?q=acme%20phone&hl=en");
        assert_eq!(search, of_feed("news-acme-phone", "https://news.google.com/rss/search?q=acme%20phone&hl=en"));
        let topic = found("https://news.google.com/topics/CAAq?hl=en");
        assert_eq!(topic, of_feed("google-news", "https://news.google.com/rss/topics/CAAq?hl=en"));
        let bing = "https://www.bing.com/news/search?q=acme&format=rss";
        assert_eq!(found("https://www.bing.com/news/search?q=acme"), of_feed("bing-news-acme", bing));
    }

    #[test]
    fn mail_addresses_become_mailboxes() {
        let mailbox = |name: &str, host: &str, user: &str| {
            ("imap".to_owned(), name.to_owned(), json!({"host": host, "user": user}))
        };
        let found_name = "mail-support-example-org";
        assert_eq!(found("support@example.org"), mailbox(found_name, "imap.example.org", "support@example.org"));
        let apple = mailbox("mail-ada-l-me-com", "imap.mail.me.com", "ada.l@me.com");
        assert_eq!(found("ada.l@me.com"), apple);
        let named = mailbox("mail-mail-example-org", "mail.example.org", "ada@example.org");
        assert_eq!(found("imaps://ada%40example.org@mail.example.org:993/"), named);
        assert_eq!(found("https://ada@example.org/x").0, "rss");
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
