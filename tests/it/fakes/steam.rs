//! Steam's list of reviews, as described in <https://partner.steamgames.com/doc/store/getreviews>. `filter=updated`
//! sorts by the last change and `filter=recent` by the creation, newest first. A page has at most 100 reviews. `cursor`
//! is `*` for the first page, and may contain characters that must be encoded in URLs. The last page is empty.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::web::{Reply, Request, Web, lock};

/// The running fake.
pub struct Store {
    pub web: Web,
    reviews: Arc<Mutex<Vec<Value>>>,
}

impl Store {
    pub async fn start() -> Self {
        let reviews = Arc::<Mutex<Vec<Value>>>::default();
        let shown = reviews.clone();
        let web = Web::start(move |request| answer(request, &lock(&shown))).await;
        Self { web, reviews }
    }

    /// Adds a review, or replaces the review with this id.
    pub fn write(&self, app: u32, id: u64, (created, updated): (i64, i64), text: &str) {
        self.add(json!({
            "app": app, "recommendationid": id.to_string(), "language": "german", "review": text,
            "author": {"steamid": "76561197960287930", "num_games_owned": 3, "playtime_forever": 60},
            "timestamp_created": created, "timestamp_updated": updated, "voted_up": true, "votes_up": 0,
            "weighted_vote_score": "0.5", "comment_count": 0, "steam_purchase": true,
        }));
    }

    /// Adds `item` unchanged to the list.
    pub fn add(&self, item: Value) {
        let mut reviews = lock(&self.reviews);
        reviews.retain(|known| known["recommendationid"] != item["recommendationid"]);
        reviews.push(item);
        reviews.sort_by_key(|review| std::cmp::Reverse(review["timestamp_updated"].as_i64()));
    }
}

fn answer(request: &Request, reviews: &[Value]) -> Reply {
    let get = |name: &str| request.query.get(name).map(String::as_str);
    let app = request.path.strip_prefix("/appreviews/").and_then(|app| app.parse::<u64>().ok());
    let order = match get("filter") {
        Some("updated") => "timestamp_updated",
        Some("recent") => "timestamp_created",
        _ => return Reply::status(400),
    };
    if get("json") != Some("1") {
        return Reply::status(400);
    }
    let Some(app) = app.filter(|app| *app != 404) else {
        return Reply::ok(json!({"success": 2}).to_string());
    };
    let size = get("num_per_page").and_then(|size| size.parse().ok()).unwrap_or(20_usize).min(100);
    // The cursor contains characters that have a special meaning in URLs.
    let from = match get("cursor") {
        Some("*") => 0,
        Some(cursor) => match cursor.strip_prefix("Ao+/=&").and_then(|from| from.parse().ok()) {
            Some(from) => from,
            None => return Reply::status(400),
        },
        None => return Reply::status(400),
    };
    let mut of_app: Vec<&Value> = reviews.iter().filter(|review| review["app"] == app).collect();
    of_app.sort_by_key(|review| std::cmp::Reverse(review[order].as_i64()));
    let page: Vec<_> = of_app.iter().skip(from).take(size).collect();
    let cursor = format!("Ao+/=&{}", from + page.len());
    Reply::ok(
        json!({"success": 1, "query_summary": {"num_reviews": page.len()}, "reviews": page, "cursor": cursor})
            .to_string(),
    )
}
