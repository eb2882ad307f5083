//! Tests that any response of a server results in posts or errors, never in a panic.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::draft::Found;
use super::hackernews::Item;
use super::mastodon::Status;
use super::reddit::Thing;
use super::{Batch, html};
use sentistream_core::domain::Timestamp;

const KEYS: [&str; 28] = [
    "id",
    "name",
    "by",
    "time",
    "title",
    "text",
    "parent",
    "deleted",
    "dead",
    "author",
    "created_utc",
    "selftext",
    "body",
    "parent_id",
    "permalink",
    "created_at",
    "edited_at",
    "content",
    "spoiler_text",
    "language",
    "url",
    "uri",
    "in_reply_to_id",
    "account",
    "acct",
    "reblog",
    "kind",
    "data",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,40}".prop_map(Value::from),
        "[0-9a-z]{1,12}".prop_map(Value::from),
        "(<[a-z]{1,4}>|&[a-z]{2,4};|[\\PC]){0,20}".prop_map(Value::from),
        Just(Value::from("2026-03-01T12:00:00Z")),
    ];
    leaf.prop_recursive(3, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(prop::sample::select(KEYS.to_vec()), inner, 0..12)
                .prop_map(|map| Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

/// Checks that `found` becomes a valid post, or is rejected or filtered.
fn take(found: Found) {
    let mut batch = Batch::default();
    found.add_to(&mut batch, "test", Timestamp::EPOCH);
    assert_eq!(batch.ops.len() + batch.rejected.len() + batch.filtered as usize, 1);
}

proptest! {
    #[test]
    fn any_json_becomes_a_post_or_an_error(mut value in any_json(), id in any::<u32>()) {
        for id in [Some(json!(id)), Some(json!(id.to_string())), None] {
            if let (Some(id), Some(object)) = (id, value.as_object_mut()) {
                object.insert("id".to_owned(), id);
            }
            if let Ok(status) = serde_json::from_value::<Status>(value.clone()) {
                take(status.found("m.example"));
            }
            if let Ok(status) = serde_json::from_value::<Status>(value.clone()) {
                take(status.edited("m.example", Timestamp::EPOCH));
            }
            if let Some(found) = serde_json::from_value::<Item>(value.clone()).ok().and_then(Item::found) {
                take(found);
            }
            if let Some(found) = Thing::read(value.clone()).ok().and_then(|(_, thing)| thing.found()) {
                take(found);
            }
        }
    }

    #[test]
    fn any_markup_becomes_text(markup in "(<[/!a-z]{0,5}[ \"'=a-z]{0,6}>|&#?[a-z0-9]{0,8};?|[\\PC\\x00-\\x1f]{0,3}){0,60}") {
        let text = html::text(&markup);
        prop_assert!(!text.chars().any(|c| c.is_control() && !"\n\t".contains(c)), "{text:?}");
        prop_assert_eq!(text.trim(), &text);
    }
}
