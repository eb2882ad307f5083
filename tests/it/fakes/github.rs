//! GitHub, as <https://docs.github.com/en/rest/issues/issues> and
//! <https://docs.github.com/en/graphql/guides/using-the-graphql-api-for-discussions> describe it. Lists of issues and
//! comments are sorted by their last change, with `since`, pages in `Link` headers, entity tags and rate limits.
//! Discussions are served by GraphQL, which requires a token.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use url::Url;

use super::web::{Reply, Request, Web, lock};

/// The token that the fake accepts.
pub const TOKEN: &str = "ghp_s3cret";

/// The server with the repository `acme/phone`.
pub struct Hub {
    pub web: Web,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    issues: Mutex<Vec<Value>>,
    comments: Mutex<Vec<Value>>,
    discussions: Mutex<Vec<Value>>,
}

impl Hub {
    pub async fn start() -> Self {
        let state = Arc::<State>::default();
        let shown = state.clone();
        let web = Web::start(move |request| answer(request, &shown)).await;
        Self { web, state }
    }

    /// Adds an issue, or replaces the issue with this number. `second` is the time of its last change.
    pub fn issue(&self, number: u64, text: &str, second: u64) {
        self.add_issue(json!({
            "id": 7_000 + number, "number": number, "title": "Screen", "body": format!("**{text}**"), "body_text": text,
            "user": {"login": "ada", "id": 1}, "html_url": format!("https://github.com/acme/phone/issues/{number}"),
            "created_at": at(number), "updated_at": at(second), "state": "open",
        }));
    }

    /// Adds `issue` unchanged to the list of issues.
    pub fn add_issue(&self, issue: Value) {
        put(&mut lock(&self.state.issues), issue, "id");
    }

    /// Adds a comment on an issue.
    pub fn comment(&self, id: u64, issue: u64, text: &str) {
        let url = format!("https://github.com/acme/phone/issues/{issue}#issuecomment-{id}");
        let comment = json!({
            "id": id, "body_text": text, "user": null, "html_url": url,
            "issue_url": format!("https://api.github.com/repos/acme/phone/issues/{issue}"),
            "created_at": at(id), "updated_at": at(id),
        });
        put(&mut lock(&self.state.comments), comment, "id");
    }

    /// Adds a discussion with a comment and a reply to it.
    pub fn discussion(&self, number: u64, text: &str) {
        self.add_discussion(number, text, (1, 1));
    }

    /// Adds a discussion with up to 9 comments, and up to 99 replies to each of them.
    pub fn add_discussion(&self, number: u64, text: &str, (comments, replies): (u64, u64)) {
        let node = |id: u64, kind: &str| {
            json!({
                "databaseId": id, "bodyText": format!("{text}: {kind}"), "author": {"login": "bob"},
                "url": format!("https://github.com/acme/phone/discussions/{number}#discussioncomment-{id}"),
                "createdAt": at(number), "updatedAt": at(number),
            })
        };
        // Tests of a discussion with one comment and one reply expect ids such as 390 and 391 (discussion 39).
        let factor = if (comments, replies) == (1, 1) { 10 } else { 1_000 };
        let comment = |index: u64| {
            let id = number * factor + index * 100;
            let replies: Vec<Value> = (1..=replies).map(|reply| node(id + reply, "reply")).collect();
            let mut comment = node(id, "comment");
            comment["replies"] = json!({"nodes": replies});
            comment
        };
        let comments: Vec<Value> = (0..comments).map(comment).collect();
        let discussion = json!({
            "number": number, "title": "Plans", "bodyText": text, "author": {"login": "ada"},
            "url": format!("https://github.com/acme/phone/discussions/{number}"), "createdAt": at(number),
            "updatedAt": at(number), "comments": {"nodes": comments},
        });
        put(&mut lock(&self.state.discussions), discussion, "number");
    }
}

