//! Tests of the history import of sources that read APIs, against fakes and without the pauses between pages.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap};
use sentistream::clock::Clock;
use sentistream::domain::Timestamp;
use sentistream::sources::bluesky::{self, BlueskyOptions, Filter, FilterOptions};
use sentistream::sources::github::{self, GitHubOptions, Parts};
use sentistream::sources::history::Progress;
use sentistream::sources::json::{self, JsonOptions};
use sentistream::sources::mapping::Mapping;
use sentistream::sources::rss::{self, RssOptions};
use sentistream::sources::youtube::{self, Place, YouTubeOptions};
use sentistream::sources::{Opening, SourceSpec};
use serde_json::json;

use super::polling::fetcher;
use crate::fakes::appview::{ADA, AppView};
use crate::fakes::discourse::{self, Post};
use crate::fakes::github::{Hub, TOKEN};
use crate::fakes::reviews::{KEY as REVIEWS_KEY, Reviews};
use crate::fakes::youtube::{CLOSED, KEY, Tube, VIDEO, error};

const HOUR: Duration = Duration::from_secs(3_600);
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// More batches than any history in these tests has.
const ALL: usize = 100;

/// A clock at a time after all posts of the fakes.
fn clock() -> Clock {
    Clock::fixed("2026-03-01T13:00:00Z".parse().expect("a time"))
}

/// The time `hours` before the time of [`clock`].
fn hours_ago(hours: u32) -> Timestamp {
    clock().now() - HOUR * hours
}

/// The result of reading a history.
#[derive(Debug, Default)]
struct Past {
    ids: BTreeSet<String>,
    errors: Vec<String>,
    /// The longest wait that the history requested.
    wait: Duration,
    cursor: Option<String>,
    finished: bool,
}

/// Reads at most `batches` batches of the history of `spec`, starting at `cursor`.
async fn read(spec: &SourceSpec, cursor: Option<String>, batches: usize) -> Past {
    let history = spec.history().expect("a history");
    let mut source = history.open(Opening { cursor, failures: 0 });
    let mut past = Past::default();
    for _ in 0..batches {
        let batch = source.next(1_000).await.expect("a history does not fail");
        let posts = batch.ops.iter().filter_map(|op| op.post());
        past.ids.extend(posts.map(|post| post.post_id.as_str().to_owned()));
        past.errors.extend(batch.troubles.into_iter().chain(batch.rejected));
        past.wait = past.wait.max(batch.wait);
        past.cursor = batch.cursor.or(past.cursor);
        if batch.finished {
            past.finished = true;
            break;
        }
    }
    past
}

/// Reads the whole history of `spec`.
async fn read_all(spec: &SourceSpec) -> Past {
    let past = read(spec, None, ALL).await;
    assert!(past.finished && past.errors.is_empty(), "{past:?}");
    past
}

fn hub_spec(hub: &Hub, token: Option<&str>) -> SourceSpec {
    let options = GitHubOptions {
        base: hub.web.at("/"),
        repositories: vec!["acme/phone".to_owned()],
        token: token.map(Into::into),
        parts: Parts { comments: true, discussions: token.is_some(), pull_requests: false },
        interval: HOUR,
        history: WEEK,
    };
    github::spec("hub", options, fetcher(), clock())
}

#[tokio::test]
async fn older_items_of_github_are_read_across_a_restart() {
    let hub = Hub::start().await;
    for number in 1..=250 {
        hub.issue(number, "I love it", number);
    }
    // This issue was changed recently, but it was written before the span of the history.
    hub.add_issue(json!({
        "id": 1, "number": 900, "title": "Old", "created_at": "2025-01-01T12:00:00Z", "updated_at": "2026-03-01T12:50:00Z",
        "html_url": "https://github.com/acme/phone/issues/900",
    }));
    hub.comment(5, 1, "I hate it");
    for number in 300..340 {
        hub.discussion(number, "I love it");
    }
    let spec = hub_spec(&hub, Some(TOKEN));
    let first = read(&spec, None, 3).await;
    assert_eq!((first.ids.len(), first.finished), (200, false), "two pages of 100 issues are read");
    let rest = read(&spec, first.cursor, ALL).await;
    assert!(rest.finished && rest.errors.is_empty(), "{rest:?}");
    let all: BTreeSet<&String> = first.ids.union(&rest.ids).collect();
    assert_eq!((all.len(), first.ids.intersection(&rest.ids).count()), (250 + 1 + 40 * 3, 0));
    assert!(!all.iter().any(|id| id.ends_with("#900")), "an old issue with a recent change is not read");
    let requests = hub.web.requests();
    let lists = requests.iter().filter(|request| request.query.get("sort").is_some_and(|sort| sort == "created"));
    assert!(lists.clone().all(|request| request.query["since"].starts_with("2026-02-22T13:00:00")));
    assert_eq!((lists.count(), requests.len()), (3 + 1, 3 + 1 + 2), "each page is requested once");
}

