//! Finds the source for the URL of a page.

use serde_json::json;
use url::Url;

use super::super::{github, youtube};
use super::{bluesky, community, definition, feed, is_host, is_number, is_word, lemmy, reddit};
use sentistream_core::domain::managed_source::SourceDefinition;

/// First path segments of GitHub URLs that do not name an owner of repositories.
const GITHUB_PAGES: [&str; 10] =
    ["apps", "collections", "features", "marketplace", "orgs", "search", "settings", "sponsors", "topics", "users"];
/// Sites of Stack Exchange with their own domains. All other sites end with `.stackexchange.com`.
const STACK_SITES: [&str; 6] =
    ["askubuntu.com", "mathoverflow.net", "serverfault.com", "stackapps.com", "stackoverflow.com", "superuser.com"];

/// A source for the web page, the feed or the API at `address`; `None` if `address` is not a URL.
pub(super) fn page(address: &str) -> Option<SourceDefinition> {
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
        ("store.steampowered.com", ["app", app, name, ..]) if is_number(app) => Some(steam(app, name)),
        ("store.steampowered.com" | "steamcommunity.com", ["app", app, ..]) if is_number(app) => Some(steam(app, app)),
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
    // Any other page may link to a feed, so it becomes a feed source.
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

/// The reviews of a game.
fn steam(app: &str, name: &str) -> SourceDefinition {
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
