//! The posts that messages quote, and the removal of such quotes.

use std::collections::BTreeSet;

use serde_json::Value;

/// The posts that `message` quotes.
pub fn quoted_posts(message: &Value) -> BTreeSet<String> {
    let alerts = message.get("alerts").and_then(Value::as_array).into_iter().flatten();
    let quotes = alerts.filter_map(|alert| alert["details"]["quotes"].as_array()).flatten();
    quotes.filter_map(post).map(str::to_owned).collect()
}

/// `message` without the quoted posts for which `gone` returns `true`.
pub fn without_quotes(mut message: Value, gone: &dyn Fn(&str) -> bool) -> Value {
    let alerts = message.get_mut("alerts").and_then(Value::as_array_mut).into_iter().flatten();
    for alert in alerts {
        if let Some(quotes) = alert.pointer_mut("/details/quotes").and_then(Value::as_array_mut) {
            quotes.retain(|quote| !post(quote).is_some_and(gone));
        }
    }
    message
}

/// The same as [`without_quotes`], for a message as JSON text. Text that is not valid JSON stays unchanged.
pub fn text_without_quotes(message: &str, gone: &dyn Fn(&str) -> bool) -> String {
    match serde_json::from_str(message) {
        Ok(value) => without_quotes(value, gone).to_string(),
        Err(_) => message.to_owned(),
    }
}

fn post(quote: &Value) -> Option<&str> {
    quote.get("post_id").and_then(Value::as_str)
}
