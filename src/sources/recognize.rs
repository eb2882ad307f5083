//! Finds the source for an address that a user pastes: a handle, a page, a community or an app.

use serde_json::{Map, Value, json};
use url::Url;

use super::{github, youtube};
use crate::domain::managed_source::SourceDefinition;

/// First path segments on GitHub that are not owners of repositories.
const GITHUB_PAGES: [&str; 10] =
    ["apps", "collections", "features", "marketplace", "orgs", "search", "settings", "sponsors", "topics", "users"];
/// Sites of Stack Exchange with their own domains. All other sites end with `.stackexchange.com`.
const STACK_SITES: [&str; 6] =
    ["askubuntu.com", "mathoverflow.net", "serverfault.com", "stackapps.com", "stackoverflow.com", "superuser.com"];
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

/// An account: `@name@instance` (Mastodon publishes a feed of each account) or `@name.bsky.social`.
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

/// The feed of a Lemmy community, which its own instance publishes.
fn community(instance: &str, name: &str) -> SourceDefinition {
    feed(&format!("{instance}-{name}"), &format!("https://{instance}/feeds/c/{name}.xml?sort=New"))
}

/// The feed of a subreddit, which can be read without an OAuth application.
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
        ("store.steampowered.com" | "steamcommunity.com", ["app", app, ..]) if is_number(app) => {
            Some(steam(app, &path))
        }
        ("news.google.com", ["search"]) => Some(google_news(&url)),
        ("news.google.com", ["topics" | "publications" | "stories", ..]) => {
            let path = format!("https://news.google.com/rss{}", url.path());
            Some(feed("google-news", &url.query().map_or(path.clone(), |query| format!("{path}?{query}"))))
        }
        ("bing.com", ["news", "search"]) => Some(bing_news(&url)),
        ("youtube.com" | "m.youtube.com" | "music.youtube.com" | "youtu.be", _) => you_tube(url.as_str()),
        (site, ["questions", rest @ ..]) if STACK_SITES.contains(&site) || site.ends_with(".stackexchange.com") => {
            stack_exchange(site, rest)
        }
        ("github.com", [owner, name, "discussions"]) => Some(feed(
            &format!("{owner}-{name}-discussions"),
            &format!("https://github.com/{owner}/{name}/discussions.atom"),
        )),
        ("github.com", [owner, name, "releases"]) => {
            Some(feed(&format!("{owner}-{name}-releases"), &format!("https://github.com/{owner}/{name}/releases.atom")))
        }
        ("github.com", [owner, _, ..]) if !GITHUB_PAGES.contains(owner) && !url.path().ends_with(".atom") => {
            repository(url.as_str())
        }
        // Discourse has feeds of topics and categories (https://meta.discourse.org/t/392890). Its pages link to the
        // feed of the whole forum first, so feed discovery would find the wrong feed.
        (forum, ["t", topic, id, ..]) if is_number(id) => Some(discourse(forum, topic, &format!("t/{topic}/{id}"))),
        (forum, ["c", parents @ .., id]) if is_number(id) && !parents.is_empty() => {
            Some(discourse(forum, parents[parents.len() - 1], &format!("c/{}/{id}", parents.join("/"))))
        }
        (instance, ["tags", tag]) => {
            Some(definition("mastodon", &format!("{instance}-{tag}"), json!({"instances": [instance], "tags": [tag]})))
        }
        (instance, [account]) if account.starts_with('@') && !account.contains('.') => {
            Some(feed(&format!("{}-{instance}", &account[1..]), &format!("https://{instance}/{account}.rss")))
        }
        (instance, ["c", name]) if is_word(name) => Some(community(instance, name)),
        // A community that belongs to another instance.
        (_, ["c", name]) if name.contains('@') => lemmy(&format!("!{name}")),
        _ if is_api(&url) => Some(definition("json", host, json!({"url": url.as_str()}))),
        _ => None,
    };
    // Any other page may link to a feed.
    known.or_else(|| Some(feed(host, url.as_str())))
}

/// Apple's feed of the customer reviews of an app, from the path of the app's page: `/us/app/name/id123`.
fn app_reviews(path: &[&str]) -> Option<SourceDefinition> {
    let id = path.iter().find_map(|part| part.strip_prefix("id").filter(|id| is_number(id)))?;
    let country = path.first().filter(|part| part.len() == 2).copied().unwrap_or("us");
    let name = path.iter().position(|part| *part == "app").and_then(|at| path.get(at + 1)).copied().unwrap_or(id);
    let url = format!("https://itunes.apple.com/{country}/rss/customerreviews/page=1/id={id}/sortby=mostrecent/xml");
    Some(feed(&format!("app-store-{name}"), &url))
}

/// The feed of a page of a Discourse forum.
fn discourse(forum: &str, name: &str, path: &str) -> SourceDefinition {
    feed(&format!("{forum}-{name}"), &format!("https://{forum}/{path}.rss"))
}

/// The reviews of a game, from the path of its page: `/app/620/Portal_2/`.
fn steam(app: &str, path: &[&str]) -> SourceDefinition {
    let name = path.get(2).copied().unwrap_or(app);
    definition("steam", &format!("steam-{name}"), json!({"apps": [app]}))
}

/// The comments on a video or a channel.
fn you_tube(url: &str) -> Option<SourceDefinition> {
    if let Some(video) = youtube::video(url) {
        return Some(definition("youtube", &format!("youtube-{video}"), json!({"videos": [video]})));
    }
    let channel = youtube::channel(url)?.to_string();
    Some(definition("youtube", &format!("youtube-{channel}"), json!({"channels": [channel]})))
}

/// The issues of a repository.
fn repository(url: &str) -> Option<SourceDefinition> {
    let repository = github::repository(url)?;
    Some(definition("github", &format!("github-{repository}"), json!({"repositories": [repository]})))
}

/// A feed of a Stack Exchange site: of a tag, of the answers to a question, or of all questions.
fn stack_exchange(site: &str, rest: &[&str]) -> Option<SourceDefinition> {
    let name = site.trim_end_matches(".com").trim_end_matches(".stackexchange");
    match rest {
        ["tagged", tag] => Some(feed(&format!("{name}-{tag}"), &format!("https://{site}/feeds/tag/{tag}"))),
        [id, ..] if is_number(id) => {
            Some(feed(&format!("{name}-{id}"), &format!("https://{site}/feeds/question/{id}")))
        }
        [] => Some(feed(name, &format!("https://{site}/feeds"))),
        _ => None,
    }
}

/// Whether `url` is probably an API that returns JSON.
fn is_api(url: &Url) -> bool {
    let (host, path) = (url.host_str().unwrap_or_default(), url.path());
    let is_feed = path.contains("feed") || path.contains("rss");
    !is_feed && (host.starts_with("api.") || path.contains("/api/") || path.ends_with(".json"))
}

/// A search on Bing, which returns its results as a feed.
fn bing_news(url: &Url) -> SourceDefinition {
    let words = url.query_pairs().find(|(key, _)| key == "q").map(|(_, words)| words.into_owned()).unwrap_or_default();
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("format", "rss");
    feed(&format!("bing-news-{words}"), url.as_str())
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
        assert_eq!(found("steamcommunity.com/app/620/reviews").2, steam.2);
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
