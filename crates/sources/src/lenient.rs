//! Parses optional fields for which other programs may send any type of value.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The value of an optional field, or `None` if the value has an unexpected type. Use it with `#[serde(default,
/// deserialize_with = "lenient")]`.
pub fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(de: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(de)?).ok())
}
