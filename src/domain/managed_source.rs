//! A source that a user added: its name, its kind, and its settings without secrets.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::FieldError;
use super::notify::{Kind, Managed};

/// The maximum length of a name.
const MAX_NAME: usize = 64;

/// The definition of a source by a user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceDefinition {
    /// 1 to 64 characters of `a-z`, `0-9`, `_` and `-`.
    pub name: String,
    /// One of the kinds of `GET /api/sources/kinds`.
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
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        if (1..=MAX_NAME).contains(&self.name.len()) && self.name.chars().all(is_allowed) {
            return Vec::new();
        }
        vec![FieldError::new("name", format!("must be 1 to {MAX_NAME} of a-z, 0-9, _ and -"))]
    }
}
