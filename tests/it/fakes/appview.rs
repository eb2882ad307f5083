//! The public API of Bluesky: the posts of an account (<https://docs.bsky.app/docs/api/app-bsky-feed-get-author-feed>),
//! and the search for posts (<https://docs.bsky.app/docs/api/app-bsky-feed-search-posts>). The search refuses cursors
//! of clients that are not signed in, and is sometimes disabled
//! (<https://github.com/bluesky-social/bsky-docs/issues/296>).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sentistream::domain::Timestamp;
use serde_json::{Value, json};

use super::web::{Reply, Request, Web, lock};

/// The handle and the DID of the account that has posts.
pub const ADA: (&str, &str) = ("ada.test", "did:plc:ada");

/// The running fake.
pub struct AppView {
    pub web: Web,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The posts, newest first.
    posts: Mutex<Vec<Value>>,
    is_closed: AtomicBool,
}

impl AppView {
    pub async fn start() -> Self {
        let state = Arc::<State>::default();
        let shown = state.clone();
        let web = Web::start(move |request| answer(request, &shown)).await;
        Self { web, state }
    }

    /// Adds an older post of Ada.
    pub fn add_older(&self, key: &str, at: Timestamp, text: &str) {
        let (handle, did) = ADA;
        let post = json!({
            "uri": format!("at://{did}/app.bsky.feed.post/{key}"), "cid": "bafy", "author": {"did": did, "handle": handle},
            "record": {"$type": "app.bsky.feed.post", "text": text, "langs": ["en"], "createdAt": at.to_string()},
            "indexedAt": at.to_string(), "likeCount": 0,
        });
        lock(&self.state.posts).push(post);
    }

    /// Refuses all searches from now on.
    pub fn close_search(&self) {
        self.state.is_closed.store(true, Ordering::Relaxed);
    }
}

fn refused(status: u16) -> Reply {
    Reply::Answer(status, Vec::new(), b"<html><body><h1>403 Forbidden</h1></body></html>".to_vec())
}

fn answer(request: &Request, state: &State) -> Reply {
    let get = |name: &str| request.query.get(name).map_or("", String::as_str);
    let limit: usize = get("limit").parse().unwrap_or(50);
    if limit > 100 {
        return Reply::status(400);
    }
    let posts = lock(&state.posts).clone();
    let at = |post: &Value| post["record"]["createdAt"].as_str().expect("a time").to_owned();
    match request.path.as_str() {
        "/xrpc/app.bsky.feed.getAuthorFeed" if [ADA.0, ADA.1].contains(&get("actor")) => {
            let from: usize = get("cursor").parse().unwrap_or(0);
            let item = |post: &Value| json!({"post": post});
            let mut feed: Vec<Value> = posts.iter().skip(from).take(limit).map(item).collect();
            let mut repost = json!({"post": posts[0], "reason": {"$type": "app.bsky.feed.defs#reasonRepost"}});
            repost["post"]["uri"] = json!("at://did:plc:bob/app.bsky.feed.post/theirs");
            feed.insert(0, repost);
            let end = from + limit;
            let cursor = (end < posts.len()).then(|| end.to_string());
            Reply::ok(json!({"feed": feed, "cursor": cursor}).to_string())
        }
        "/xrpc/app.bsky.feed.getAuthorFeed" => {
            let body = json!({"error": "InvalidRequest", "message": "Profile not found"});
            Reply::Answer(400, Vec::new(), body.to_string().into_bytes())
        }
        "/xrpc/app.bsky.feed.searchPosts" => {
            if state.is_closed.load(Ordering::Relaxed) || request.query.contains_key("cursor") {
                return refused(403);
            }
            assert_eq!(get("sort"), "latest");
            let words = get("q").trim_matches('"').to_lowercase();
            let is_found = |post: &&Value| {
                let text = post["record"]["text"].as_str().expect("a text").to_lowercase();
                text.contains(&words) && at(post).as_str() >= get("since") && at(post).as_str() < get("until")
            };
            let found: Vec<&Value> = posts.iter().filter(is_found).take(limit).collect();
            Reply::ok(json!({"posts": found, "hitsTotal": 1_000}).to_string())
        }
        _ => Reply::status(404),
    }
}