#[tokio::test]
async fn history_of_github_without_a_token_is_read_slowly() {
    let hub = Hub::start().await;
    hub.issue(1, "I love it", 1);
    let past = read_all(&hub_spec(&hub, None)).await;
    assert_eq!(past.ids.len(), 1);
    assert!(past.wait >= Duration::from_secs(120), "the history leaves most of the 60 requests per hour to new items");
}

fn tube_spec(tube: &Tube, videos: &[&str]) -> SourceSpec {
    let options = YouTubeOptions {
        base: tube.web.at("/youtube/v3/"),
        key: KEY.into(),
        places: videos.iter().map(|video| Place::Video((*video).to_owned())).collect(),
        replies: true,
        interval: HOUR,
        history: WEEK,
    };
    youtube::spec("tube", options, fetcher(), clock())
}

/// A video with a comment per hour, and replies to one of the comments.
async fn tube() -> Tube {
    let tube = Tube::start().await;
    for hour in (0..300).rev() {
        tube.comment_at(&format!("c{hour}"), "I love it", &hours_ago(hour).to_string());
    }
    for number in 0..5 {
        tube.reply("c10", &number.to_string(), "I hate it");
    }
    tube
}

#[tokio::test]
async fn older_comments_of_youtube_are_read_for_the_span() {
    let tube = tube().await;
    let past = read(&tube_spec(&tube, &[CLOSED, VIDEO]), None, ALL).await;
    assert_eq!((past.finished, past.ids.len(), past.errors.len()), (true, 169 + 5, 1), "{:?}", past.errors);
    assert!(past.errors[0].contains("comments are turned off"), "a video without comments is left out");
    let has = |id: &str| past.ids.contains(id);
    assert!(has("youtube:c168") && !has("youtube:c169") && has("youtube:c10.0"));
}

#[tokio::test]
async fn expired_youtube_page_token_restarts_the_history() {
    let tube = tube().await;
    let spec = tube_spec(&tube, &[VIDEO]);
    let first = read(&spec, None, 2).await;
    let cursor = first.cursor.expect("a cursor");
    assert!(cursor.contains("QURT=100"), "{cursor}");
    let rest = read(&spec, Some(cursor.replace("QURT=100", "EXPIRED")), ALL).await;
    assert!(rest.finished && rest.errors.is_empty() && rest.ids.len() == 174, "{rest:?}");
}

#[tokio::test]
async fn history_of_youtube_waits_for_the_next_quota() {
    let tube = tube().await;
    tube.web.script_replies([error(403, "quotaExceeded", "The request cannot be completed.")]);
    let past = read(&tube_spec(&tube, &[VIDEO]), None, ALL).await;
    assert!(past.errors.len() == 1 && past.errors[0].contains("daily quota"), "{:?}", past.errors);
    // The quota is renewed at midnight in Los Angeles, where it is 5:00.
    assert_eq!((past.wait, past.ids.len()), (HOUR * 19, 174));
}

fn shop_spec(reviews: &Reviews, place: &str) -> SourceSpec {
    let path = |text: &str| text.parse().expect("a path");
    let (items, next) = if place == "/api" { ("$.data.reviews", Some(path("$.links.next"))) } else { ("$", None) };
    let options = JsonOptions {
        url: reviews.web.at(place),
        headers: HeaderMap::from_iter([(AUTHORIZATION, REVIEWS_KEY.parse().expect("a value"))]),
        mapping: Mapping {
            items: path(items),
            text: path("$.body"),
            id: Some(path("$.id")),
            author: None,
            time: Some(path("$.posted")),
            url: None,
            lang: None,
        },
        next,
        interval: HOUR,
        history: WEEK,
    };
    json::spec("shop", options, fetcher(), clock())
}

#[tokio::test]
async fn older_pages_of_a_json_endpoint_are_read() {
    let reviews = Reviews::start().await;
    reviews.add(json!({"id": 900, "body": "Old", "posted": 1_600_000_000}));
    for id in 0..45 {
        reviews.write(id, "I love it");
    }
    for place in ["/reviews", "/api"] {
        let past = read_all(&shop_spec(&reviews, place)).await;
        assert_eq!((past.ids.len(), past.ids.contains("shop:900")), (45, false), "{place}");
        // The cursor contains the source of the posts, by which alerts recognise imported posts.
        assert_eq!(Progress::read(&past.cursor.expect("a cursor")).expect("a progress").source, "shop");
    }
    assert_eq!(reviews.web.requests().len(), 2 * 5);
}

fn sky_spec(api: &AppView, authors: &[&str], keywords: &[&str]) -> SourceSpec {
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let filter = FilterOptions { keywords: list(keywords), languages: list(&["en"]), sample: 1.0 };
    let options = BlueskyOptions {
        hosts: Vec::new(),
        filter: Filter::new(&filter).expect("a filter"),
        authors: list(authors),
        api: api.web.at("/"),
        look_back: Duration::ZERO,
        idle_limit: HOUR,
        dictionary: None,
        history: WEEK,
    };
    bluesky::spec("sky", options, fetcher, clock())
}

