//! An API of reviews, newest first, as many products have it: pages with `Link` headers (RFC 8288) or with the URL of
//! the next page in the document, `ETag` (RFC 9110), and a key in a header.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::web::{Reply, Request, Web, lock};

/// The value of the header `Authorization`.
pub const KEY: &str = "Bearer s3cret-k3y";
/// The number of reviews per page.
const PAGE: usize = 10;

/// The running fake.
pub struct Reviews {
    pub web: Web,
    reviews: Arc<Mutex<Vec<Value>>>,
}

impl Reviews {
    pub async fn start() -> Self {
        let reviews = Arc::<Mutex<Vec<Value>>>::default();
        let shown = reviews.clone();
        let web = Web::start(move |request| answer(request, &lock(&shown))).await;
        Self { web, reviews }
    }

    /// Adds a review, or replaces the text of the review with this id.
    pub fn write(&self, id: u64, text: &str) {
        self.add(json!({
            "id": id, "title": "Review", "body": text, "user": {"name": "ada"}, "stars": 3, "lang": "en",
            "posted": 1_772_366_400 + id, "link": format!("https://shop.example/reviews/{id}"),
        }));
    }

    /// Adds `item` unchanged to the list.
    pub fn add(&self, item: Value) {
        let mut reviews = lock(&self.reviews);
        match reviews.iter_mut().find(|known| known["id"] == item["id"]) {
            Some(known) => *known = item,
            None => reviews.insert(0, item),
        }
    }
}

/// Pages of `/reviews` have `Link` headers. Pages of `/api` have the URL of the next page in the document.
fn answer(request: &Request, reviews: &[Value]) -> Reply {
    if request.header("authorization") != KEY {
        return Reply::Answer(401, Vec::new(), json!({"error": "wrong key"}).to_string().into());
    }
    let page: usize = request.query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let items: Vec<&Value> = reviews.iter().skip((page - 1) * PAGE).take(PAGE).collect();
    let next = (reviews.len() > page * PAGE).then(|| format!("{}?page={}", request.path, page + 1));
    let etag = format!(
        "\"{page}-{:x}\"",
        json!(reviews)
            .to_string()
            .bytes()
            .fold(7_u64, |sum, byte| { sum.wrapping_mul(31).wrapping_add(u64::from(byte)) })
    );
    if request.header("if-none-match") == etag {
        return Reply::status(304).with("ETag", etag);
    }
    let reply = match request.path.as_str() {
        "/reviews" => Reply::ok(json!(items).to_string()),
        "/api" => Reply::ok(json!({"data": {"reviews": items}, "links": {"next": next}}).to_string()),
        _ => return Reply::status(404),
    };
    match next.filter(|_| request.path == "/reviews") {
        Some(next) => reply.with("Link", format!("<{next}>; rel=\"next\"")).with("ETag", etag),
        None => reply.with("ETag", etag),
    }
}
