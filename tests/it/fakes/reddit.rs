//! Reddit: tokens for an application, and listings in pages, newest first. A post that moderators approve late appears
//! in the listing at its creation time (praw-dev/praw, `models/util.py`, stores 301 ids for this reason).

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use serde_json::{Value, json};

use super::web::{Reply, Request, Web, lock};

/// The id and the secret of the application.
pub const APPLICATION: (&str, &str) = ("app", "s3cret");
/// The lifetime of a token in seconds. The source renews a token 60 s before its end, so a token is used for 6 s.
pub const TOKEN_LIFE: u64 = 66;

/// The running fake.
pub struct Site {
    pub web: Web,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    posts: Mutex<Vec<Value>>,
    comments: Mutex<Vec<Value>>,
    /// The number of issued tokens. Only the last token is valid.
    tokens: Mutex<usize>,
    revoked: Mutex<bool>,
}

impl Site {
    pub async fn start() -> Self {
        let state = Arc::<State>::default();
        let shown = state.clone();
        let web = Web::start(move |request| answer(request, &shown)).await;
        Self { web, state }
    }

    /// Adds a new post.
    pub fn post(&self, id: &str, title: &str, text: &str) {
        self.approve(0, id, title, text);
    }

    /// Adds a post that appears below `newer` others.
    pub fn approve(&self, newer: usize, id: &str, title: &str, text: &str) {
        let post = json!({
            "id": id, "name": format!("t3_{id}"), "author": "ada", "created_utc": 1_772_367_600.0, "title": title,
            "selftext": text, "permalink": format!("/r/rust/comments/{id}/x/"), "subreddit": "rust",
        });
        lock(&self.state.posts).insert(newer, post);
    }

    /// Adds a new comment.
    pub fn comment(&self, id: &str, text: &str) {
        let comment = json!({
            "id": id, "name": format!("t1_{id}"), "author": "[deleted]", "created_utc": 1_772_367_600.0, "body": text,
            "parent_id": "t3_1", "permalink": format!("/r/rust/comments/1/x/{id}/"),
        });
        lock(&self.state.comments).insert(0, comment);
    }

    /// Adds items that are neither posts nor comments: one with an invalid id, and one that is not an object.
    pub fn add_invalid_things(&self) {
        lock(&self.state.posts).splice(0..0, [json!({"id": "!!", "name": "t3_!!"}), json!(7)]);
    }

    /// Revokes the current token.
    pub fn revoke(&self) {
        *lock(&self.state.revoked) = true;
    }

    pub fn tokens(&self) -> usize {
        *lock(&self.state.tokens)
    }
}

fn answer(request: &Request, state: &State) -> Reply {
    if request.path == "/api/v1/access_token" {
        return token(request, state);
    }
    let expected = format!("Bearer token-{}", *lock(&state.tokens));
    if request.header("authorization") != expected || *lock(&state.revoked) {
        return unauthorized();
    }
    let things = match request.path.as_str() {
        "/r/rust+linux/new" => lock(&state.posts).clone(),
        "/r/rust+linux/comments" => lock(&state.comments).clone(),
        _ => return Reply::status(404),
    };
    let after = request.query.get("after");
    let start = things.iter().position(|thing| after.is_some_and(|after| thing["name"] == after.as_str()));
    let rest = &things[start.map_or(0, |start| start + 1)..];
    let page = &rest[..rest.len().min(100)];
    let after = if rest.len() > page.len() { page.last().map(|thing| thing["name"].clone()) } else { None };
    let children: Vec<Value> = page.iter().map(child).collect();
    let listing = json!({"kind": "Listing", "data": {"after": after, "children": children}});
    Reply::ok(listing.to_string()).with("x-ratelimit-remaining", "99.0").with("x-ratelimit-reset", "300")
}

fn child(thing: &Value) -> Value {
    if thing.is_object() { json!({"kind": "t3", "data": thing}) } else { thing.clone() }
}

fn unauthorized() -> Reply {
    Reply::Answer(401, Vec::new(), json!({"message": "Unauthorized", "error": 401}).to_string().into_bytes())
}

fn token(request: &Request, state: &State) -> Reply {
    let login = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", APPLICATION.0, APPLICATION.1));
    let is_right = request.method == "POST"
        && request.header("authorization") == format!("Basic {login}")
        && request.body == "grant_type=client_credentials";
    if !is_right {
        return unauthorized();
    }
    *lock(&state.revoked) = false;
    let mut tokens = lock(&state.tokens);
    *tokens += 1;
    let granted = json!({"access_token": format!("token-{}", *tokens), "token_type": "bearer", "expires_in": TOKEN_LIFE, "scope": "*"});
    Reply::ok(granted.to_string())
}
