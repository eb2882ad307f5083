//! Reads older posts of Discourse forums, whose feeds have only one page. The forum returns further posts as JSON
//! (<https://docs.discourse.org/#tag/Posts>).
//!
//! | feed | further pages | posts |
//! |---|---|---|
//! | `posts.rss` | `posts.json?before=ID` | all |
//! | `latest.rss`, `c/CATEGORY/ID.rss` | `posts.json?before=ID` | the first post of each topic, in the category |
//! | `t/TOPIC/ID.rss` | `t/ID/posts.json?post_number=NUMBER&asc=false` | all |
//!
//! Posts have the same ids as in the feed, so that each post is counted once. If the ids of a feed have another form,
//! other software has written the feed, and there are no further pages.

use serde::Deserialize;
use url::Url;

use super::super::SourceError;
use super::super::draft::Found;
use super::super::history::Page;
use super::super::lenient::lenient;
use super::super::{fetch, html};
use super::{entry, limits};
use sentistream_core::domain::Timestamp;
use sentistream_core::outbound::Answer;

/// What a feed contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    /// All posts.
    Posts,
    /// The first posts of all topics, of the forum or of the category with this id.
    Topics(Option<u64>),
    /// The posts of the topic with this id.
    Topic(u64),
}

/// The older pages of a feed.
#[derive(Clone, Debug)]
pub struct Pages {
    /// The base URL of the forum, which ends with a slash.
    forum: Url,
    list: List,
}

/// The JSON document of a page.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    latest_posts: Vec<Post>,
    post_stream: Stream,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stream {
    posts: Vec<Post>,
}

/// A post. Optional fields of unexpected types count as missing.
#[derive(Deserialize)]
struct Post {
    id: u64,
    topic_id: u64,
    post_number: u64,
    created_at: Timestamp,
    /// The text as HTML.
    #[serde(default, deserialize_with = "lenient")]
    cooked: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    topic_title: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    topic_slug: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    category_id: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    username: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
}

impl List {
    /// The fragment that marks the URL of a page. Fragments are not sent to the server.
    fn fragment(self) -> String {
        match self {
            Self::Posts => "posts".to_owned(),
            Self::Topics(None) => "topics".to_owned(),
            Self::Topics(Some(category)) => format!("topics-{category}"),
            Self::Topic(topic) => format!("topic-{topic}"),
        }
    }

    fn of_fragment(text: &str) -> Option<Self> {
        match text.split_once('-') {
            None if text == "posts" => Some(Self::Posts),
            None if text == "topics" => Some(Self::Topics(None)),
            Some(("topics", category)) => category.parse().ok().map(|category| Self::Topics(Some(category))),
            Some(("topic", topic)) => topic.parse().ok().map(Self::Topic),
            _ => None,
        }
    }

    /// The id that the post has in the feed.
    fn id(self, host: &str, post: &Post) -> String {
        match self {
            Self::Posts => format!("{host}-post-{}", post.id),
            Self::Topics(_) => format!("{host}-topic-{}", post.topic_id),
            Self::Topic(topic) => format!("{host}-post-{topic}-{}", post.post_number),
        }
    }

    /// The prefix of ids in the feed, before a number.
    fn prefix(self, host: &str) -> String {
        match self {
            Self::Posts => format!("{host}-post-"),
            Self::Topics(_) => format!("{host}-topic-"),
            Self::Topic(topic) => format!("{host}-post-{topic}-"),
        }
    }

    fn takes(self, post: &Post) -> bool {
        match self {
            Self::Posts | Self::Topic(_) => true,
            Self::Topics(category) => {
                post.post_number == 1 && category.is_none_or(|category| post.category_id == Some(category))
            }
        }
    }
}

impl Pages {
    /// The pages of the feed at `url`; `None` when `url` is not the URL of a Discourse feed.
    fn after(url: &Url) -> Option<Self> {
        let path = url.path().strip_suffix(".rss")?;
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let number = |text: &&str| text.parse::<u64>().ok();
        let last = parts.last()?;
        let (at, list) = match parts.iter().position(|part| ["t", "c"].contains(part)) {
            Some(at) if parts[at] == "t" => (at, List::Topic(number(last)?)),
            Some(at) => (at, List::Topics(Some(number(last)?))),
            None if *last == "posts" => (parts.len() - 1, List::Posts),
            None if *last == "latest" => (parts.len() - 1, List::Topics(None)),
            None => return None,
        };
        let mut forum = url.clone();
        forum.set_query(None);
        forum.set_fragment(None);
        remove_account(&mut forum);
        let folder: String = parts[..at].iter().map(|part| format!("{part}/")).collect();
        forum.set_path(&folder);
        Some(Self { forum, list })
    }

