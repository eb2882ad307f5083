//! YouTube's Data API, as described in <https://developers.google.com/youtube/v3/docs/commentThreads/list>. It lists
//! threads of comments, newest first, in pages of at most 100, with some of their replies. `comments` returns all
//! replies, and `channels` resolves handles. Errors have a reason.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::web::{Reply, Request, Web, lock};

/// The API key that the fake accepts.
pub const KEY: &str = "AIza-s3cret";
/// A video with comments.
pub const VIDEO: &str = "dQw4w9WgXcQ";
/// A video whose comments are disabled.
pub const CLOSED: &str = "aaaaaaaaaaa";
/// A channel with the handle `@acme`.
pub const CHANNEL: &str = "UC_x5XG1OV2P6uZZ5FSM9Ttw";
/// The number of replies that a thread contains.
const SHOWN: usize = 2;

/// The running fake.
pub struct Tube {
    pub web: Web,
    threads: Arc<Mutex<Vec<Thread>>>,
}

struct Thread {
    top: Value,
    replies: Vec<Value>,
}

impl Tube {
    pub async fn start() -> Self {
        let threads = Arc::<Mutex<Vec<Thread>>>::default();
        let shown = threads.clone();
        let web = Web::start(move |request| answer(request, &lock(&shown))).await;
        Self { web, threads }
    }

    /// Adds a comment.
    pub fn comment(&self, id: &str, text: &str) {
        lock(&self.threads).insert(0, Thread { top: comment(id, text), replies: Vec::new() });
    }

    /// Adds a comment that was written at this time.
    pub fn comment_at(&self, id: &str, text: &str, at: &str) {
        let mut top = comment(id, text);
        (top["snippet"]["publishedAt"], top["snippet"]["updatedAt"]) = (json!(at), json!(at));
        lock(&self.threads).insert(0, Thread { top, replies: Vec::new() });
    }

    /// Adds a reply to a comment.
    pub fn reply(&self, parent: &str, id: &str, text: &str) {
        let mut threads = lock(&self.threads);
        let thread = threads.iter_mut().find(|thread| thread.top["id"] == parent).expect("the comment exists");
        thread.replies.insert(0, comment(&format!("{parent}.{id}"), text));
    }

    /// Changes the text of a comment.
    pub fn edit(&self, id: &str, text: &str) {
        let mut threads = lock(&self.threads);
        let thread = threads.iter_mut().find(|thread| thread.top["id"] == id).expect("the comment exists");
        thread.top["snippet"]["textDisplay"] = json!(text);
        thread.top["snippet"]["updatedAt"] = json!("2026-03-01T13:00:00Z");
    }
}

fn comment(id: &str, text: &str) -> Value {
    json!({
        "kind": "youtube#comment", "id": id,
        "snippet": {
            "videoId": VIDEO, "textDisplay": text, "authorDisplayName": "@ada", "likeCount": 0,
            "publishedAt": "2026-03-01T12:00:00Z", "updatedAt": "2026-03-01T12:00:00Z",
        },
    })
}

/// An error in the format of the API.
pub fn error(status: u16, reason: &str, message: &str) -> Reply {
    let error = json!({"message": message, "domain": "youtube", "reason": reason});
    let body = json!({"error": {"code": status, "message": message, "errors": [error]}});
    Reply::Answer(status, Vec::new(), body.to_string().into_bytes())
}

fn answer(request: &Request, threads: &[Thread]) -> Reply {
    let get = |name: &str| request.query.get(name).map_or("", String::as_str);
    if request.header("x-goog-api-key") != KEY {
        return error(400, "badRequest", "API key not valid. Please pass a valid API key.");
    }
    match request.path.as_str() {
        "/youtube/v3/channels" if get("forHandle") == "@acme" => {
            Reply::ok(json!({"items": [{"kind": "youtube#channel", "id": CHANNEL}]}).to_string())
        }
        "/youtube/v3/channels" => Reply::ok(json!({"pageInfo": {"totalResults": 0}}).to_string()),
        "/youtube/v3/comments" => {
            let thread = threads.iter().find(|thread| thread.top["id"] == get("parentId"));
            thread.map_or_else(
                || error(404, "commentNotFound", "no such comment"),
                |thread| Reply::ok(json!({"items": thread.replies}).to_string()),
            )
        }
        "/youtube/v3/commentThreads" => match (get("videoId"), get("allThreadsRelatedToChannelId")) {
            (VIDEO, "") | ("", CHANNEL) => page(threads, get("pageToken")),
            (CLOSED, "") => error(403, "commentsDisabled", "The video has disabled comments."),
            _ => error(404, "videoNotFound", "The video could not be found."),
        },
        _ => Reply::status(404),
    }
}

fn page(threads: &[Thread], token: &str) -> Reply {
    let from: usize = match token.strip_prefix("QURT=") {
        Some(from) => from.parse().expect("a number"),
        None if token.is_empty() => 0,
        None => return error(400, "invalidPageToken", "The page token is not valid."),
    };
    let item = |thread: &Thread| {
        let shown = &thread.replies[..thread.replies.len().min(SHOWN)];
        let snippet = json!({"topLevelComment": thread.top, "totalReplyCount": thread.replies.len(), "videoId": VIDEO});
        json!({"kind": "youtube#commentThread", "id": thread.top["id"], "snippet": snippet, "replies": {"comments": shown}})
    };
    let items: Vec<Value> = threads.iter().skip(from).take(100).map(item).collect();
    let next = (threads.len() > from + 100).then(|| format!("QURT={}", from + 100));
    Reply::ok(json!({"items": items, "nextPageToken": next}).to_string())
}
