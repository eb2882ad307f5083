//! The reference of all keys: `config/default.toml`, which is compiled into the binary. It defines which keys exist,
//! their types and their defaults.

use toml::de::DeTable;
use toml::{Spanned, Table, Value};

use super::sources::SOURCE_KINDS;

/// The text of `config/default.toml`.
pub const DEFAULT_TOML: &str = include_str!("../../config/default.toml");

/// The keys of [`DEFAULT_TOML`] with their types and defaults.
pub struct Template {
    table: Table,
    /// Every key in the order of the file.
    keys: Vec<String>,
}

/// What a key names in `config/default.toml`.
pub enum Found<'a> {
    /// A single value, with its default.
    Leaf(&'a Value),
    /// A table of keys.
    Section,
    /// `config/default.toml` does not contain the key.
    Unknown,
}

impl Template {
    /// Parses `config/default.toml`.
    pub fn new() -> Self {
        let document = DeTable::parse(DEFAULT_TOML).unwrap_or_else(|e| unreachable!("default.toml: {e}"));
        let mut keys = Vec::new();
        collect(document.get_ref(), "", &mut keys);
        keys.sort_by_key(|(offset, _)| *offset);
        let table = DEFAULT_TOML.parse().unwrap_or_else(|e| unreachable!("default.toml: {e}"));
        Self { table, keys: keys.into_iter().map(|(_, key)| key).collect() }
    }

    /// Every key, in the order of `config/default.toml`.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    /// Finds `key` (`section.key`) in `config/default.toml`.
    pub fn find(&self, key: &str) -> Found<'_> {
        let mut parts = key.split('.').peekable();
        let mut table = &self.table;
        while let Some(part) = parts.next() {
            match table.get(part) {
                Some(Value::Table(inner)) if !inner.is_empty() => table = inner,
                Some(value) if parts.peek().is_none() => return Found::Leaf(value),
                _ => return Found::Unknown,
            }
        }
        Found::Section
    }

    /// Whether `key` (`sources.NAME`) belongs to a source with a custom name.
    pub fn is_named_source(&self, key: &str) -> bool {
        let name = key.strip_prefix("sources.").unwrap_or_default();
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        !name.is_empty() && name.len() <= 64 && name.chars().all(valid) && matches!(self.find(key), Found::Unknown)
    }

    /// The error message for an unknown key. It names the most similar key, or the keys of the section, or asks for the
    /// `kind` of a source with a custom name.
    pub fn unknown(&self, key: &str) -> String {
        let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        let closest = self
            .keys()
            .map(|known| (strsim::jaro_winkler(known, key), known))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness > 0.9)
            .map(|(_, known)| known);
        let elsewhere = || self.keys().find(|known| last(known) == last(key));
        let section = key.rsplit_once('.').map_or("", |(section, _)| section);
        let meant = closest.or_else(elsewhere).map(|meant| format!("there is no such key; did you mean {meant}?"));
        if self.is_named_source(section) {
            let kinds = SOURCE_KINDS.join(", ");
            let named = format!("a source with a custom name needs a kind: set {section}.kind to one of {kinds}");
            return meant.map_or(named.clone(), |meant| format!("{meant} Or: {named}"));
        }
        if let Some(meant) = meant {
            return meant;
        }
        let siblings: Vec<_> = self
            .keys()
            .filter_map(|known| known.rsplit_once('.').filter(|(place, _)| *place == section))
            .map(|(_, name)| name)
            .collect();
        if siblings.is_empty() {
            let sections: Vec<_> = self.table.keys().cloned().collect();
            format!("there is no such key; the top-level keys and sections are {}", sections.join(", "))
        } else {
            format!("there is no such key; the keys of [{section}] are {}", siblings.join(", "))
        }
    }
}

fn collect(table: &DeTable<'_>, prefix: &str, keys: &mut Vec<(usize, String)>) {
    for (name, value) in table {
        let key = join(prefix, name.get_ref());
        match value.get_ref().as_table() {
            Some(inner) if !inner.is_empty() => collect(inner, &key, keys),
            _ => keys.push((Spanned::span(name).start, key)),
        }
    }
}

/// The key `prefix.name`, or `name` when `prefix` is empty.
pub fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// The type of a value, with its article: "a number".
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
        Value::Datetime(_) => "a date",
    }
}

/// Whether `value` has the type of `default`; a whole number is also accepted as a number.
pub fn fits(default: &Value, value: &Value) -> bool {
    default.same_type(value) || (default.is_float() && value.is_integer())
}
