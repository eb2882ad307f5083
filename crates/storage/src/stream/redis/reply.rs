//! Parses the replies of Redis.

use fred::types::Value;

use sentistream_core::domain::{EntryId, RawFields};

use super::StreamError;

/// The items of a list. Any other value, such as null, is read as an empty list.
pub(super) fn list(value: Value) -> std::vec::IntoIter<Value> {
    match value {
        Value::Array(items) => items.into_iter(),
        _ => Vec::new().into_iter(),
    }
}

/// A number, which Redis may send as text. A negative number is read as 0.
pub(super) fn number(value: Option<Value>) -> Result<u64, StreamError> {
    value.and_then(|value| value.as_i64()).map(|n| u64::try_from(n).unwrap_or(0)).ok_or_else(|| unexpected("a number"))
}

pub(super) fn text(value: Option<Value>) -> Result<String, StreamError> {
    value.and_then(Value::into_string).ok_or_else(|| unexpected("a text"))
}

pub(super) fn id(value: Option<Value>) -> Result<EntryId, StreamError> {
    text(value)?.parse().map_err(|_| unexpected("an entry id"))
}

/// An entry. Redis sends its id, and one flat list with the names and values of its fields.
pub(super) fn entry(value: Option<Value>) -> Result<(EntryId, RawFields), StreamError> {
    let mut parts = list(value.unwrap_or(Value::Null));
    let id = id(parts.next())?;
    let mut bytes = list(parts.next().unwrap_or(Value::Null)).map(|part| part.into_owned_bytes().unwrap_or_default());
    let mut fields = RawFields::default();
    while let (Some(name), Some(value)) = (bytes.next(), bytes.next()) {
        fields.0.push((name, value));
    }
    Ok((id, fields))
}

/// The names and values of an entry, as arguments of a command.
pub(super) fn flat(fields: &RawFields) -> impl Iterator<Item = Value> {
    fields.0.iter().flat_map(|(name, value)| [name.as_slice(), value.as_slice()]).map(Value::from)
}

fn unexpected(what: &str) -> StreamError {
    StreamError::Failed(format!("unexpected reply of Redis: expected {what}; check that it is Redis 7.0 or newer"))
}
