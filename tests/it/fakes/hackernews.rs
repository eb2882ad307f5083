//! Hacker News: the newest id, and items by id.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::web::{Reply, Web, lock};

type Items = Arc<Mutex<BTreeMap<u64, Value>>>;

/// The running fake. Ids without an item are `null`.
pub struct Site {
    pub web: Web,
    items: Items,
    updates: Arc<Mutex<Vec<u64>>>,
    /// The number of requests for each id that are still answered with `null`.
    hidden: Arc<Mutex<BTreeMap<u64, u32>>>,
}

impl Site {
    pub async fn start() -> Self {
        let items = Items::default();
        let updates = Arc::<Mutex<Vec<u64>>>::default();
        let hidden = Arc::<Mutex<BTreeMap<u64, u32>>>::default();
        let (shown, changed, late) = (items.clone(), updates.clone(), hidden.clone());
        let web = Web::start(move |request| {
            let items = lock(&shown);
            let id = request.path.strip_prefix("/v0/item/").and_then(|rest| rest.strip_suffix(".json"));
            match id {
                None if request.path == "/v0/maxitem.json" => {
                    Reply::ok(items.keys().last().copied().unwrap_or(0).to_string())
                }
                None if request.path == "/v0/updates.json" => {
                    Reply::ok(json!({"items": *lock(&changed), "profiles": ["ada"]}).to_string())
                }
                None => Reply::status(404),
                Some(id) => {
                    let id = id.parse().expect("a number");
                    let mut late = lock(&late);
                    let remaining = late.entry(id).or_default();
                    let item = items.get(&id).filter(|_| *remaining == 0).cloned().unwrap_or(Value::Null);
                    *remaining = remaining.saturating_sub(1);
                    Reply::ok(item.to_string())
                }
            }
        })
        .await;
        Self { web, items, updates, hidden }
    }

    /// Adds an item, or `null`.
    pub fn put(&self, id: u64, item: Value) {
        lock(&self.items).insert(id, item);
    }

    /// Adds an item that is `null` in the next `remaining` requests.
    pub fn put_late(&self, id: u64, item: Value, remaining: u32) {
        lock(&self.hidden).insert(id, remaining);
        self.put(id, item);
    }

    /// Deletes an item, and lists it among the changes.
    pub fn delete(&self, id: u64) {
        self.put(id, json!({"deleted": true, "id": id, "time": 1_772_367_600, "type": "comment"}));
        lock(&self.updates).push(id);
    }

    /// The items that were requested, in order.
    pub fn asked(&self) -> Vec<u64> {
        let requests = self.web.requests();
        let id = |path: &str| path.strip_prefix("/v0/item/")?.strip_suffix(".json")?.parse().ok();
        requests.iter().filter_map(|request| id(&request.path)).collect()
    }
}

/// A comment.
pub fn comment(id: u64, text: &str) -> Value {
    json!({"by": "ada", "id": id, "parent": id - 1, "text": text, "time": 1_772_367_600, "type": "comment"})
}