/// A time in GitHub's format, `second` seconds after noon.
fn at(second: u64) -> String {
    format!("2026-03-01T{:02}:{:02}:{:02}Z", 12 + second / 3_600, second / 60 % 60, second % 60)
}

fn put(list: &mut Vec<Value>, item: Value, key: &str) {
    list.retain(|known| known[key] != item[key]);
    list.push(item);
}

fn answer(request: &Request, state: &State) -> Reply {
    match request.header("authorization") {
        "" => {}
        token if token == format!("Bearer {TOKEN}") => {}
        _ => return Reply::Answer(401, Vec::new(), json!({"message": "Bad credentials"}).to_string().into()),
    }
    // An enterprise server has the API at /api/v3/ and /api/graphql.
    let path = request.path.strip_prefix("/api/v3").or(request.path.strip_prefix("/api")).unwrap_or(&request.path);
    let list = match path {
        "/repos/acme/phone/issues" => lock(&state.issues).clone(),
        "/repos/acme/phone/issues/comments" => lock(&state.comments).clone(),
        "/graphql" => return graphql(request, lock(&state.discussions).clone()),
        _ => return Reply::Answer(404, Vec::new(), json!({"message": "Not Found"}).to_string().into()),
    };
    let get = |name: &str| request.query.get(name).map_or("", String::as_str);
    let is_text = request.header("accept") == "application/vnd.github.text+json";
    let key = match (get("sort"), get("direction"), is_text) {
        ("updated", "desc", true) => "updated_at",
        ("created", "desc", true) => "created_at",
        _ => return Reply::status(400),
    };
    let time = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let mut list: Vec<Value> =
        list.into_iter().filter(|item| time(item, "updated_at").as_str() >= get("since")).collect();
    list.sort_by_key(|item| std::cmp::Reverse(time(item, key)));
    let size = get("per_page").parse().unwrap_or(30_usize).min(100);
    let page: usize = get("page").parse().unwrap_or(1);
    let shown: Vec<&Value> = list.iter().skip((page - 1) * size).take(size).collect();
    let body = json!(shown).to_string();
    let sum = body.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let etag = format!("W/\"{sum:x}\"");
    if request.header("if-none-match") == etag {
        return Reply::status(304).with("ETag", etag);
    }
    let reply = Reply::ok(body).with("ETag", etag).with("X-RateLimit-Remaining", "42").with("X-RateLimit-Reset", "0");
    if list.len() <= page * size {
        return reply;
    }
    let host = request.header("host");
    let mut next: Url = format!("http://{host}{}", request.path).parse().expect("a URL");
    let others = request.pairs.iter().filter(|(name, _)| name != "page");
    next.query_pairs_mut().extend_pairs(others).append_pair("page", &(page + 1).to_string());
    reply.with("Link", format!("<{next}>; rel=\"next\", <{next}>; rel=\"last\""))
}

fn graphql(request: &Request, mut discussions: Vec<Value>) -> Reply {
    if request.method != "POST" || request.header("authorization").is_empty() {
        return Reply::Answer(401, Vec::new(), json!({"message": "Requires authentication"}).to_string().into());
    }
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    if (&body["variables"]["owner"], &body["variables"]["name"]) != (&json!("acme"), &json!("phone")) {
        let error = json!({"type": "NOT_FOUND", "message": "Could not resolve to a Repository with the name 'x'."});
        return Reply::ok(json!({"data": {"repository": null}, "errors": [error]}).to_string());
    }
    discussions.sort_by_key(|discussion| std::cmp::Reverse(discussion["updatedAt"].to_string()));
    let from: usize = body["variables"]["after"].as_str().and_then(|after| after.parse().ok()).unwrap_or(0);
    let page: Vec<_> = discussions.iter().skip(from).take(25).collect();
    let end = from + page.len();
    let info = json!({"hasNextPage": end < discussions.len(), "endCursor": end.to_string()});
    Reply::ok(json!({"data": {"repository": {"discussions": {"pageInfo": info, "nodes": page}}}}).to_string())
}
