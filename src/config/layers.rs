//! The layers that set values, and their precedence.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Value;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::ConfigError;
use super::error::Problem;
use super::origin::Origin;
use super::sources::SOURCE_KINDS;
use super::template::{DEFAULT_TOML, Found, Template, fits, join, kind};

/// One value that one layer sets.
#[derive(Clone)]
pub struct Setting {
    /// The key, as `section.key`.
    pub key: String,
    /// The value in the type of the key; a secret is not masked.
    pub value: Value,
    /// The layer that sets the value.
    pub origin: Origin,
}

/// The values that all layers set, in the order of the layers.
pub struct Layers {
    template: Template,
    settings: Vec<Setting>,
    /// Settings of sources with custom names. Their types depend on the `kind` of the source, which a later layer may
    /// set.
    named: Vec<Named>,
    problems: Vec<Problem>,
}

/// A setting of a source with a custom name.
struct Named {
    key: String,
    given: Given,
    origin: Origin,
}

/// A value before conversion: a TOML value, or the text of a variable or a flag.
enum Given {
    Value(Value),
    Text(String),
}

/// Why a setting of a source with a custom name is invalid.
#[derive(Debug, thiserror::Error)]
enum InvalidNamed {
    #[error("the source has no kind")]
    NoKind,
    #[error("must be one of {allowed}, is {0:?}", allowed = SOURCE_KINDS.join(", "))]
    Kind(String),
    #[error("there is no such key; a source of kind {kind} has {keys}")]
    Key { kind: String, keys: String },
    #[error("expected {expected}, found {found}")]
    Type { expected: &'static str, found: &'static str },
    #[error("expected {expected} in TOML syntax")]
    Syntax { expected: &'static str },
}

impl Layers {
    /// Creates layers that contain only the defaults.
    pub fn new() -> Self {
        let mut layers =
            Self { template: Template::new(), settings: Vec::new(), named: Vec::new(), problems: Vec::new() };
        layers.add_toml(DEFAULT_TOML, &|_| Origin::Default);
        layers
    }

    /// The reference of all keys.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// Adds a configuration file.
    pub fn add_file(&mut self, path: &Path) {
        let origin = |line| Origin::File { path: path.to_owned(), line };
        match std::fs::read_to_string(path) {
            Ok(text) => self.add_toml(&text, &origin),
            Err(e) => self.problem("", origin(1), format!("the configuration file cannot be read: {e}")),
        }
    }

    fn add_toml(&mut self, text: &str, origin: &dyn Fn(usize) -> Origin) {
        match DeTable::parse(text) {
            Ok(document) => self.add_table(document.get_ref(), "", &|offset| origin(line_of(text, offset))),
            Err(e) => {
                let line = line_of(text, e.span().map_or(0, |span| span.start));
                // The error does not quote the line, because it may contain a secret.
                self.problem("", origin(line), format!("the configuration file is not TOML: {}", e.message()));
            }
        }
    }

    fn add_table(&mut self, table: &DeTable<'_>, prefix: &str, origin: &dyn Fn(usize) -> Origin) {
        for (name, value) in table {
            let key = join(prefix, name.get_ref());
            let place = origin(name.span().start);
            match (self.template.find(&key), value.get_ref()) {
                (Found::Section, DeValue::Table(inner)) => self.add_table(inner, &key, origin),
                (Found::Section, _) => self.problem(&key, place, "expected a table of keys, found a value"),
                (Found::Leaf(_), _) => match Value::deserialize(ValueDeserializer::from(value.clone())) {
                    Ok(value) => self.add(key, value, place),
                    Err(e) => self.problem(&key, place, format!("not a TOML value: {}", e.message())),
                },
                (Found::Unknown, DeValue::Table(inner)) if self.template.is_named_source(&key) => {
                    for (inner_name, value) in inner {
                        let key = join(&key, inner_name.get_ref());
                        let place = origin(inner_name.span().start);
                        match Value::deserialize(ValueDeserializer::from(value.clone())) {
                            Ok(value) => self.named.push(Named { key, given: Given::Value(value), origin: place }),
                            Err(e) => self.problem(&key, place, format!("not a TOML value: {}", e.message())),
                        }
                    }
                }
                (Found::Unknown, _) => self.problem(&key, place, self.template.unknown(&key)),
            }
        }
    }

    /// Adds a value from the environment or a flag. Its text is TOML. Strings need no quotes, and the items of a list
    /// may be separated by commas.
    pub fn add_text(&mut self, key: &str, text: &str, origin: Origin) {
        match self.template.find(key) {
            Found::Leaf(default) => match read_text(default, text) {
                Some(value) => self.add(key.to_owned(), value, origin),
                None => {
                    let expected = kind(default);
                    self.problem(key, origin, format!("expected {expected} in TOML syntax"));
                }
            },
            Found::Section => self.problem(key, origin, "names a table of keys: set one of them"),
            Found::Unknown if key.rsplit_once('.').is_some_and(|(source, _)| self.template.is_named_source(source)) => {
                self.named.push(Named { key: key.to_owned(), given: Given::Text(text.to_owned()), origin });
            }
            Found::Unknown => self.problem(key, origin, self.template.unknown(key)),
        }
    }

    fn add(&mut self, key: String, value: Value, origin: Origin) {
        let value = match self.template.find(&key) {
            Found::Leaf(default) => listed(default, value),
            _ => value,
        };
        match self.template.find(&key) {
            Found::Leaf(default) if !fits(default, &value) => {
                let message = format!("expected {}, found {}", kind(default), kind(&value));
                self.problem(&key, origin, message);
            }
            _ => self.settings.push(Setting { key, value, origin }),
        }
    }