    /// The pages for the position `url` in a history; `None` if `url` does not have the form of [`Self::url`].
    pub fn at(url: &Url) -> Option<Self> {
        let list = List::of_fragment(url.fragment()?)?;
        let folder = match list {
            List::Posts | List::Topics(_) => url.path().strip_suffix("posts.json")?,
            List::Topic(topic) => url.path().strip_suffix(&format!("t/{topic}/posts.json"))?,
        };
        let mut forum = url.clone();
        forum.set_query(None);
        forum.set_fragment(None);
        remove_account(&mut forum);
        forum.set_path(folder);
        Some(Self { forum, list })
    }

    /// The URL of the page with the posts before the id `before`, or before that number in a topic. `None`: the newest
    /// posts.
    fn url(&self, before: Option<u64>) -> Option<Url> {
        let mut url = match self.list {
            List::Posts | List::Topics(_) => self.forum.join("posts.json"),
            List::Topic(topic) => self.forum.join(&format!("t/{topic}/posts.json")),
        }
        .ok()?;
        if let Some(before) = before {
            let before = before.to_string();
            match self.list {
                List::Posts | List::Topics(_) => _ = url.query_pairs_mut().append_pair("before", &before),
                List::Topic(_) => {
                    url.query_pairs_mut().append_pair("post_number", &before).append_pair("asc", "false");
                }
            }
        }
        url.set_fragment(Some(&self.list.fragment()));
        Some(url)
    }

    fn host(&self) -> &str {
        self.forum.host_str().unwrap_or_default()
    }

    /// Parses a page of posts of `feed`. Posts older than `since` are not needed.
    ///
    /// # Errors
    /// When the response is not a page of posts.
    pub fn read(&self, (answer, feed): (&Answer, &Url), since: Timestamp, now: Timestamp) -> Result<Page, SourceError> {
        if let Err(error) = limits::of_json(&answer.body) {
            return Err(SourceError::Transient(format!("{}: {error}", fetch::shown(&answer.url))));
        }
        let Document { latest_posts, post_stream } = fetch::json(answer)?;
        let posts: Vec<Post> = latest_posts.into_iter().chain(post_stream.posts).collect();
        let place = |post: &Post| if matches!(self.list, List::Topic(_)) { post.post_number } else { post.id };
        let is_older = posts.iter().all(|post| post.created_at < since);
        let before = posts.iter().map(place).min().filter(|before| *before > 1 && !is_older);
        let mut page =
            Page { next: before.and_then(|before| self.url(Some(before))).map(Into::into), ..Page::default() };
        for post in posts.into_iter().filter(|post| self.list.takes(post)) {
            self.found(post, feed).add_to(&mut page.batch, "rss", now);
        }
        Ok(page)
    }

    fn found(&self, post: Post, feed: &Url) -> Found {
        let post_id = entry::id_in(feed, &self.list.id(self.host(), &post));
        let slug = post.topic_slug.as_deref().unwrap_or("-");
        let number = if post.post_number > 1 { format!("/{}", post.post_number) } else { String::new() };
        let url = self.forum.join(&format!("t/{slug}/{}{number}", post.topic_id)).ok();
        let name = post.name.filter(|name| !name.is_empty()).map(|name| format!(" {name}")).unwrap_or_default();
        let parts = [post.topic_title, post.cooked.map(|markup| html::text(&markup))];
        let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        Found {
            post_id,
            content: parts.join("\n\n"),
            author: post.username.map(|username| format!("@{username}{name}")),
            created_at: Some(post.created_at),
            url: url.map(Into::into),
            ..Found::default()
        }
    }
}

/// Removes the user and password of a URL, because positions are stored in plain text.
fn remove_account(url: &mut Url) {
    // A URL without a host has no user and no password.
    _ = url.set_username("");
    _ = url.set_password(None);
}