/// Posts of Ada, one per hour. Every second post contains "Acme phone".
async fn sky() -> AppView {
    let api = AppView::start().await;
    for hour in 0..300 {
        let text = if hour % 2 == 0 { "My Acme phone" } else { "Something else" };
        api.add_older(&format!("k{hour}"), hours_ago(hour), text);
    }
    api
}

#[tokio::test]
async fn older_posts_of_bluesky_accounts_are_read() {
    let api = sky().await;
    let past = read_all(&sky_spec(&api, &[ADA.0], &[])).await.ids;
    assert_eq!(past.len(), 169, "reposts are not posts of the account");
    assert!(past.contains("at://did:plc:ada/app.bsky.feed.post/k168"), "{past:?}");
    let past = read_all(&sky_spec(&api, &[ADA.1], &["acme"])).await.ids;
    assert_eq!(past.len(), 85, "the filters apply");
    let past = read(&sky_spec(&api, &["gone.test", ADA.0], &[]), None, ALL).await;
    assert_eq!((past.finished, past.ids.len()), (true, 169));
    assert!(past.errors[0].contains("check the account gone.test"), "{:?}", past.errors);
}

#[tokio::test]
async fn older_posts_of_bluesky_keywords_are_searched() {
    let api = sky().await;
    // The results have more than one page.
    let past = read_all(&sky_spec(&api, &[], &["e"])).await;
    assert_eq!(past.ids.len(), 169);
    assert!(past.wait >= Duration::from_secs(2), "the source pauses longer between searches than between lists");
    assert_eq!(read_all(&sky_spec(&api, &[], &["acme PHONE"])).await.ids.len(), 85);
}

#[tokio::test]
async fn rejected_search_of_bluesky_is_reported_with_its_reason() {
    let api = sky().await;
    api.close_search();
    let past = read(&sky_spec(&api, &[], &["acme"]), None, ALL).await;
    assert_eq!((past.finished, past.ids.len(), api.web.requests().len()), (true, 0, 1));
    assert!(past.errors[0].contains("refuses public searches"), "{:?}", past.errors);
}

fn forum_spec(url: url::Url) -> SourceSpec {
    let options = RssOptions { feeds: vec![url], min_interval: HOUR, max_interval: HOUR, history: WEEK };
    rss::spec("forum", options, fetcher, clock())
}

#[tokio::test]
async fn older_posts_of_a_discourse_forum_are_read() {
    // There is one post every half an hour: first the 60 posts that begin a topic, then further posts of these topics.
    let at = |id: u32| hours_ago(0).as_seconds() - i64::from(300 - id) * 1_800;
    let post = |id: u32| {
        let (topic, number) = (u64::from((id - 1) % 60) + 1, u64::from((id - 1) / 60) + 1);
        Post { id: id.into(), topic, number, category: 5 + topic % 2, at: at(id) }
    };
    let web = discourse::forum((1..=300).map(post).collect()).await;
    let count = async |path: &str| read_all(&forum_spec(web.at(path))).await.ids.len();
    assert_eq!(count("/posts.rss").await, 300, "a post of the feed and of the list is counted once");
    assert_eq!(count("/latest.rss").await, 60);
    assert_eq!(count("/c/help/5.rss").await, 30);
    // The topic has fewer posts than its feed shows.
    assert_eq!(count("/t/love/12.rss").await, 5);
}

#[tokio::test]
async fn older_posts_of_a_private_discourse_forum_are_read() {
    let at = |id: u32| hours_ago(0).as_seconds() - i64::from(120 - id) * 1_800;
    let post = |id: u32| Post { id: id.into(), topic: id.into(), number: 1, category: 5, at: at(id) };
    let web = discourse::private_forum((1..=120).map(post).collect()).await;
    let with_key = web.at(&format!("/posts.rss?api_key={}&api_username=ada", discourse::KEY));
    let mut with_password = web.at("/posts.rss");
    with_password.set_username("ada").expect("a host");
    with_password.set_password(Some(discourse::KEY)).expect("a host");
    for feed in [with_key, with_password] {
        let spec = forum_spec(feed);
        assert_eq!(read_all(&spec).await.ids.len(), 120);
        let cursor = read(&spec, None, 2).await.cursor.expect("a cursor");
        assert!(cursor.contains("/posts.json") && !cursor.contains(discourse::KEY), "{cursor}");
    }
}

#[tokio::test]
async fn older_posts_of_a_long_discourse_topic_are_read() {
    let post = |number: u32| Post {
        id: u64::from(number) + 500,
        topic: 7,
        number: number.into(),
        category: 5,
        at: hours_ago(300 - number).as_seconds(),
    };
    let web = discourse::forum((1..=300).map(post).collect()).await;
    let past = read_all(&forum_spec(web.at("/t/love/7.rss"))).await;
    assert_eq!(past.ids.len(), 169, "{:?}", past.ids);
    let pages = web.requests().iter().filter(|request| request.path == "/t/7/posts.json").count();
    assert_eq!(pages, 9, "144 posts follow the feed in pages of 20, and one page is older than the span");
}