    /// Records a problem.
    pub fn problem(&mut self, key: &str, origin: Origin, message: impl Into<String>) {
        self.problems.push(Problem { key: key.to_owned(), origin, message: message.into() });
    }

    /// The effective value of each key, in the order of `config/default.toml`; sources with custom names come last.
    ///
    /// # Errors
    /// All problems of all layers.
    pub fn finish(mut self) -> Result<Vec<Setting>, ConfigError> {
        let mut keys: Vec<String> = self.template.keys().map(str::to_owned).collect();
        keys.extend(self.resolve_named());
        if !self.problems.is_empty() {
            return Err(ConfigError(self.problems));
        }
        let winner = |key: &String| {
            let set = self.settings.iter().filter(|setting| setting.key == *key);
            // Within one layer the last setting takes precedence: `max_by_key` returns the last of several equal
            // maxima.
            set.max_by_key(|setting| setting.origin.rank()).cloned()
        };
        Ok(keys.iter().filter_map(winner).collect())
    }

    /// Converts the settings of sources with custom names into plain settings, adds the defaults of their kinds, and
    /// returns their keys.
    fn resolve_named(&mut self) -> Vec<String> {
        let mut kinds: BTreeMap<String, (String, u8)> = BTreeMap::new();
        for named in &self.named {
            let (source, key) = named.key.rsplit_once('.').unwrap_or_default();
            let text = match &named.given {
                Given::Text(text) => text.trim_matches(['"', '\'', ' ']),
                Given::Value(value) => value.as_str().unwrap_or_default(),
            };
            if key == "kind" && kinds.get(source).is_none_or(|(_, rank)| *rank <= named.origin.rank()) {
                kinds.insert(source.to_owned(), (text.to_owned(), named.origin.rank()));
            }
        }
        let mut keys = Vec::new();
        for (source, (kind, _)) in &kinds {
            keys.push(join(source, "kind"));
            let of_kind = format!("sources.{kind}.");
            let defaults: Vec<_> = self.template.keys().filter_map(|key| key.strip_prefix(&of_kind)).collect();
            for name in defaults {
                let key = join(source, name);
                if let Found::Leaf(default) = self.template.find(&join(&format!("sources.{kind}"), name)) {
                    self.settings.push(Setting { key: key.clone(), value: default.clone(), origin: Origin::Default });
                }
                keys.push(key);
            }
        }
        for Named { key, given, origin } in std::mem::take(&mut self.named) {
            let (source, name) = key.rsplit_once('.').unwrap_or_default();
            let kind = kinds.get(source).map(|(kind, _)| kind.as_str());
            match self.named_value(kind, name, &given) {
                Ok(value) => self.settings.push(Setting { key, value, origin }),
                Err(InvalidNamed::NoKind) => {
                    let message = self.template.unknown(&key);
                    self.problem(&key, origin, message);
                }
                Err(error) => self.problem(&key, origin, error.to_string()),
            }
        }
        keys
    }

    /// Converts the value of the key `name` of a source of `kind`.
    fn named_value(&self, kind: Option<&str>, name: &str, given: &Given) -> Result<Value, InvalidNamed> {
        let kind = kind.ok_or(InvalidNamed::NoKind)?;
        if name == "kind" {
            let is_known = SOURCE_KINDS.contains(&kind);
            return is_known.then(|| kind.into()).ok_or_else(|| InvalidNamed::Kind(kind.to_owned()));
        }
        let Found::Leaf(default) = self.template.find(&format!("sources.{kind}.{name}")) else {
            let of_kind = format!("sources.{kind}.");
            let names: Vec<_> = self.template.keys().filter_map(|key| key.strip_prefix(&of_kind)).collect();
            return Err(InvalidNamed::Key { kind: kind.to_owned(), keys: names.join(", ") });
        };
        let value = match given {
            Given::Value(value) => Some(listed(default, value.clone())),
            Given::Text(text) => read_text(default, text),
        };
        match value {
            Some(value) if fits(default, &value) => Ok(value),
            Some(value) => Err(InvalidNamed::Type { expected: self::kind(default), found: self::kind(&value) }),
            None => Err(InvalidNamed::Syntax { expected: self::kind(default) }),
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

/// Converts a value to the type of `default`. A list may also be one text with commas, as in the environment.
pub fn listed(default: &Value, value: Value) -> Value {
    match (default, value) {
        (Value::Array(_), Value::String(text)) => read_text(default, &text).unwrap_or(Value::String(text)),
        (_, value) => value,
    }
}

fn read_text(default: &Value, text: &str) -> Option<Value> {
    let toml = || Value::deserialize(ValueDeserializer::parse(text.trim()).ok()?).ok();
    match default {
        Value::String(_) => toml().filter(Value::is_str).or_else(|| Some(Value::String(text.to_owned()))),
        Value::Array(_) if text.trim_start().starts_with('[') => toml(),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(items.map(|item| Value::String(item.to_owned())).collect::<Vec<_>>().into())
        }
        _ => toml(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquoted_text_is_accepted_where_a_text_is_expected() {
        let text = Value::String(String::new());
        for (given, read) in
            [("1e5", "1e5"), ("true", "true"), ("\"q\"", "q"), ("[1]", "[1]"), ("a\nb = 1", "a\nb = 1")]
        {
            assert_eq!(read_text(&text, given), Some(Value::String(read.to_owned())));
        }
        let list = Value::Array(Vec::new());
        let expected = Value::try_from(["a", "b"]).unwrap();
        assert_eq!(read_text(&list, "a, b"), Some(expected.clone()));
        assert_eq!(read_text(&list, "[\"a\", \"b\"]"), Some(expected));
        assert_eq!(read_text(&list, "[\"a\""), None);
        assert_eq!(read_text(&Value::Integer(1), "1\nother = 2"), None);
    }
}
