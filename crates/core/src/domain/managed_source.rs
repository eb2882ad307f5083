//! A source that a user added: its name, its kind, and its settings without secrets.

mod accounts;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::FieldError;
use super::notify::{Kind, Managed};

pub use accounts::TwoAccounts;

/// The maximum length of a name.
const MAX_NAME: usize = 64;
/// The suffix of a source's name under which the progress of its history import is stored. The `/` prevents a conflict
/// with the names of sources.
pub const HISTORY_SUFFIX: &str = "/history";
/// Names that would conflict with the paths `/api/sources/…`.
const RESERVED: [&str; 3] = ["kinds", "test", "recognize"];

/// The definition of a source by a user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceDefinition {
    /// The name of the source, which must be unique and cannot be changed: 1 to 64 characters of `a-z`, `0-9`, `_` and
    /// `-`. The names `kinds`, `test` and `recognize` are reserved.
    pub name: String,
    /// The kind of the source: one of the kinds that `GET /api/sources/kinds` lists.
    pub kind: String,
    /// The settings by key. Missing settings have the defaults of the kind.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    pub settings: Map<String, Value>,
}

impl Managed for SourceDefinition {
    const KIND: Kind = Kind::Source;

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if !is_name(&self.name) {
            errors.push(FieldError::new("name", format!("must be 1 to {MAX_NAME} characters of a-z, 0-9, _ and -")));
        }
        if RESERVED.contains(&&*self.name) {
            errors.push(FieldError::new("name", format!("must not be one of {}", RESERVED.join(", "))));
        }
        for (key, _) in self.settings.iter().filter(|(_, value)| has_password(value)) {
            errors.push(FieldError::new(format!("settings.{key}"), PASSWORD));
        }
        errors
    }
}

/// Whether `text` can be the name of a source.
pub fn is_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    (1..=MAX_NAME).contains(&text.len()) && text.chars().all(is_allowed)
}

/// The error for a URL with a user or a password.
const PASSWORD: &str = "must not contain a user or a password, because settings are stored in plain text: use a URL \
                        without them, or add the source to the configuration file";

/// Whether any text in `value` is a URL with a user or a password. The recursion is bounded, because the parser limits
/// the depth of JSON in requests.
fn has_password(value: &Value) -> bool {
    match value {
        Value::String(text) => Url::parse(text).is_ok_and(|url| !url.username().is_empty() || url.password().is_some()),
        Value::Array(values) => values.iter().any(has_password),
        Value::Object(fields) => fields.values().any(has_password),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn source_name_that_is_an_api_path_is_rejected() {
        let errors = |name: &str| SourceDefinition { name: name.to_owned(), ..SourceDefinition::default() }.check();
        for name in ["kinds", "test", "recognize"] {
            assert_eq!(errors(name).len(), 1, "{name}");
        }
        assert!(errors("test-feed").is_empty());
    }

    #[test]
    fn source_url_with_a_user_or_password_is_rejected() {
        let fields = |feeds: Value| {
            let settings = Map::from_iter([("feeds".to_owned(), feeds)]);
            let definition = SourceDefinition { name: "blog".to_owned(), kind: "rss".to_owned(), settings };
            let errors = definition.check();
            assert!(errors.iter().all(|error| !error.message.contains("hunter2")), "{errors:?}");
            errors.into_iter().map(|error| error.field).collect::<Vec<_>>()
        };
        for url in
            ["https://ada:hunter2@blog.example/rss", " https://hunter2@blog.example", "HTTPS://:hunter2@b.example"]
        {
            assert_eq!(fields(json!(["https://blog.example", url])), ["settings.feeds"], "{url}");
        }
        assert_eq!(fields(json!(["https://blog.example/@ada?to=a@b.example"])), Vec::<String>::new());
    }
}