/// The URL to request for a position: without its fragment, and with the user, password and query of the configured
/// `feed`, which a private forum requires. These secrets are sent only to the server of the feed.
pub fn request_url(position: &Url, feed: &Url) -> Url {
    let mut url = position.clone();
    url.set_fragment(None);
    if url.origin() != feed.origin() {
        return url;
    }
    // A URL without a host has no user and no password.
    _ = url.set_username(feed.username());
    _ = url.set_password(feed.password());
    let is_set = |name: &str| position.query_pairs().any(|(set, _)| set == name);
    for (name, value) in feed.query_pairs() {
        if !is_set(&name) {
            url.query_pairs_mut().append_pair(&name, &value);
        }
    }
    url
}

/// The URL of the first older page of the feed at `url`, whose entries have these ids; `None` when it is not a
/// Discourse feed.
pub fn next(url: &Url, feed: &Url, mut ids: impl Iterator<Item = String>) -> Option<Url> {
    let pages = Pages::after(url)?;
    let prefix = entry::id_in(feed, &pages.list.prefix(pages.host()));
    let oldest = ids.try_fold(None::<u64>, |oldest, id| {
        let number: u64 = id.strip_prefix(&prefix)?.parse().ok()?;
        Some(Some(oldest.map_or(number, |oldest| oldest.min(number))))
    });
    match (oldest??, pages.list) {
        // The feed contains topics instead of posts, so its ids give no position. The pages begin with the newest post.
        (_, List::Topics(_)) => pages.url(None),
        (1, List::Topic(_)) => None,
        (oldest, List::Posts | List::Topic(_)) => pages.url(Some(oldest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_of(feed: &str, ids: &[&str]) -> Option<String> {
        let feed: Url = feed.parse().unwrap();
        next(&feed, &feed, ids.iter().map(|id| entry::id_in(&feed, id))).map(Into::into)
    }

    #[test]
    fn next_page_of_a_forum_is_derived_from_its_feed() {
        for (feed, ids, expected) in [
            ("https://f.example/posts.rss", ["f.example-post-9", "f.example-post-7"], "posts.json?before=7#posts"),
            ("https://f.example/latest.rss", ["f.example-topic-9", "f.example-topic-7"], "posts.json#topics"),
            ("https://f.example/c/help/sub/5.rss", ["f.example-topic-9", "f.example-topic-7"], "posts.json#topics-5"),
            (
                "https://f.example/t/title/12.rss",
                ["f.example-post-12-40", "f.example-post-12-16"],
                "t/12/posts.json?post_number=16&asc=false#topic-12",
            ),
        ] {
            assert_eq!(next_of(feed, &ids).unwrap(), format!("https://f.example/{expected}"), "{feed}");
        }
        let folder = next_of("https://a.example/forum/posts.rss", &["a.example-post-9"]);
        assert_eq!(folder.unwrap(), "https://a.example/forum/posts.json?before=9#posts");
        for (feed, id) in [
            ("https://f.example/posts.rss", "tag:other-software"),
            ("https://f.example/posts.rss", "g.example-post-7"),
            ("https://f.example/feed.rss", "f.example-post-7"),
            ("https://f.example/t/title/12.rss", "f.example-post-12-1"),
        ] {
            assert_eq!(next_of(feed, &[id]), None, "{feed} {id}");
        }
    }

    #[test]
    fn request_has_the_secrets_of_the_feed_on_its_server_only() {
        let feed: Url = "https://ada:pw%40@f.example/posts.rss?api_key=k&before=3".parse().unwrap();
        let position = next(&feed, &feed, std::iter::once(entry::id_in(&feed, "f.example-post-9"))).unwrap();
        assert_eq!(position.as_str(), "https://f.example/posts.json?before=9#posts");
        let url = request_url(&position, &feed);
        assert_eq!(url.as_str(), "https://ada:pw%40@f.example/posts.json?before=9&api_key=k");
        for other in ["http://f.example/", "https://g.example/", "https://f.example:444/"] {
            let url: Url = format!("{other}posts.json?before=9#posts").parse().unwrap();
            assert_eq!(request_url(&url, &feed).as_str(), format!("{other}posts.json?before=9"));
        }
    }

    #[test]
    fn list_is_restored_from_the_position_of_a_page() {
        for list in [List::Posts, List::Topics(None), List::Topics(Some(5)), List::Topic(12)] {
            let pages = Pages { forum: "https://f.example/forum/".parse().unwrap(), list };
            let read = Pages::at(&pages.url(Some(7)).unwrap()).unwrap();
            assert_eq!((read.list, read.forum.as_str()), (list, "https://f.example/forum/"));
        }
        assert!(Pages::at(&"https://f.example/posts.rss?page=2".parse().unwrap()).is_none());
    }
}
