//! A Discourse forum: feeds with one page, and further posts as JSON (<https://docs.discourse.org/#tag/Posts>). The
//! ids in feeds have the format of `app/views/{list,posts,topics}` in the source code of Discourse.

use serde_json::{Value, json};

use super::feeds::{self, Entry};
use super::web::{Reply, Request, Web};

/// The API key of a private forum.
pub const KEY: &str = "sesame-key";

/// A post.
#[derive(Clone, Debug)]
pub struct Post {
    pub id: u64,
    pub topic: u64,
    /// The number of the post in its topic, starting with 1.
    pub number: u64,
    pub category: u64,
    /// The time of the post, in Unix seconds.
    pub at: i64,
}

/// Starts a forum with these posts, oldest first.
pub async fn forum(posts: Vec<Post>) -> Web {
    Web::start(move |request| answer(request, &posts)).await
}

/// Starts a forum that answers only requests with [`KEY`] or with a user and password.
pub async fn private_forum(posts: Vec<Post>) -> Web {
    Web::start(move |request| {
        let has_key = request.query.get("api_key").is_some_and(|key| key == KEY);
        let has_user = request.header("authorization").starts_with("Basic ");
        if has_key || has_user { answer(request, &posts) } else { Reply::status(403) }
    })
    .await
}

fn answer(request: &Request, posts: &[Post]) -> Reply {
    let get = |name: &str| request.query.get(name).and_then(|text| text.parse::<u64>().ok());
    let parts: Vec<&str> = request.path.split('/').filter(|part| !part.is_empty()).collect();
    let newest = posts.iter().rev();
    match parts.as_slice() {
        ["posts.rss"] => feed(newest.take(50), |post| format!("127.0.0.1-post-{}", post.id)),
        ["latest.rss"] => topics(newest.filter(|post| post.number == 1).take(30)),
        ["c", .., id] if id.ends_with(".rss") => {
            let category: u64 = id.trim_end_matches(".rss").parse().expect("a number");
            topics(newest.filter(|post| post.number == 1 && post.category == category).take(25))
        }
        ["t", _, id] if id.ends_with(".rss") => {
            let topic: u64 = id.trim_end_matches(".rss").parse().expect("a number");
            let recent = newest.filter(|post| post.topic == topic).take(25);
            feed(recent, |post| format!("127.0.0.1-post-{topic}-{}", post.number))
        }
        ["posts.json"] => {
            let before = get("before").unwrap_or(u64::MAX);
            let page: Vec<Value> = newest.filter(|post| post.id < before).take(50).map(view).collect();
            Reply::ok(json!({"latest_posts": page}).to_string())
        }
        ["t", topic, "posts.json"] if request.query.get("asc").is_some_and(|asc| asc == "false") => {
            let topic: u64 = topic.parse().expect("a number");
            let before = get("post_number").expect("a number");
            let wanted = newest.filter(|post: &&Post| post.topic == topic && post.number < before);
            let page: Vec<Value> = wanted.take(20).map(view).collect();
            Reply::ok(json!({"post_stream": {"posts": page}, "id": topic}).to_string())
        }
        _ => Reply::status(404),
    }
}

fn topics<'a>(posts: impl Iterator<Item = &'a Post>) -> Reply {
    feed(posts, |post| format!("127.0.0.1-topic-{}", post.topic))
}

fn feed<'a>(posts: impl Iterator<Item = &'a Post>, id: impl Fn(&Post) -> String) -> Reply {
    let entry =
        |post: &Post| Entry { id: id(post), title: "I love it".to_owned(), published: post.at, updated: post.at };
    let entries: Vec<Entry> = posts.map(entry).collect();
    Reply::ok(feeds::rss(&entries))
}

fn view(post: &Post) -> Value {
    let at = sentistream::domain::Timestamp::from_unix(post.at).expect("a time").to_string();
    json!({
        "id": post.id, "topic_id": post.topic, "post_number": post.number, "category_id": post.category,
        "topic_title": "I love it", "topic_slug": "love", "username": "ada", "name": "", "created_at": at,
        "cooked": "<p>Read <b>more</b></p>", "post_type": 1,
    })
}
